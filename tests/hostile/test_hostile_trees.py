"""Trees that a stranger made, through the whole command, on programs of this host."""

import os
import random
import re
import socket
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from odd_trees import NAMES, UNSEEN, make, make_deep

from scanrun.model import Snapshot, SnapshotFile
from scanrun.output import opened
from scanrun_plugins.engines.local.tree import ScannedCopy

SECRET = b"exec('" + b"outside the tree" + b"')\n"


@pytest.fixture(scope="module")
def odd(tmp_path_factory, scanrun, all_below):
    """Scan one tree that has everything in it."""
    parent = tmp_path_factory.mktemp("odd")
    root, outside = parent / "tree", parent / "outside"
    make(outside, b"secret.py", SECRET)
    for name in NAMES:
        make(root, name)
    make_deep(root, "d", 400)
    make_deep(root, "l" * 250, 20)
    (root / "loop").symlink_to(".")
    (root / "ping").symlink_to("pong")
    (root / "pong").symlink_to("ping")
    (root / "out").symlink_to(outside)
    (root / "out.py").symlink_to(outside / "secret.py")
    (root / "root").symlink_to("/")
    os.mkfifo(root / "fifo.py")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket.py"))
    if os.getuid() == 0:
        os.mknod(root / "zero.py", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    with (root / "sparse.py").open("wb") as stream:
        stream.truncate(1 << 40)
    make(root, b".scanrun-canary/bandit/planted.py", SECRET)
    make(root, b"empty/none.py", b"")
    before = all_below(parent)
    done = scanrun(
        "scan",
        "bandit,detect-secrets,ruff",
        "--engine=local",
        "--verbose",
        tree=root,
        environment={"PYTHONIOENCODING": "utf-8:strict"},
    )
    done.before, done.after = before, all_below(parent)
    yield done
    # Python can't remove what no path can name
    subprocess.run(["rm", "-rf", root], check=True)


def test_each_odd_name_comes_back_byte_by_byte(odd):
    found = odd.places("bandit")["B602"]

    assert set(NAMES) <= found
    assert b"/".join([b"d"] * 400) + b"/deep.py" in found


def test_what_a_tool_can_not_name_is_told_and_makes_the_scan_incomplete(odd):
    """Ruff writes names that are no UTF-8 with a mark in their place."""
    assert odd.code == 1
    (ruff,) = (each for each in odd.verdict["scanners"] if each["name"] == "ruff")
    assert ruff["status"] == "failed"
    assert any(name.startswith("caf") for name in ruff["evidence"]["missing"])


def test_all_that_is_left_out_is_told_with_its_reason(odd):
    told = dict(re.findall(r"left out: (.*) \((.*?)\)$", odd.err, re.MULTILINE))

    links = ("loop", "ping", "pong", "out", "out.py", "root")
    assert {told[name] for name in links} == {"link"}
    assert told["fifo.py"] == told["socket.py"] == "not a regular file"
    assert os.getuid() or told["zero.py"] == "not a regular file"
    assert told["sparse.py"] == "over 1 GiB"
    assert told[".scanrun-canary/"] == "reserved for scanrun"
    assert "path too long" in told.values()
    assert odd.verdict["snapshot"]["left_out"] == len(told)


def test_no_link_is_followed(odd):
    paths = {path for places in odd.places("bandit").values() for path in places}

    assert not any(
        path.startswith((b"out", b"loop/", b"root/", b".scanrun-canary")) for path in paths
    )
    assert "B102" not in odd.places("bandit")


def test_terminal_is_played_no_tricks_on(odd):
    assert not UNSEEN.search(odd.told)
    assert not re.search(r"^(?:passed|::)", odd.told, re.MULTILINE)


def test_no_file_of_the_run_can_play_tricks_on_a_terminal(odd):
    for name in ("verdict.json", "results.sarif", "junit.xml"):
        text = (odd.tree / ".scanrun" / name).read_text()
        assert not UNSEEN.search(text), name


def test_nothing_is_written_but_below_the_output_folder(odd, scanrun, all_below):
    own = os.fsencode(odd.tree / ".scanrun")
    mine = (path for path in odd.after if path != own and not path.startswith(own + b"/"))
    after = {path: odd.after[path] for path in mine}
    changed = {path for path in after if after[path] != odd.before.get(path)}

    assert after.keys() == odd.before.keys()
    assert changed <= {os.fsencode(odd.tree)}
    assert all_below(scanrun.home).keys() <= {os.fsencode(scanrun.home / ".cache")}
    assert not list(Path(tempfile.gettempdir()).glob(f"scanrun-{odd.verdict['run_id']}*"))


def test_empty_tree_was_checked_by_nobody(tmp_path, scanrun):
    done = scanrun("all", "--engine=local", tree=tmp_path)

    assert done.code == 3
    assert "no scanner ran" in done.out


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "file"])
def test_output_folder_that_is_something_else_is_refused(tmp_path, scanrun, all_below, kind):
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    make(tree, b"a.py")
    place = tree / ".scanrun"
    if kind in ("link", "dangling"):
        place.symlink_to(outside if kind == "link" else outside / "new")
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.touch()

    done = scanrun("scan", "ruff", "--engine=local", tree=tree)

    assert (done.code, all_below(outside)) == (2, {})
    assert "choose another folder with --output" in done.err


