"""What reads otherwise in the scanned copy: the same length, on every block's border."""

import io

import pytest

from scanrun.api import Rewrite, Snapshot, SnapshotFile, as_scanned

REWRITE = Rewrite(("*.tf", "conf/*"), b":ignore:", b"-ignore-")
OTHER = Rewrite(("*.tf",), b"tool!", b"tool?")


class Dribble(io.BytesIO):
    """Gives fewer bytes than it is asked for, as a pipe may."""

    def read(self, size=-1):
        return super().read(min(size, 3) if size > 0 else size)


def rewritten(snapshot, path, data, *, step=1 << 20, stream=io.BytesIO):
    content = as_scanned(snapshot, SnapshotFile(path, len(data)), stream(data))
    parts = []
    while part := content.read(step):
        assert len(part) <= step
        parts.append(part)
    return b"".join(parts)


@pytest.fixture
def snapshot(tmp_path):
    return Snapshot(root=tmp_path, rewrites=(REWRITE, OTHER))


def test_what_is_due_is_replaced_and_nothing_moves(snapshot):
    data = b"#trivy:ignore:X\ntool! a:ignore:b:ignore:c\n"

    found = rewritten(snapshot, "a/main.tf", data)

    assert found == b"#trivy-ignore-X\ntool? a-ignore-b-ignore-c\n"
    assert len(found) == len(data)


@pytest.mark.parametrize(
    ("path", "due"),
    [("main.tf", True), ("conf/x", True), ("main.tf.bak", False), ("other/x", False)],
)
def test_only_the_files_that_are_named_are_touched(snapshot, path, due):
    data = b"x:ignore:y"

    assert (rewritten(snapshot, path, data) != data) is due


@pytest.mark.parametrize("before", range(-9, 3))
def test_a_match_over_the_border_of_two_blocks_is_found(snapshot, before):
    data = b"." * ((1 << 18) + before) + b":ignore:" + b"." * 100

    assert rewritten(snapshot, "a.tf", data) == data.replace(b":ignore:", b"-ignore-")


@pytest.mark.parametrize("step", [1, 2, 7, 8, 9, 4096])
def test_every_size_of_read_gives_the_same(snapshot, step):
    data = b":ignore::ignore:ignore:" * 20 + b":ignor"

    found = rewritten(snapshot, "a.tf", data, step=step, stream=Dribble)

    assert found == data.replace(b":ignore:", b"-ignore-")


@pytest.mark.parametrize("data", [b"", b":", b":ignore", b":ignore:"])
def test_short_files_keep_their_length(snapshot, data):
    assert len(rewritten(snapshot, "a.tf", data)) == len(data)


def test_a_file_that_is_not_named_is_not_even_wrapped(snapshot):
    stream = io.BytesIO(b"x")

    assert as_scanned(snapshot, SnapshotFile("a.png", 1), stream) is stream


@pytest.mark.parametrize(("old", "new"), [(b"ab", b"a"), (b"", b""), (b"a", b"ab")])
def test_another_length_is_refused(old, new):
    with pytest.raises(ValueError, match="not as long as"):
        Rewrite(("*",), old, new)
