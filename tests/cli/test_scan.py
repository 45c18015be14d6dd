"""`scanrun all` and `scan` as a shell sees them, with the real tools on the local engine."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

BAD = "import subprocess\nsubprocess.call(input(), shell=True)\n"


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "app.py").write_text(BAD)
    return root


def scanrun(*arguments, environment=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "scanrun", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CI": "true", **(environment or {})},
        **options,
    )


def test_plan_and_progress_go_to_stderr_findings_and_verdict_to_stdout(tree):
    done = scanrun("all", tree, "--engine", "local")

    assert done.returncode == 1
    assert "+ bandit: 1 Python file" in done.stderr
    assert "network not isolated" in done.stderr
    assert "trivy: skipped: 'trivy' is not installed: dependencies not checked" in done.stderr
    assert "app.py:2  B602" in done.stdout
    assert "failed: 1 finding at high or above (1 high); fails on high" in done.stdout
    assert "+ bandit" not in done.stdout


def test_json_has_stdout_to_itself(tree):
    done = scanrun("all", tree, "--engine", "local", "--json")

    assert json.loads(done.stdout)["status"] == "failed"
    assert "B602" in done.stderr
    assert json.loads(done.stdout) == json.loads((tree / ".scanrun/verdict.json").read_text())


def test_quiet_prints_the_verdict_alone(tree):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--quiet")

    assert done.stderr == ""
    assert done.stdout.startswith("failed: 1 finding at high or above")
    assert done.stdout.count("\n") == 1


def test_verbose_shows_what_is_run(tree):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--verbose")

    assert "--ignore-nosec" in done.stderr


def test_no_colour_into_a_pipe_nor_with_no_color(tree):
    plain = scanrun("scan", "bandit", tree, "--engine", "local")
    forced = scanrun("scan", "bandit", tree, "--engine", "local", environment={"FORCE_COLOR": "1"})
    both = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    silenced = scanrun("scan", "bandit", tree, "--engine", "local", environment=both)

    assert "\x1b[" not in plain.stdout + plain.stderr
    assert "\x1b[" in forced.stdout
    assert "\x1b[" not in silenced.stdout + silenced.stderr


def test_dry_run_shows_the_plan_and_leaves_nothing(tree):
    done = scanrun("all", tree, "--engine", "local", "--dry-run")

    assert done.returncode == 0
    assert "+ bandit" in done.stderr
    assert not (tree / ".scanrun").exists()


def test_dry_run_with_a_bad_configuration_is_2(tree):
    (tree / "scanrun.toml").write_text("[scan]\nexlude = []\n")

    done = scanrun("all", tree, "--engine", "local", "--dry-run")

    assert done.returncode == 2
    assert "exclude" in done.stderr


def test_exclude_takes_a_file_out_and_says_so(tree):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--exclude", "app.py", "-v")

    assert "- bandit: not-applicable: no Python files" in done.stderr
    assert "left out: app.py (exclude)" in done.stderr


def test_single_file_can_be_scanned(tree):
    done = scanrun("scan", "bandit", tree / "app.py", "--engine", "local")

    assert done.returncode == 1
    assert "app.py:2  B602" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scan", "bandti", "."), "did you mean 'bandit'?"),
        (("scan", "bandit", "no-such-folder"), "does not exist"),
        (("scan", "bandit", ".", "--engine", "podmann"), "no engine 'podmann'"),
        (("scan", "bandit", ".", "--fail-on", "hihg"), "hihg"),
        (("all", ".", "--timeout", "soon"), "duration"),
    ],
    ids=["scanner", "path", "engine", "severity", "duration"],
)
def test_usage_errors_are_2_and_say_what_to_try(tree, arguments, said):
    done = scanrun(*arguments, cwd=tree)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_no_engine_is_2_and_names_the_local_one(tree):
    environment = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}

    done = scanrun("all", tree, environment=environment)

    assert done.returncode == 2
    assert "--engine local" in done.stderr


def test_missing_executable_of_the_embedded_set_is_incomplete(tree, tmp_path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    code = "import sys; sys.executable = sys.argv.pop(1); sys.prefix = '/nonexistent';"
    code += "from scanrun.cli.app import run; sys.exit(run(sys.argv[1:]))"

    done = subprocess.run(
        [sys.executable, "-c", code, python, "all", tree, "--engine", "local"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": "/nonexistent"},
    )

    assert done.returncode == 3
    assert "'bandit' is not installed" in done.stdout
    assert "scanrun[local]" in done.stdout


def test_output_counts_from_where_the_user_is(tree, tmp_path):
    scanrun("scan", "bandit", tree, "--engine", "local", "--output", "mine", cwd=tmp_path)

    assert (tmp_path / "mine" / "verdict.json").exists()
    assert not (tree / "mine").exists()


def test_ctrl_c_ends_with_130_and_a_verdict(tree, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    config = tmp_path / "config.toml"
    config.write_text('[scanner.slow]\ncommand = "slow"\nstdout = true\n')
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "scanrun",
            "scan",
            "slow",
            tree,
            "--engine",
            "local",
            "--config",
            config,
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "CI": "true", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    for line in process.stderr:
        if "slow: running" in line:
            break
    time.sleep(0.5)

    process.send_signal(signal.SIGINT)
    process.stderr.read()

    assert process.wait(20) == 130
    assert json.loads((tree / ".scanrun/verdict.json").read_text())["status"] == "interrupted"
    process.stderr.close()
