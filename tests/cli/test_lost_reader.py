"""Commands whose reader has gone (`| head -1`, `| true`), as a shell sees them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scanrun.cli.app import run

FULL = Path("/dev/full")


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "app.py").write_text("import subprocess\nsubprocess.call(input(), shell=True)\n")
    return root


@pytest.fixture
def unread():
    """Return the end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def scanrun(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
    return subprocess.run(
        [sys.executable, "-m", "scanrun", *map(str, arguments)],
        stdout=stdout,
        stderr=stderr,
        text=True,
        check=False,
        env={**os.environ, "CI": "true"},
    )


def verdict_of(tree):
    return json.loads((tree / ".scanrun" / "verdict.json").read_text())


def test_scan_whose_progress_nobody_reads_is_finished_and_keeps_its_code(tree, unread):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--fail-on=never", stderr=unread)

    assert done.returncode == 0
    assert done.stdout.startswith("\nHIGH (1)")
    assert verdict_of(tree)["status"] == "passed"


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("high", 1)])
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["plain", "json"])
def test_verdict_that_nobody_reads_keeps_its_code(tree, unread, fail_on, code, more):
    done = scanrun(
        "scan", "bandit", tree, "--engine=local", f"--fail-on={fail_on}", *more, stdout=unread
    )

    assert done.returncode == code == verdict_of(tree)["exit_code"]
    assert "plugin exited" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_scan_of_which_nobody_reads_anything_keeps_its_code(tree, unread):
    done = scanrun("scan", "bandit", tree, "--engine", "local", stdout=unread, stderr=unread)

    assert done.returncode == 1 == verdict_of(tree)["exit_code"]


def test_incomplete_scan_that_nobody_reads_is_no_failed_gate(tree, unread):
    (tree / "app.py").unlink()

    done = scanrun("all", tree, "--engine", "local", stdout=unread, stderr=unread)

    assert done.returncode == 3 == verdict_of(tree)["exit_code"]


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"], ids=["stderr", "stdout", "both"])
def test_stream_that_the_caller_has_closed_costs_no_verdict(tree, closed):
    scan = [sys.executable, "-m", "scanrun", "scan", "bandit", tree, "--engine", "local"]

    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *scan],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1 == verdict_of(tree)["exit_code"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("scan", "bandti", "."), 2),
        (("scan", "bandit", "no-such-folder"), 2),
        (("nonsense",), 2),
    ],
    ids=["scanner", "path", "command"],
)
def test_mistake_that_nobody_is_told_of_keeps_its_code(unread, arguments, code):
    assert scanrun(*arguments, stderr=unread).returncode == code


@pytest.mark.parametrize(
    "arguments", [("--help",), ("scan", "--help"), ("plugins",), ("config", "schema")]
)
def test_text_that_nobody_reads_is_neither_a_failed_gate_nor_a_bug_of_a_plugin(unread, arguments):
    done = scanrun(*arguments, stdout=unread)

    assert (done.returncode, done.stderr) == (4, "")


def test_plugin_that_exits_is_still_told_of(tree, tmp_path, capsys):
    plugin = tmp_path / "plugin.py"
    plugin.write_text("raise SystemExit(0)\n")

    code = run(["plugins", "--plugin", str(plugin)])

    assert code != 0
    assert "plugin" in capsys.readouterr().err


@pytest.mark.skipif(not FULL.exists(), reason="no such device here")
def test_document_that_a_full_disk_cuts_off_is_no_success(tree):
    with FULL.open("w") as full:
        done = scanrun(
            "scan", "bandit", tree, "--engine=local", "--fail-on=never", "--json", stdout=full
        )

    assert done.returncode not in {0, 1}
