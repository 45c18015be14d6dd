"""What the lines of a scanned file are, read from the tree itself."""

import os
import stat
from functools import lru_cache
from pathlib import Path

from scanrun.model import Snapshot

_MAX_FILE = 4 << 20
_FILES_KEPT = 8


class SourceLines:
    """Gives lines of the snapshot's files. Of any other file, and of one too large, there are none.

    A few files are kept: the results of one file mostly come one after the other.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._root = snapshot.root
        self._known = frozenset(file.path for file in snapshot.files)
        self._lines = lru_cache(_FILES_KEPT)(self._read)

    def of(self, path: str) -> list[bytes]:
        """Return all lines of the file, without their ends."""
        return self._lines(path) if path in self._known else []

    def _read(self, path: str) -> list[bytes]:
        return read_regular(self._root / path).splitlines()


def read_regular(path: Path, limit: int = _MAX_FILE) -> bytes:
    """Return the content of a regular file; nothing for a link, a device or a file too large.

    The tree is a stranger's and may change under us.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return b""
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read(limit)
    except OSError:
        return b""
    finally:
        os.close(handle)
