"""Jars of sources and documentation: of those without a class Dependency-Check reports nothing.

Such a jar is looked into here before it counts as read. By its name alone any jar could be one.
"""

import os
import struct
import zipfile
from collections.abc import Iterator
from io import FileIO

from scanrun.api import Snapshot

_ENDS = ("-sources.jar", "-javadoc.jar", "-src.jar", "-doc.jar")
_CODE = (".class", ".jar", ".war", ".ear", ".aar", ".zip")
_LARGEST = 4 << 20
"""Of the list of what an archive holds: longer ones would take memory without end."""
_BROKEN = (OSError, ValueError, ArithmeticError, RuntimeError, zipfile.BadZipFile, struct.error)


class _Bounded(FileIO):
    """A file that is not read in large pieces, whatever an archive says of its parts."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = _LARGEST + 1 if size is None or size < 0 else size
        if wanted > _LARGEST + 1:
            raise ValueError("a list longer than any")
        found = super().read(wanted) or b""
        if len(found) > _LARGEST:
            raise ValueError("a list longer than any")
        return found


def codeless_jars(snapshot: Snapshot) -> Iterator[str]:
    """Yield the jars that are named as those of sources, and hold nothing that could be code."""
    for file in snapshot.match("*"):
        if file.name.lower().endswith(_ENDS) and _is_codeless(snapshot.root / file.path):
            yield file.path


def _is_codeless(path: os.PathLike[str]) -> bool:
    """Say whether it is a whole archive without code; what can't be read is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with _Bounded(descriptor) as stream, zipfile.ZipFile(stream) as archive:
            return not any(name.lower().endswith(_CODE) for name in archive.namelist())
    except _BROKEN:
        return False
