import os
import resource
import subprocess

import pytest
from real_tools import lay_out, scan, tool

from scanrun.errors import ConversionError
from scanrun.model import Notification
from scanrun.testing import outputs
from scanrun_plugins.scanners.bandit import REPORT, Bandit

BAD = b"exec(input())\n"
BROKEN = {
    "bandit-1-05": ("syntax.py", b"def f(:\n"),
    "bandit-1-06": ("python2.py", b"print 'x'\n"),
    "bandit-1-07": ("newer.py", b"class A[T = int]: pass\nx = 1 +\n"),
    "bandit-1-08": ("latin.py", b"x = '\xe9'\n"),
    "bandit-1-09": ("utf16.py", "x = 1\n".encode("utf-16")),
    "bandit-1-10": ("nul.py", b"x = 1\0\n"),
    "bandit-1-11": ("chained.py", b"x = a" + b".b()" * 1500 + b"\n"),
    "bandit-1-12": ("long_sum.py", b"x = " + b"+".join([b"a"] * 5000) + b"\n"),
}
SUM_OF_TEXTS = b"x = " + b"+".join([b'"a"'] * 900) + b"\n"
"""One test of Bandit's fails on it, and the others go on."""
DICT = b"settings = {\n" + b"".join(b"    'k%d': %d,\n" % (n, n) for n in range(9))
DICT += b"    'password': 'hunter2',\n}\n"
SEEN = {
    "bandit-1-01": "sub/b.py",
    "bandit-1-04": "deep/er/a.py",
    "bandit-1-21": ".tox/a.py",
    "bandit-1-19": "sub/b.py",
}
UNSEEN = ("tool", "UPPER.PY", "types.pyi", "book.ipynb")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """One scan of a tree with every odd file in it, in a folder that Bandit excludes by name."""
    folder = tmp_path_factory.mktemp("odd")
    root = folder / ".tox" / "worktree"
    tree = dict(BROKEN.values())
    tree |= dict.fromkeys([*SEEN.values(), "x.egg/a.py", "CVS/a.py", "__pycache__/a.py"], BAD)
    tree |= {
        ".bandit": b"[bandit]\nskips: B102\nexclude: sub\n",
        "sub/.bandit": b"[bandit]\ntests: B101\n",
        "hushed.py": b"exec(input())  # nosec\nexec(input())  # nosec B102 - looked at\n",
        "tool": b"#!/usr/bin/env python3\n" + BAD,
        "UPPER.PY": BAD,
        "types.pyi": b"x: int\n",
        "book.ipynb": b"{}",
        "settings.py": DICT,
    }
    lay_out(root, tree)
    (root / "link.py").symlink_to("hushed.py")
    (root / "dangling.py").symlink_to("nowhere.py")
    os.mkfifo(root / "pipe.py")
    return scan("bandit", root, folder / "run")


@pytest.fixture(scope="module")
def forbidden(tmp_path_factory):
    """One scan of a tree of which not all may be read."""
    folder = tmp_path_factory.mktemp("forbidden")
    root = lay_out(folder / "tree", {"a.py": BAD, "file.py": BAD, "folder/b.py": BAD})
    (root / "file.py").chmod(0)
    (root / "folder").chmod(0)
    yield scan("bandit", root, folder / "run", plain=True)
    (root / "folder").chmod(0o755)


@pytest.mark.parametrize("row", BROKEN)
def test_file_that_can_not_be_analysed_makes_the_scan_incomplete(odd, row):
    assert odd.lost(BROKEN[row][0])


@pytest.mark.parametrize("row", SEEN)
def test_file_is_found_wherever_it_lies_and_whatever_settings_lie_beside_it(odd, row):
    assert "B102" in odd.found(SEEN[row])


def test_folders_excluded_by_default_are_scanned(odd):
    assert all(odd.found(path) for path in ("x.egg/a.py", "CVS/a.py", "__pycache__/a.py"))


def test_tree_below_a_folder_excluded_by_default_is_scanned(odd):
    assert odd.scanner["evidence"]["accounted"] > len(BROKEN)


def test_nosec_hides_nothing_from_the_gate(odd):
    assert odd.results.count(("B102", "hushed.py")) == 2
    assert odd.verdict["counts"]["medium"] >= 2


def test_pipe_does_not_hang_the_scan_and_is_told(odd):
    assert odd.found("pipe.py") == set()
    assert "pipe.py" in odd.said


def test_links_are_not_followed_and_told(odd):
    assert odd.found("link.py") == set()
    assert "link" in odd.said
    assert odd.verdict["snapshot"]["left_out"] >= 3


def test_python_that_bandit_does_not_know_by_its_name_is_told(odd):
    (told,) = [text for _, text in odd.notices if text.startswith("not scanned, for their names")]

    assert all(path in told for path in UNSEEN)


def test_place_in_a_long_literal_is_right_for_the_json_is_read(odd):
    assert odd.found("settings.py") == {"B105"}


def test_test_that_fails_inside_a_file_makes_the_scan_incomplete(tmp_path):
    root = lay_out(tmp_path / "tree", {"sum.py": SUM_OF_TEXTS})

    run = scan("bandit", root, tmp_path / "run")

    assert run.code == 3
    assert "a test failed inside a file" in run.reason


def test_report_of_a_crash_is_an_error_though_the_exit_code_is_that_of_findings(tmp_path):
    root = lay_out(tmp_path / "tree", {"settings.py": DICT})

    run = scan("bandit", root, tmp_path / "run", args=["-o", "/dev/full"])

    assert run.code == 3
    assert run.reason == "'bandit.json' is empty"


def test_missing_path_makes_the_scan_incomplete(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": b"x = 1\n"})

    run = scan("bandit", root, tmp_path / "run", args=["nowhere"])

    assert run.lost("nowhere")


def told_of(report):
    """Say whether a report, or what is left of one, is taken for no clean scan."""
    try:
        items = list(Bandit().convert(outputs(REPORT, report)))
    except ConversionError:
        return True
    return any(isinstance(item, Notification) and item.level == "error" for item in items)


def test_too_little_memory_is_no_clean_scan(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": b"x = [\n" + b"    1,\n" * 200_000 + b"]\n"})
    report = tmp_path / "report.json"
    limit = 100 << 20

    subprocess.run(
        [tool("bandit"), "-q", "-r", "-f", "json", "-o", str(report), "."],
        cwd=root,
        check=False,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )

    assert told_of(report)


def test_files_that_may_not_be_read_are_told(forbidden):
    assert forbidden.found("a.py") == {"B102"}
    assert forbidden.verdict["snapshot"]["left_out"] == 2
    assert "file.py (unreadable)" in forbidden.said
    assert "folder/ (unreadable)" in forbidden.said