@pytest.mark.parametrize(
    "name", [".gitignore", "lock", "verdict.json", "results.sarif", "junit.xml", "logs", "raw"]
)
def test_no_link_in_a_committed_output_folder_is_written_through(tmp_path, scanrun, name):
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    make(tree, b"a.py")
    with opened(tree / ".scanrun", {}):
        pass  # a folder that bears our mark: another one is refused
    (tree / ".scanrun" / "logs").rmdir()
    make(outside, b"kept", b"mine")
    place = tree / ".scanrun" / name
    place.unlink(missing_ok=True)
    place.symlink_to(outside if name in ("logs", "raw") else outside / "kept")

    done = scanrun("scan", "ruff", "--engine=local", tree=tree)

    assert [each.name for each in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_bytes() == b"mine"
    assert done.code == (2 if name in ("lock", ".gitignore") else 1)


@pytest.mark.parametrize("name", ["scanrun.toml", "pyproject.toml", "scanrun.lock"])
@pytest.mark.parametrize("kind", ["link", "loop", "fifo", "folder"])
def test_configuration_that_is_no_file_of_the_tree_is_refused(tmp_path, scanrun, name, kind):
    outside, tree = tmp_path / "outside.toml", tmp_path / "tree"
    outside.write_text("[gate]\nfail_on = 'never'\n[images]\n")
    make(tree, b"a.py")
    place = tree / name
    if kind in ("link", "loop"):
        place.symlink_to(outside if kind == "link" else place)
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()

    done = scanrun("scan", "ruff", "--engine=local", tree=tree)

    assert done.code == 2, done.told
    assert name in done.err


def test_git_file_that_points_elsewhere_hides_nothing(tmp_path, scanrun):
    make(tmp_path, b"a.py")
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")

    done = scanrun("scan", "ruff", "--engine=local", tree=tmp_path)

    assert done.places("ruff")["S602"] == {b"a.py"}
    assert "every file is scanned" in done.told


def test_what_can_not_be_read_is_left_out_and_told(tmp_path, scanrun):
    make(tmp_path, b"a.py")
    make(tmp_path, b"locked.py")
    make(tmp_path, b"shut/b.py")
    (tmp_path / "locked.py").chmod(0)
    (tmp_path / "shut").chmod(0)
    # root reads all there is, unless it gives that right up
    mortal = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if not os.getuid() else ()

    done = scanrun("scan", "ruff", "--engine=local", "--verbose", tree=tmp_path, through=mortal)

    assert done.code == 1, done.told
    assert done.places("ruff")["S602"] == {b"a.py"}
    assert re.search(r"left out: locked\.py \(unreadable\)", done.err)
    assert re.search(r"left out: shut/ \(unreadable\)", done.err)


def test_tree_that_changes_under_the_scan_never_hangs_it_nor_leads_it_out(tmp_path, scanrun):
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    make(outside, b"f.py", SECRET)
    make(tree, b"still.py")
    for number in range(300):
        make(tree, b"d%d/f.py" % number)
    stop = threading.Event()

    def stir():
        chance = random.Random(7)
        while not stop.wait(0.0005):
            folder, kind = tree / f"d{chance.randrange(300)}", chance.randrange(4)
            (folder / "f.py").unlink(missing_ok=True)
            if kind == 0:
                (folder / "f.py").symlink_to(outside / "f.py")
            elif kind == 1:
                os.mkfifo(folder / "f.py")
            elif kind == 2:
                with (folder / "f.py").open("ab") as stream:
                    stream.write(b"# more\n" * 1000)

    stirring = threading.Thread(target=stir)
    stirring.start()
    try:
        done = scanrun("scan", "bandit,ruff", "--engine=local", tree=tree)
    finally:
        stop.set()
        stirring.join()

    assert done.code in (1, 3), done.told
    assert "B102" not in done.places("bandit")
    assert "Traceback" not in done.told


def test_file_that_grows_while_it_is_copied_has_an_end(tmp_path):
    growing, copy = tmp_path / "growing", tmp_path / "copy"
    growing.write_bytes(b"x" * 10)

    class Growing:
        def __init__(self, stream):
            self.fileno, self._stream = stream.fileno, stream

        def read(self, size):
            with growing.open("ab") as more:
                more.write(b"y" * 100)
            return self._stream.read(size)

    scanned = ScannedCopy(tmp_path, Snapshot(root=tmp_path), {})
    with growing.open("rb", buffering=0) as stream, copy.open("wb") as sink:
        scanned._copy_bytes(Growing(stream), sink, SnapshotFile("growing", 10))

    assert copy.read_bytes() == b"x" * 10
    assert scanned.lost == ("1 files changed while they were copied: 'growing'",)


@pytest.mark.slow_fault
def test_hundred_thousand_files_are_scanned(tmp_path, scanrun):
    for number in range(100_000):
        if number % 1000 == 0:
            folder = tmp_path / str(number)
            folder.mkdir()
        os.close(os.open(folder / str(number), os.O_CREAT))
    make(tmp_path, b"a.py")

    done = scanrun("scan", "ruff", "--engine=local", tree=tmp_path)

    assert done.verdict["snapshot"]["files"] == 100_001
    assert done.places("ruff")["S602"] == {b"a.py"}
    # Python takes ten times as long
    subprocess.run(["rm", "-rf", tmp_path], check=True)
