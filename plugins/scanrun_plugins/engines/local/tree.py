"""The copy of the scanned tree that every local step of a run reads."""

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from scanrun.api import InterruptedRunError, Snapshot, SnapshotFile, StepError, as_scanned

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAMED = 5
_CHUNK = 1 << 20


class ScannedCopy:
    """The snapshot's files and the canaries, in `snapshot/tree` below a folder of its own.

    Made when it is first asked for, and looked over each time after: a local program can change
    it, and then the next one must not find less without a word.
    """

    def __init__(self, scratch: Path, snapshot: Snapshot, extra: Mapping[str, bytes]) -> None:
        self.snapshot = snapshot
        self._scratch = scratch
        self._extra = extra
        self._lock = threading.Lock()
        self._tree: Path | None = None
        self._stamps: dict[bytes, tuple[int, int]] = {}
        self._vanished: list[str] = []
        self._changed: list[str] = []
        self._removed = False

    @property
    def lost(self) -> tuple[str, ...]:
        """Return what of the snapshot is not in the copy as it was."""
        told = (
            (self._vanished, "vanished before they were copied"),
            (self._changed, "changed while they were copied"),
        )
        return tuple(_note(paths, what) for paths, what in told if paths)

    def tree(self) -> Path:
        """Return the copy's root, complete.

        Raises:
            StepError: a file can't be read, or the copy is not what it was.
            InterruptedRunError: it is removed already.
        """
        with self._lock:
            if self._removed:
                raise InterruptedRunError("interrupted")
            if self._tree is None:
                self._tree = self._make()
            else:
                self._check(self._tree)
            return self._tree

    def remove(self) -> None:
        """Remove the copy; none is made after. Never raises."""
        with self._lock:
            self._removed = True
            if self._tree is None:
                return
            for parent, _, _ in os.walk(self._tree):
                with suppress(OSError):
                    Path(parent).chmod(0o700)
            shutil.rmtree(self._tree.parent.parent, ignore_errors=True)

    def _make(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="copy-", dir=self._scratch))
        tree = folder / "snapshot" / "tree"
        tree.mkdir(parents=True)
        try:
            with _Source(self.snapshot.root) as source:
                for file in self.snapshot.files:
                    self._copy(source, file, tree)
            for path, content in self._extra.items():
                with _create(tree, path, 0o444) as stream:
                    stream.write(content)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise StepError(
                f"the tree can't be copied: {error}", hint="mend it, or exclude the file"
            ) from error
        _forbid_writing(tree)
        # compared later: what is there is all there was, but for what has vanished
        self._stamps = _stamps(tree)
        expected = len(self.snapshot.files) + len(self._extra) - len(self._vanished)
        if len(self._stamps) != expected:
            raise StepError(f"{len(self._stamps)} files arrived in the copy, not {expected}")
        return tree

    def _copy(self, source: "_Source", file: SnapshotFile, tree: Path) -> None:
        try:
            descriptor = source.open(file.path)
        except FileNotFoundError:
            self._vanished.append(file.path)
            return
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{file.path!r} is no regular file any more")
            mode = 0o555 if file.mode & 0o111 else 0o444
            with _create(tree, file.path, mode) as copy:
                self._copy_bytes(stream, copy, file)

    def _copy_bytes(self, stream: IO[bytes], copy: IO[bytes], file: SnapshotFile) -> None:
        """Copy what the file holds when it is opened: one that grows has no end."""
        left = os.fstat(stream.fileno()).st_size
        content = as_scanned(self.snapshot, file, stream)
        while left and (chunk := content.read(min(left, _CHUNK))):
            left -= copy.write(chunk)
        if left or content.read(1):
            self._changed.append(file.path)

    def _check(self, tree: Path) -> None:
        if _stamps(tree) != self._stamps:
            raise StepError("the scanned copy was changed by another scanner's program")


class _Source:
    """Opens files below a root; no part of a path may be a link, not even for a moment."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folder = ("", self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        os.close(self._root)

    def open(self, path: str) -> int:
        """Return a descriptor of the file."""
        folder, _, name = path.rpartition("/")
        if folder != self._folder[0]:
            self._leave()
            if folder:
                self._folder = (folder, self._descend(folder))
        return os.open(os.fsencode(name), _FILE_FLAGS, dir_fd=self._folder[1])

    def _descend(self, folder: str) -> int:
        descriptor = os.dup(self._root)
        for part in folder.split("/"):
            try:
                below = os.open(os.fsencode(part), _FOLDER_FLAGS, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    def _leave(self) -> None:
        if self._folder[1] != self._root:
            os.close(self._folder[1])
        self._folder = ("", self._root)


def _note(paths: list[str], what: str) -> str:
    named = ", ".join(repr(path) for path in paths[:_NAMED])
    more = ", …" if len(paths) > _NAMED else ""
    return f"{len(paths)} files {what}: {named}{more}"


def _create(tree: Path, path: str, mode: int) -> IO[bytes]:
    """Open a new file of the copy. One that is there already is an error: names must not clash."""
    place = tree / path
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise OSError(f"{path!r} leaves the tree")
    place.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(place, flags, mode)
    os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "wb")


def _forbid_writing(tree: Path) -> None:
    for parent, _, _ in os.walk(tree):
        Path(parent).chmod(0o555)


def _stamps(tree: Path) -> dict[bytes, tuple[int, int]]:
    """Return size and time of change of each file."""
    found = {}
    for parent, _, names in os.walk(os.fsencode(tree)):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118 - bytes
            state = os.lstat(path)
            found[path] = (state.st_size, state.st_mtime_ns)
    return found
