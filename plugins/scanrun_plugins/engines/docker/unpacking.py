"""What of an archive that came out of a scanner's container may be written here?

The archive is hostile. Nothing but the declared path, and regular files and folders below it,
is taken; anything else makes the answer unusable.
"""

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from scanrun.api import StepError
from scanrun_plugins.engines.docker.failures import plain

_MIB = 1 << 20
_MAX_ENTRIES = 200_000
_CHUNK = 1 << 18


class Budget:
    """What all outputs of a step may come to together."""

    def __init__(self, megabytes: int) -> None:
        self.megabytes = megabytes
        self._left = megabytes * _MIB
        self._entries = _MAX_ENTRIES

    def take(self, size: int, what: str) -> None:
        """Count bytes; raise when there are too many."""
        self._left -= size
        if self._left < 0:
            raise StepError(
                f"{what} makes the outputs larger than {self.megabytes} MB",
                hint="exclude what makes them so large",
            )

    def entry(self, what: str) -> None:
        """Count one file or folder."""
        self._entries -= 1
        if self._entries < 0:
            raise StepError(f"{what} holds more than {_MAX_ENTRIES} files")


def unpack(chunks: Iterable[bytes], output: str, target: Path, budget: Budget) -> None:
    """Write the archive of `output` (a path that ends in `/` is a folder) as `target`.

    Raises:
        StepError: the archive is empty, too large, or holds what it may not.
    """
    is_folder = output.endswith("/")
    base = PurePosixPath(output).name
    reader = _Reader(chunks, output, budget)
    seen = False
    try:
        # a stream is only read, so the rest of a file is not needed
        with tarfile.open(
            fileobj=cast("IO[bytes]", reader), mode="r|", bufsize=_CHUNK, errors="surrogateescape"
        ) as archive:
            for member in archive:
                place = _place(member, base, output)
                budget.entry(output)
                if not seen and member.isdir() != is_folder:
                    raise StepError(
                        f"{output!r} is not the {_kind(is_folder=is_folder)} it is to be"
                    )
                seen = True
                _write(archive, member, target.joinpath(*place), budget, output)
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        raise StepError(f"the archive of {output!r} is broken: {plain(str(error))}") from error
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        raise StepError(f"the archive of {output!r} contradicts itself") from error
    except OSError as error:
        raise StepError(f"{output!r} can't be written on this host: {error.strerror}") from error
    if not seen:
        raise StepError(f"the archive of {output!r} is empty")


def _kind(*, is_folder: bool) -> str:
    return "folder" if is_folder else "file"


def _place(member: tarfile.TarInfo, base: str, output: str) -> tuple[str, ...]:
    """Return the member's path below the output; refuse what lies elsewhere or is no file."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or path.parts[:1] != (base,):
        raise StepError(f"the archive of {output!r} holds a path outside of it: {member.name!r}")
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        raise StepError(f"{member.name!r} in {output!r} is neither a regular file nor a folder")
    return path.parts[1:]


def _write(
    archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, budget: Budget, output: str
) -> None:
    if member.isdir():
        target.mkdir(mode=0o700)
        return
    budget.take(member.size, output)
    source = archive.extractfile(member)
    if source is None:
        raise StepError(f"{member.name!r} in {output!r} has no content")
    with target.open("xb") as sink:
        target.chmod(0o600)
        try:
            written = _copy(source, sink)
        except OSError:
            # of no use, and what is left of the run needs the room
            sink.truncate(0)
            raise
    if written != member.size:
        raise StepError(f"{member.name!r} in {output!r} was cut off")


def _copy(source: IO[bytes], sink: IO[bytes]) -> int:
    written = 0
    while chunk := source.read(_CHUNK):
        written += sink.write(chunk)
    return written


class _Reader:
    """The chunks as a file, with an end however long the archive's headers claim to be."""

    def __init__(self, chunks: Iterable[bytes], output: str, budget: Budget) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._output = output
        # headers and padding: three blocks an entry at the most
        self._left = budget.megabytes * _MIB + _MAX_ENTRIES * 3 * tarfile.BLOCKSIZE
        self._chunk = memoryview(b"")

    def read(self, size: int) -> bytes:
        parts = []
        while size and (self._chunk or self._next()):
            parts.append(bytes(self._chunk[:size]))
            self._chunk = self._chunk[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def _next(self) -> bool:
        self._chunk = memoryview(next(self._chunks, b""))
        self._left -= len(self._chunk)
        if self._left < 0:
            raise StepError(f"the archive of {self._output!r} is larger than it may be")
        return bool(self._chunk)
