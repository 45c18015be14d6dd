"""`scanrun.lock`: what it says, and what it may not say."""

import os

import pytest

from scanrun.errors import ConfigError, OutputError
from scanrun.lockfile import LOCK_NAME, read_lock, render_lock, write_lock

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def test_what_is_written_is_read(tmp_path):
    digests = {"ghcr.io/a/b:1": ONE, "aquasec/trivy:0.60.0": TWO, 'odd"\\name': ONE}

    path = write_lock(tmp_path, digests)

    assert path == tmp_path / LOCK_NAME
    assert read_lock(tmp_path) == digests


def test_no_file_locks_nothing(tmp_path):
    assert read_lock(tmp_path) == {}


def test_the_file_is_sorted_and_explains_itself():
    text = render_lock({"b:1": ONE, "a:1": TWO})

    assert text.startswith("# Which image")
    assert text.endswith(f'[images]\n"a:1" = "{TWO}"\n"b:1" = "{ONE}"\n')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 1",
        "[images]",
        "version = 2\n[images]",
        "version = true\n[images]",
        "version = 1\nimages = 1",
        "version = 1\nother = 1\n[images]",
        "version = 1\n[images]\na = 1",
        'version = 1\n[images]\na = "latest"',
        f'version = 1\n[images]\na = "{ONE}x"',
        f'version = 1\n[images]\na = "{ONE}\\n"',
        f'version = 1\n[images]\n"a b" = "{ONE}"',
        f'version = 1\n[images]\n"" = "{ONE}"',
        f'version = 1\n[images]\n"a" = "{ONE}"\n"a" = "{TWO}"',
        "\ufeffnonsense",
    ],
)
def test_a_lock_file_that_is_not_understood_is_an_error(tmp_path, text):
    (tmp_path / LOCK_NAME).write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"scanrun\.lock"):
        read_lock(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "dangling link", "pipe", "bytes"])
def test_what_is_no_readable_file_is_an_error_not_an_empty_lock(tmp_path, kind):
    path = tmp_path / LOCK_NAME
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match=r"scanrun\.lock"):
        read_lock(tmp_path)


@pytest.mark.parametrize("digests", [{"a": "latest"}, {"caf\u00e9": ONE}, {"a\n": ONE}])
def test_what_could_not_be_read_again_is_not_written(tmp_path, digests):
    with pytest.raises(ConfigError):
        write_lock(tmp_path, digests)

    assert not (tmp_path / LOCK_NAME).exists()


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OutputError):
        write_lock(tmp_path / "none", {"a": ONE})
