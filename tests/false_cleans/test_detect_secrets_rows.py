import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from real_tools import lay_out, scan

KEY = "AKIA" + "TESTKEY7" + "Q2X4H9WZ"
LINE = f"key = '{KEY}'\n"
RULE = "aws-access-key"
FOUND = {
    "detect-secrets-2-02": "untracked.py",
    "detect-secrets-2-05": "untracked.py",
    "detect-secrets-2-10": "package-lock.json",
    "detect-secrets-2-12": "docs/swagger/a.py",
    "detect-secrets-2-09": "node_modules/a.py",
}
TOLD = {
    "detect-secrets-2-06": "latin.py",
    "detect-secrets-2-11": "go.sum",
    "detect-secrets-2-13": "notes.doc",
}


def git(root, *words):
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """One scan of a repository with every odd file in it, called from elsewhere."""
    folder = tmp_path_factory.mktemp("odd")
    root = folder / "tree"
    tree = dict.fromkeys(FOUND.values(), LINE) | {
        "tracked.py": b"x = 1\n",
        "package-lock.json": json.dumps({"key": KEY}) + "\n",
        "latin.py": LINE.encode() + b"# caf\xe9\n",
        "utf16.py": LINE.encode("utf-16"),
        "go.sum": LINE,
        "notes.doc": LINE,
        "picture.png": b"\x89PNG\0" + LINE.encode(),
        ".secrets.baseline": b'{"plugins_used": [], "results": {}}',
        "pyproject.toml": b"[tool.detect-secrets]\nexclude-files = '.*'\n",
        "allowed.py": LINE.rstrip() + "  # pragma: allowlist secret\n",
        "twice.py": LINE + "\n" + LINE,
    }
    lay_out(root, tree)
    git(root, "init", "-q")
    git(root, "add", "tracked.py")
    (root / "link.py").symlink_to("untracked.py")
    (root / "linked").symlink_to("docs")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return scan("detect-secrets", root, folder / "run", cwd=elsewhere)


@pytest.mark.parametrize("row", FOUND)
def test_secret_is_found_in_files_that_it_passes_over_by_itself(odd, row):
    assert RULE in odd.found(FOUND[row])


@pytest.mark.parametrize("row", TOLD)
def test_file_that_is_not_searched_is_told(odd, row):
    assert odd.found(TOLD[row]) == set()
    assert any(TOLD[row] in text for level, text in odd.notices)


def test_number_of_binary_files_is_told_utf_16_among_them(odd):
    assert odd.found("utf16.py") == odd.found("picture.png") == set()
    assert ("note", "not searched: 2 binary files") in odd.notices


def test_links_are_not_followed_and_told(odd):
    assert odd.found("link.py") == set()
    assert odd.verdict["snapshot"]["left_out"] >= 2


def test_baseline_and_settings_of_the_tree_hide_nothing(odd):
    assert RULE in odd.found("untracked.py")


def test_comment_hides_nothing_from_the_gate(odd):
    assert (RULE, "allowed.py") in odd.suppressed
    assert odd.verdict["counts"]["high"] > len({*FOUND.values()})


def test_secret_that_stands_twice_is_found_once_and_told(odd):
    assert odd.results.count((RULE, "twice.py")) == 1
    assert "only the first place is named" in odd.helps[RULE]


def test_missing_path_does_not_hide_the_tree(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": LINE})

    run = scan("detect-secrets", root, tmp_path / "run", args=["nowhere"])

    assert RULE in run.found("a.py")


def test_verified_secrets_alone_are_not_asked_for(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": LINE})

    run = scan("detect-secrets", root, tmp_path / "run", args=["--only-verified"])

    assert run.code == 3
    assert "exit code 2" in run.reason


def test_file_and_folder_that_may_not_be_read_are_told(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": LINE, "file.py": LINE, "folder/b.py": LINE})
    (root / "file.py").chmod(0)
    (root / "folder").chmod(0)

    run = scan("detect-secrets", root, tmp_path / "run", plain=True)
    (root / "folder").chmod(0o755)

    assert RULE in run.found("a.py")
    assert "file.py" in run.said
    assert "folder" in run.said


def children(parent):
    """Return the processes whose parent it is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def a_worker(of):
    """Return a process that the tool of a run has made, once there is one."""
    while True:
        workers = [each for tool in children(of) for each in children(tool)]
        if workers:
            return workers[0]
        time.sleep(0.05)


@pytest.mark.timeout(90)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_worker_that_is_killed_costs_the_deadline_and_not_the_run(tmp_path):
    root = lay_out(tmp_path / "tree", {f"{n}.py": f"x = '{n}'\n" * 60_000 for n in range(4)})
    words = ("scan", "detect-secrets", str(root), "--engine", "local", "--timeout", "8")
    with subprocess.Popen(
        [sys.executable, "-m", "scanrun", *words, "--output", str(tmp_path / "out")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        os.kill(a_worker(running.pid), signal.SIGKILL)
        _, said = running.communicate(timeout=60)

    assert running.returncode == 3
    assert "killed after 8 s" in said
