"""What is scanned without git, and by which rule the rest is left out."""

import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from scanrun.errors import UsageError
from scanrun.model import LeftOut, Snapshot, Tell
from scanrun.output import opened
from scanrun.snapshot import take_snapshot
from scanrun.walk import MAX_FILE_SIZE, walk


def take(path, **more):
    return take_snapshot(path, environment=os.environ, **more)


def paths(snapshot):
    return [file.path for file in snapshot.files]


def rules(snapshot):
    return {each.path: each.rule for each in snapshot.left_out}


def plant(root, *names):
    for name in names:
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x = 1\n")


def run_into(folder):
    with opened(folder, {}):
        pass


@contextlib.contextmanager
def ordinary_user():
    """Root may read everything; be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that an ordinary user reaches, unlike pytest's own when root runs the tests."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_without_git_every_file_is_taken(tmp_path):
    plant(tmp_path, "app.py", "node_modules/x/index.js", "dev/null.py", ".env", ".gitignore")

    snapshot = take(tmp_path)

    assert paths(snapshot) == [
        ".env",
        ".gitignore",
        "app.py",
        "dev/null.py",
        "node_modules/x/index.js",
    ]
    assert (snapshot.commit, snapshot.dirty, snapshot.left_out) == (None, None, ())


def test_an_empty_folder_has_no_files(tmp_path):
    assert take(tmp_path).files == ()


def test_size_and_mode_are_the_files_own(tmp_path):
    plant(tmp_path, "run.sh")
    (tmp_path / "run.sh").chmod(0o750)

    (file,) = take(tmp_path).files

    assert (file.size, file.mode) == (6, 0o750)


def test_the_order_is_that_of_the_bytes(tmp_path):
    for name in (b"\xff", "\U00010000".encode(), b"a/b", b"a.b", b"Z"):
        plant(tmp_path, os.fsdecode(name))

    found = [os.fsencode(path) for path in paths(take(tmp_path))]

    assert found == [b"Z", b"a.b", b"a/b", "\U00010000".encode(), b"\xff"]


def test_git_s_own_folder_and_file_are_never_taken(tmp_path):
    plant(tmp_path, "app.py", "nested/.git/config", "module/.git")

    snapshot = take(tmp_path)

    assert paths(snapshot) == ["app.py"]
    assert rules(snapshot) == {"nested/.git/": "git's own data", "module/.git": "git's own data"}


@pytest.mark.parametrize("named", ["build/out", "./build/out/", "ABSOLUTE"])
def test_the_output_folder_is_never_taken_wherever_it_lies(tmp_path, named):
    plant(tmp_path, "app.py", "build/out/results.sarif", "build/main.py")
    run_into(tmp_path / ".scanrun")
    output = str(tmp_path / "build/out") if named == "ABSOLUTE" else named

    snapshot = take(tmp_path, output_dir=output)

    assert paths(snapshot) == ["app.py", "build/main.py"]
    assert set(rules(snapshot).values()) == {"scanrun's own output"}


def test_an_output_folder_outside_changes_nothing(tmp_path):
    plant(tmp_path, "tree/app.py")

    assert paths(take(tmp_path / "tree", output_dir="../elsewhere")) == ["app.py"]


def test_a_folder_with_the_name_of_our_output_and_without_our_mark_is_scanned(tmp_path):
    plant(tmp_path, "h/src/.scanrun/evil.py")
    run_into(tmp_path / "old/.scanrun")

    snapshot = take(tmp_path)

    assert paths(snapshot) == ["h/src/.scanrun/evil.py"]
    assert snapshot.notes == ("'old/.scanrun/' holds the files of an earlier run: not scanned",)


def test_files_that_would_pass_for_canaries_are_left_out_and_make_the_run_incomplete(tmp_path):
    plant(tmp_path, "app.py", ".scanrun-canary/bandit/evil.py", "a/x.scanrun-canary.tf")

    snapshot = take(tmp_path)

    assert paths(snapshot) == ["app.py"]
    assert snapshot.unread == (
        "'.scanrun-canary/' (reserved for scanrun)",
        "'a/x.scanrun-canary.tf' (reserved for scanrun)",
    )
    assert not take(tmp_path, exclude=["*.scanrun-canary*"]).unread


@pytest.mark.parametrize(
    ("rule", "owed"),
    [
        ("unreadable", True),
        ("vanished", True),
        ("path too long", True),
        ("submodule not checked out", True),
        ("tracked in scanrun's own folder", True),
        ("exclude", False),
        ("git ignore", False),
        ("link", False),
        ("not a regular file", False),
        ("over 1 GiB", False),
    ],
)
def test_what_nobody_chose_to_leave_out_is_owed(tmp_path, rule, owed):
    snapshot = Snapshot(root=tmp_path, left_out=(LeftOut("a/b", rule),))

    assert snapshot.unread == ((f"'a/b' ({rule})",) if owed else ())


def test_an_exclusion_that_matches_nothing_is_told(tmp_path):
    plant(tmp_path, "app.py", "vendor/x.py")

    snapshot = take(tmp_path, exclude=["nope/", "vendor/", "vendor"])

    assert snapshot.notes == ("exclusion 'nope/' matched nothing in the tree",)


def test_links_are_not_followed_and_told(tmp_path):
    plant(tmp_path, "real/app.py")
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "dangling").symlink_to("nowhere")

    snapshot = take(tmp_path)

    assert paths(snapshot) == ["real/app.py"]
    assert rules(snapshot) == dict.fromkeys(
        ["dangling", "loop", "out", "passwd", "real/up"], "link"
    )


def test_pipes_and_sockets_are_told_and_nothing_hangs(tmp_path, monkeypatch):
    plant(tmp_path, "app.py")
    os.mkfifo(tmp_path / "pipe.py")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")

        snapshot = take(tmp_path)

    assert paths(snapshot) == ["app.py"]
    assert rules(snapshot) == {"pipe.py": "not a regular file", "s": "not a regular file"}


@pytest.mark.parametrize(("size", "taken"), [(MAX_FILE_SIZE, True), (1 << 40, False)])
def test_a_file_over_one_gib_is_left_out(tmp_path, size, taken):
    with (tmp_path / "disk.img").open("wb") as file:
        file.truncate(size)

    snapshot = take(tmp_path)

    assert bool(snapshot.files) is taken
    assert rules(snapshot) == ({} if taken else {"disk.img": "over 1 GiB"})


def test_what_can_not_be_read_is_told(open_folder):
    plant(open_folder, "app.py", "secret.py", "closed/a.py", "blind/b.py")
    (open_folder / "secret.py").chmod(0)
    (open_folder / "closed").chmod(0)
    (open_folder / "blind").chmod(0o444)

    with ordinary_user():
        snapshot = take(open_folder)

    (open_folder / "closed").chmod(0o755)
    (open_folder / "blind").chmod(0o755)
    assert paths(snapshot) == ["app.py"]
    assert rules(snapshot) == dict.fromkeys(["blind/b.py", "closed/", "secret.py"], "unreadable")


def test_a_root_that_can_not_be_read_is_an_error(open_folder):
    closed = open_folder / "closed"
    closed.mkdir(mode=0)

    with ordinary_user(), pytest.raises(UsageError, match="can't be read"):
        take(closed)


@pytest.mark.parametrize(
    "name",
    [b"new\nline.py", b"\x1b[31mred.py", b"\xff\xfe.py", b"n" * 255, b"-rf", b" ", b"a\\b", b"*"],
)
def test_a_strange_name_comes_back_byte_for_byte(tmp_path, name):
    plant(tmp_path, os.fsdecode(name))

    (path,) = paths(take(tmp_path))

    assert os.fsencode(path) == name


def test_four_hundred_levels_are_walked(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 400)
    deep.mkdir(parents=True)
    (deep / "app.py").touch()

    assert paths(take(tmp_path)) == ["d/" * 400 + "app.py"]


def test_a_path_longer_than_the_system_takes_is_told(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("n" * 255, dir_fd=here)
        below = os.open("n" * 255, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)

    (left,) = take(tmp_path).left_out

    assert left.rule == "path too long"
    assert left.path.endswith("/")


def test_a_single_file_is_the_whole_snapshot(tmp_path):
    plant(tmp_path, "app.py", "other.py")

    snapshot = take(tmp_path / "app.py", exclude=["*.py"])

    assert (snapshot.root, paths(snapshot)) == (tmp_path, ["app.py"])


def test_a_link_named_on_the_command_line_is_followed(tmp_path):
    plant(tmp_path, "tree/app.py")
    (tmp_path / "link").symlink_to("tree")

    assert take(tmp_path / "link").root == tmp_path / "tree"


@pytest.mark.parametrize("name", ["missing", "loop", "pipe", "nul\0"])
def test_a_path_that_is_no_file_or_folder_is_an_error(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UsageError, match="file"):
        take(tmp_path / name)


def test_a_file_that_would_change_a_scan_is_set_apart_and_told(tmp_path):
    plant(tmp_path, "app.py", ".trivyignore", "sub/.trivyignore", "conf/bandit.yaml")
    tells = {
        "bandit": {"conf/*.yaml": "drops findings"},
        "trivy": {".trivyignore": "hides findings", ".trivy*": "never reached"},
        "other": {".trivyignore": ""},
    }

    snapshot = take(tmp_path, tells=tells)

    assert paths(snapshot) == ["app.py"]
    assert snapshot.tells == (
        Tell(".trivyignore", "other", ""),
        Tell(".trivyignore", "trivy", "hides findings"),
        Tell("conf/bandit.yaml", "bandit", "drops findings"),
        Tell("sub/.trivyignore", "other", ""),
        Tell("sub/.trivyignore", "trivy", "hides findings"),
    )


def test_an_excluded_folder_is_one_entry(tmp_path):
    plant(tmp_path, "app.py", "vendor/a.py", "sub/vendor/b.py", "app.min.js")

    snapshot = take(tmp_path, exclude=["vendor/", "*.min.js"])

    assert paths(snapshot) == ["app.py"]
    assert snapshot.left_out == (
        LeftOut("app.min.js", "exclude"),
        LeftOut("sub/vendor/", "exclude"),
        LeftOut("vendor/", "exclude"),
    )


def test_a_folder_that_vanishes_on_the_way_is_told(tmp_path):
    plant(tmp_path, "gone/a.py")

    def remove_then_answer(path, _):
        shutil.rmtree(tmp_path / path)
        return ""

    assert list(walk(tmp_path, remove_then_answer)) == [LeftOut("gone/", "vanished")]
