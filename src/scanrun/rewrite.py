"""How bytes of the tree read in the scanned copy, where a scanner would heed what it may not."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from scanrun.globs import NameTest, name_test
from scanrun.model import Rewrite, Snapshot, SnapshotFile

_BLOCK = 1 << 18


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


def as_scanned(snapshot: Snapshot, file: SnapshotFile, stream: Readable) -> Readable:
    """Return `stream`, the content of `file`, as it reads in the scanned copy.

    An engine reads from it whatever it copies. It gives exactly as many bytes as `stream`.
    """
    due = tuple(each for each in snapshot.rewrites if _test(each.files)(file.path))
    return _Rewriting(stream, due) if due else stream


class _Rewriting:
    """Replaces as it is read. What may be the beginning of a match is held back until the next."""

    def __init__(self, stream: Readable, rewrites: tuple[Rewrite, ...]) -> None:
        self._stream = stream
        self._rewrites = rewrites
        self._overlap = max(len(each.old) for each in rewrites) - 1
        self._held = b""
        self._over = False

    def read(self, size: int, /) -> bytes:
        while not self._over and len(self._held) - self._overlap < size:
            block = self._stream.read(_BLOCK)
            self._over = not block
            self._held = _rewrite(self._held + block, self._rewrites)
        ready = len(self._held) if self._over else len(self._held) - self._overlap
        given = self._held[: min(size, ready)]
        self._held = self._held[len(given) :]
        return given


def _rewrite(data: bytes, rewrites: Iterable[Rewrite]) -> bytes:
    for each in rewrites:
        data = data.replace(each.old, each.new)
    return data


@lru_cache
def _test(patterns: tuple[str, ...]) -> NameTest:
    return name_test(patterns)
