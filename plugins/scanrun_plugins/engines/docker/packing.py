"""How do files travel to an engine? As a tar stream, made while it is sent.

GNU's format writes a name's bytes as they are, so names that are no UTF-8 arrive unchanged.
Memory stays flat however much is sent.
"""

import os
import stat
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from scanrun.api import Readable, Snapshot, StepError, as_scanned
from scanrun_plugins.engines.docker.once import check_cancelled

UID = 1000
"""Whom scanners run as, and to whom the files belong that they are given."""
_CHUNK = 1 << 18
_MTIME = 1_000_000_000
"""The same for all: no answer depends on it, and the same tree gives the same stream."""
_END = bytes(2 * tarfile.BLOCKSIZE)


class Packer:
    """Makes the pieces of one stream. Folders come before what lies in them, each once.

    `base` is the folder that all of it lies in. It is made, and given to the scanner's user, or to
    whom `uid` names.
    """

    def __init__(self, base: str, uid: int = UID) -> None:
        self._base = base
        self._uid = uid
        self.notes: list[str] = []
        """What could not be sent as it was."""
        self._folders: set[str] = set()

    def folder(self, path: str, mode: int = 0o755) -> Iterator[bytes]:
        """Yield a folder; an empty path is the base itself."""
        if path not in self._folders:
            self._folders.add(path)
            yield self._header(path, 0, mode, tarfile.DIRTYPE)

    def content(self, path: str, content: bytes, mode: int = 0o644) -> Iterator[bytes]:
        """Yield a file made of bytes."""
        yield from self._parents(path)
        yield self._header(path, len(content), mode, tarfile.REGTYPE)
        yield content
        yield _padding(len(content))

    def link(self, path: str, target: str) -> Iterator[bytes]:
        """Yield a symbolic link."""
        yield from self._parents(path)
        yield self._header(path, 0, 0o777, tarfile.SYMTYPE, target)

    def host_file(
        self,
        path: str,
        root: Path,
        name: str,
        mode: int,
        reads_as: Callable[[Readable], Readable] = lambda stream: stream,
        *,
        exact: bool = False,
    ) -> Iterator[bytes]:
        """Yield the file `name` below `root`, reading no link anywhere on the way.

        `reads_as` gives as many bytes as the file has. Of its mode, only what runs is kept, unless
        it is to be `exact`.

        The size is the one it has when it is opened. A file that is gone, or is now something
        else, is left out and noted.
        """
        stream = open_below(root, name)
        if stream is None:
            self.notes.append(f"{name!r} vanished, or became something else, before it was copied")
            return
        with stream:
            size = os.fstat(stream.fileno()).st_size
            yield from self._parents(path)
            plain = 0o755 if mode & 0o111 else 0o644
            yield self._header(path, size, mode & 0o7777 if exact else plain, tarfile.REGTYPE)
            yield from self._exactly(reads_as(stream), size, name)
        yield _padding(size)

    def _parents(self, path: str) -> Iterator[bytes]:
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            yield from self.folder(str(parent))

    def _header(self, path: str, size: int, mode: int, kind: bytes, target: str = "") -> bytes:
        info = tarfile.TarInfo(f"{self._base}/{path}".rstrip("/"))
        info.linkname = target
        info.size, info.mode, info.type, info.mtime = size, mode, kind, _MTIME
        info.uid = info.gid = self._uid
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")

    def _exactly(self, stream: Readable, size: int, name: str) -> Iterator[bytes]:
        left = size
        while left and (chunk := stream.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk
        if left or stream.read(1):
            self.notes.append(f"{name!r} changed while it was copied")
        while left:
            zeros = bytes(min(left, _CHUNK))
            left -= len(zeros)
            yield zeros


def snapshot_stream(
    packer: Packer, snapshot: Snapshot, extra: Mapping[str, bytes]
) -> Iterator[bytes]:
    """Yield the snapshot's files, then `extra`."""
    for file in snapshot.files:
        reads_as = partial(as_scanned, snapshot, file)
        yield from packer.host_file(file.path, snapshot.root, file.path, file.mode, reads_as)
    for path in sorted(extra):
        yield from packer.content(path, extra[path])


def folder_stream(packer: Packer, root: Path) -> Iterator[bytes]:
    """Yield all regular files of a folder of ours (a database)."""
    for name in files_below(root):
        yield from packer.host_file(name, root, name, 0o644)


def files_below(root: Path) -> Iterator[str]:
    """Yield the relative names of all files, sorted, following no link."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118 - 20,000 times


def stream(pieces: Iterable[bytes], cancel: threading.Event) -> Iterator[bytes]:
    """Yield the pieces in large chunks, then the archive's end; stop when asked to."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) >= _CHUNK:
            check_cancelled(cancel)
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer) + _END


def open_below(root: Path, name: str) -> BinaryIO | None:
    """Open a regular file by its path below `root`; None if it is gone or is something else.

    Each part of the path is opened by itself: a folder that became a link since the tree was
    walked must not lead out of it.
    """
    *folders, last = name.split("/")
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        # not blocking: it may have become a pipe that nobody writes to
        found = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except PermissionError as error:
        raise StepError(
            f"{name!r} can't be read, so it can't be scanned",
            hint="make it readable, or exclude it",
        ) from error
    except OSError:
        return None
    finally:
        os.close(at)
    if stat.S_ISREG(os.fstat(found).st_mode):
        return os.fdopen(found, "rb")
    with suppress(OSError):
        os.close(found)
    return None


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
