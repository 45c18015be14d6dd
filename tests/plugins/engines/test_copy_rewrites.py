"""Both engines copy what is to read otherwise so, and the rest as it is."""

import io
import tarfile
import threading

import pytest

from scanrun.api import Rewrite, Snapshot, SnapshotFile
from scanrun_plugins.engines.docker.packing import Packer, snapshot_stream, stream
from scanrun_plugins.engines.local.tree import ScannedCopy

BORDER = b"#" * ((1 << 18) - 4) + b":ignore:" + b"\n" * 1000
FILES = {
    "main.tf": b"#trivy:ignore:X\n",
    "large.tf": BORDER,
    "run.sh": b"a:ignore:b\n",
    "empty.tf": b"",
}
EXPECTED = {
    "main.tf": b"#trivy-ignore-X\n",
    "large.tf": BORDER.replace(b":ignore:", b"-ignore-"),
    "run.sh": b"a:ignore:b\n",
    "empty.tf": b"",
}


@pytest.fixture
def snapshot(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    for name, content in FILES.items():
        (root / name).write_bytes(content)
    files = tuple(SnapshotFile(name, len(FILES[name])) for name in sorted(FILES))
    return Snapshot(
        root=root, files=files, rewrites=(Rewrite(("*.tf",), b":ignore:", b"-ignore-"),)
    )


def test_the_stream_to_a_container_engine(snapshot):
    packer = Packer("base")
    data = b"".join(stream(snapshot_stream(packer, snapshot, {}), threading.Event()))

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {
            member.name.removeprefix("base/"): archive.extractfile(member).read()
            for member in archive
            if member.isfile()
        }
    assert found == EXPECTED
    assert packer.notes == []


def test_the_copy_on_this_host(snapshot, tmp_path):
    (tmp_path / "scratch").mkdir()
    copy = ScannedCopy(tmp_path / "scratch", snapshot, {})
    try:
        tree = copy.tree()
        assert {name: (tree / name).read_bytes() for name in FILES} == EXPECTED
    finally:
        copy.remove()


def test_the_tree_itself_is_not_touched(snapshot, tmp_path):
    test_the_copy_on_this_host(snapshot, tmp_path)

    assert {name: (snapshot.root / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize("grown", [b"#more\n", b"x:ignore:y\n" * 100])
def test_a_file_that_grows_keeps_the_size_that_was_declared(snapshot, grown):
    packer = Packer("base")
    pieces = snapshot_stream(packer, snapshot, {})
    parts = []
    for part in pieces:
        parts.append(part)
        with (snapshot.root / "large.tf").open("ab") as file:
            file.write(grown)

    with tarfile.open(fileobj=io.BytesIO(b"".join(parts) + bytes(1024))) as archive:
        assert {member.name for member in archive if member.isfile()} == {
            f"base/{name}" for name in FILES
        }
    assert any("changed while it was copied" in each for each in packer.notes)
