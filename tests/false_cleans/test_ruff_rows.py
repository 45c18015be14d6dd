import pytest
from real_tools import lay_out, scan

BAD = b"exec(input())\n"
BROKEN = {
    "ruff-6-03": ("latin.py", b"x = '\xe9'\n"),
    "ruff-6-04": ("utf16.py", "x = 1\n".encode("utf-16")),
    "ruff-6-05": ("syntax.py", b"def f(:\n"),
}
UNSEEN = ("tool", "UPPER.PY")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    root = folder / "tree"
    places = ("node_modules/a.py", ".venv/a.py", "build/a.py", "per_file.py", "w.pyw", "ignored.py")
    tree = dict(BROKEN.values()) | dict.fromkeys(places, BAD)
    tree |= {
        "pyproject.toml": b'[tool.ruff]\nexclude = ["*.py"]\nlint.ignore = ["S"]\n',
        "ruff.toml": b'[lint]\nignore = ["S102"]\nper-file-ignores = {"*.py" = ["S"]}\n',
        "build/.ruff.toml": b'exclude = ["*"]\n',
        ".ignore": b"ignored.py\n",
        "hushed.py": b"# ruff: noqa\nexec(input())  # noqa: S102\n",
        "tool": b"#!/usr/bin/python3\n" + BAD,
        "UPPER.PY": BAD,
    }
    lay_out(root, tree)
    (root / "link.py").symlink_to("hushed.py")
    return scan("ruff", root, folder / "run")


@pytest.mark.parametrize("row", BROKEN)
def test_file_that_can_not_be_read_makes_the_scan_incomplete(odd, row):
    assert odd.lost(BROKEN[row][0])


def test_missing_path_makes_the_scan_incomplete(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": b"x = 1\n"})

    run = scan("ruff", root, tmp_path / "run", args=["nowhere"])

    assert run.code == 3
    assert "a file was not scanned" in run.reason


def test_scan_of_nothing_is_incomplete(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": BAD})

    run = scan("ruff", root, tmp_path / "run", args=["--exclude=*"])

    assert run.code == 3
    assert "canary" in run.reason


def test_name_with_a_line_break_vouches_for_no_other_file(tmp_path):
    forging = "x\n[2026-01-01][00:00:00][ruff::diagnostics][DEBUG] Checking: /src/latin.py"
    tree = {"latin.py": b"x = '\xe9'\n", forging: BAD, "a.py": BAD}

    run = scan("ruff", lay_out(tmp_path / "tree", tree), tmp_path / "run")

    assert run.found("a.py") == {"S102"}
    assert {"latin.py", forging} <= set(run.scanner["evidence"]["missing"])


def test_settings_of_the_tree_switch_nothing_off(odd):
    assert odd.found("per_file.py") == odd.found("build/a.py") == {"S102"}


def test_noqa_hides_nothing_from_the_gate(odd):
    assert odd.found("hushed.py") == {"S102"}


def test_folders_and_files_excluded_by_default_are_scanned(odd):
    places = ("node_modules/a.py", ".venv/a.py", "ignored.py", "w.pyw")

    assert [odd.found(path) for path in places] == [{"S102"}] * 4


def test_python_that_ruff_does_not_know_by_its_name_is_told(odd):
    (told,) = [text for _, text in odd.notices if text.startswith("not scanned, for their names")]

    assert all(path in told for path in UNSEEN)


def test_file_that_may_not_be_read_is_told(tmp_path):
    root = lay_out(tmp_path / "tree", {"a.py": BAD, "secret.py": BAD})
    (root / "secret.py").chmod(0)

    run = scan("ruff", root, tmp_path / "run", plain=True)

    assert run.found("a.py") == {"S102"}
    assert "secret.py" in run.said
