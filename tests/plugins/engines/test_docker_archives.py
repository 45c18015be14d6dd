"""What goes into an archive, and what may come out of one. No engine needed."""

import errno
import io
import itertools
import os
import tarfile
import threading

import pytest

from scanrun.api import InterruptedRunError, Snapshot, SnapshotFile, StepError
from scanrun_plugins.engines.docker import unpacking
from scanrun_plugins.engines.docker.packing import Packer, folder_stream, snapshot_stream, stream
from scanrun_plugins.engines.docker.unpacking import Budget, unpack


def members(pieces):
    data = b"".join(stream(pieces, threading.Event()))
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        return [(each, each.isreg() and archive.extractfile(each).read()) for each in archive]


def packed(root, *names, extra=None):
    packer = Packer("src")
    files = tuple(SnapshotFile(name, 1, 0o755) for name in names)
    snapshot = Snapshot(root=root, files=files)
    return packer, {
        each.name: (each, content)
        for each, content in members(snapshot_stream(packer, snapshot, extra or {}))
    }


def test_files_come_after_their_folders_and_belong_to_the_scanner(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "run.sh").write_bytes(b"x" * 700)

    _, found = packed(tmp_path, "a/b/run.sh", extra={"a/canary": b"c"})

    assert list(found) == ["src/a", "src/a/b", "src/a/b/run.sh", "src/a/canary"]
    assert {(each.uid, each.gid) for each, _ in found.values()} == {(1000, 1000)}
    assert [oct(each.mode) for each, _ in found.values()] == ["0o755", "0o755", "0o755", "0o644"]
    assert found["src/a/b/run.sh"][1] == b"x" * 700


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    snapshot = Snapshot(root=tmp_path, files=(SnapshotFile("a", 1),))
    first = b"".join(snapshot_stream(Packer("src"), snapshot, {"z": b"2", "y": b"3"}))
    os.utime(tmp_path / "a", (1, 1))

    again = b"".join(snapshot_stream(Packer("src"), snapshot, {"y": b"3", "z": b"2"}))

    assert again == first


@pytest.mark.parametrize("swap", ["link", "folder-link", "pipe", "gone"])
def test_what_became_something_else_is_left_out_and_noted(tmp_path, swap):
    secret = tmp_path / "outside"
    secret.mkdir()
    (secret / "f").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    if swap == "link":
        (root / "d" / "f").symlink_to(secret / "f")
    elif swap == "folder-link":
        (root / "d").rmdir()
        (root / "d").symlink_to(secret)
    elif swap == "pipe":
        os.mkfifo(root / "d" / "f")

    packer, found = packed(root, "d/f")

    assert found == {}
    assert packer.notes == ["'d/f' vanished, or became something else, before it was copied"]


@pytest.mark.parametrize("now", [b"", b"longer than before"], ids=["shorter", "longer"])
def test_a_file_that_changes_while_it_is_read_keeps_the_archive_whole(tmp_path, now, monkeypatch):
    (tmp_path / "a").write_bytes(b"before")
    (tmp_path / "b").write_bytes(b"next")
    exactly = Packer._exactly

    def changing(self, source, size, name):
        (tmp_path / "a").write_bytes(now)
        return exactly(self, source, size, name)

    monkeypatch.setattr(Packer, "_exactly", changing)

    packer, found = packed(tmp_path, "a", "b")

    assert len(found["src/a"][1]) == 6
    assert found["src/b"][1] == b"next"
    assert packer.notes == ["'a' changed while it was copied"]


def test_a_stream_stops_when_the_run_does(tmp_path):
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(InterruptedRunError):
        list(stream(folder_stream(Packer("db"), tmp_path), cancel))


