"""What an exclusion means."""

import pytest

from scanrun.errors import ConfigError
from scanrun.globs import Exclusion


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("x.py", "x.py"),
        ("x.py", "a/b/x.py"),
        ("vendor", "vendor/a.py"),
        ("vendor/", "a/vendor/b/c.py"),
        ("*.min.js", "static/app.min.js"),
        ("/build", "build/a.py"),
        ("./build", "build"),
        ("docs/*.md", "docs/a.md"),
        ("docs/**/a.md", "docs/a.md"),
        ("docs/**/a.md", "docs/x/y/a.md"),
        ("**/x", "a/b/x"),
        ("**/x", "x"),
        ("a/**", "a/b/c"),
        ("**", "a"),
        ("[ab].py", "b.py"),
        ("a?", "a\n"),
        ("*.py", "\udcff.py"),
        ("a/b/", "a/b/c"),
    ],
)
def test_a_pattern_covers(pattern, path):
    assert Exclusion([pattern]).covers(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("x.py", "x.pyc"),
        ("X.py", "x.py"),
        ("vendor/", "vendor"),
        ("vendor/", "a/vendor"),
        ("/build", "a/build"),
        ("docs/*.md", "docs/a/b.md"),
        ("docs/*.md", "a/docs/b.md"),
        ("a/**", "a"),
        ("a/**/", "a/b"),
        ("*", ""),
        ("a/b", "a"),
    ],
)
def test_a_pattern_does_not_cover(pattern, path):
    assert not (path and Exclusion([pattern]).covers(path))


def test_nothing_excluded_covers_nothing():
    assert not Exclusion([]).covers("a/b")


@pytest.mark.parametrize("pattern", ["", "/", "!keep.py", "../up", "a/../b", "."])
def test_a_pattern_without_a_clear_meaning_is_refused(pattern):
    with pytest.raises(ConfigError, match="can't be used"):
        Exclusion([pattern])


def test_no_pattern_takes_for_ever():
    stars = "*a" * 60 + "b"
    folders = "**/a/" * 40 + "b"

    assert not Exclusion([stars, folders]).covers("/".join(["a" * 200] * 3 + ["a"] * 400))