def archive(*entries):
    """Return the chunks of an archive made of (name, content or type, …)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                tar.addfile(info)
    data = out.getvalue()
    return [data[start : start + 1000] for start in range(0, len(data), 1000)]


FOLDER = (tarfile.DIRTYPE, "")


def test_a_file_and_a_folder_are_written_below_their_place_only_for_us(tmp_path):
    unpack(archive(("r.json", b"{}")), "/out/r.json", tmp_path / "r", Budget(1))
    unpack(archive(("db", FOLDER), ("db/x", b"1")), "/out/db/", tmp_path / "db", Budget(1))

    assert (tmp_path / "r").read_bytes() == b"{}"
    assert (tmp_path / "db" / "x").read_bytes() == b"1"
    assert [oct((tmp_path / each).stat().st_mode & 0o777) for each in ("r", "db", "db/x")] == [
        "0o600",
        "0o700",
        "0o600",
    ]


HOSTILE = {
    "parent": [("out", FOLDER), ("out/../../evil", b"x")],
    "absolute": [("out", FOLDER), ("/evil", b"x")],
    "elsewhere": [("out", FOLDER), ("evil", b"x")],
    "symlink": [("out", FOLDER), ("out/l", (tarfile.SYMTYPE, "/etc"))],
    "hard link": [("out", FOLDER), ("out/l", (tarfile.LNKTYPE, "/etc/passwd"))],
    "device": [("out", FOLDER), ("out/l", (tarfile.CHRTYPE, ""))],
    "pipe": [("out", FOLDER), ("out/l", (tarfile.FIFOTYPE, ""))],
    "twice": [("out", FOLDER), ("out/a", b"1"), ("out/a", b"2")],
    "file as folder": [("out", FOLDER), ("out/a", b"1"), ("out/a/b", b"2")],
    "no folder": [("out/a", b"1")],
    "not a folder": [("out", b"1")],
    "empty": [],
    "too large": [("out", FOLDER), ("out/a", bytes(1 << 20)), ("out/b", b"1")],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(tmp_path, entries):
    place = tmp_path / "in" / "out"
    place.parent.mkdir()

    with pytest.raises(StepError):
        unpack(archive(*entries), "/x/out/", place, Budget(1))

    assert {each.name for each in tmp_path.rglob("*")} <= {"in", "out", "a"}


def test_a_full_disk_here_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unpacking, "_copy", full)

    with pytest.raises(StepError, match="can't be written on this host: No space left"):
        unpack(archive(("r", b"1")), "/out/r", tmp_path / "r", Budget(1))


def test_a_file_may_not_be_sparse(tmp_path):
    header = tarfile.TarInfo("r")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 0
    data = header.tobuf(tarfile.GNU_FORMAT) + bytes(1024)

    with pytest.raises(StepError):
        unpack([data], "/out/r", tmp_path / "r", Budget(1))


@pytest.mark.parametrize("data", [b"", b"nonsense" * 200, b"\0" * 4096])
def test_what_is_no_archive_is_refused(tmp_path, data):
    with pytest.raises(StepError, match=r"'/out/r'"):
        unpack([data], "/out/r", tmp_path / "r", Budget(1))


def test_an_archive_that_was_cut_off_is_refused(tmp_path):
    whole = b"".join(archive(("r", b"x" * 5000)))

    with pytest.raises(StepError, match="broken"):
        unpack([whole[:2000]], "/out/r", tmp_path / "r", Budget(1))


def test_an_archive_of_ever_more_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "_MAX_ENTRIES", 10)

    def endless():
        yield b"".join(archive(("r", FOLDER)))[:512]
        for number in itertools.count():
            yield tarfile.TarInfo(f"r/{number}").tobuf(tarfile.GNU_FORMAT)

    with pytest.raises(StepError, match="more than 10 files"):
        unpack(endless(), "/out/r/", tmp_path / "r", Budget(1))


def test_headers_can_not_be_larger_than_the_outputs_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "_MAX_ENTRIES", 10)
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 1 << 40

    def endless():
        yield name.tobuf(tarfile.GNU_FORMAT)
        while True:
            yield b"n" * (1 << 16)

    with pytest.raises(StepError, match="larger than it may be"):
        unpack(endless(), "/out/r", tmp_path / "r", Budget(1))
