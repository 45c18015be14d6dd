"""The databases Trivy must have, how they are fetched, and how old they say they are."""

import struct
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from scanrun.api import ConversionError, Database, Edition, Limits, Role, Step, read_json
from scanrun_plugins.scanners.trivy.command import (
    DATABASE_FOLDER,
    EXECUTABLE,
    IMAGE,
    JAVA_FOLDER,
    OWN_FILES,
    download_arguments,
    environment,
)

VULNERABILITIES = "trivy-db-2"
JAVA = "trivy-java-db-1"
_SMALLEST = 4096
"""Bytes that both formats have at the least; a bolt page has no fewer."""
_BOLT = (16, b"\xed\xda\x0c\xed")
_SQLITE = (0, b"SQLite format 3\0")
"""Where the mark of the file format stands, and the mark."""
_MAGIC = 0xED0CDAED
_META = struct.Struct("<IIIIQQQQQ")
"""Mark, format, size of a page, flags, three page numbers, number of pages, number of writing."""


_SQLITE_HEADER = struct.Struct(">16xH10xI")
_LIBRARIES = ("SELECT 1 FROM artifacts LIMIT 1", "SELECT 1 FROM indices LIMIT 1")


class _Metadata(msgspec.Struct, rename="pascal"):
    version: int
    updated_at: datetime
    next_update: datetime | None = None


def vulnerability_database(options: Mapping[str, Any]) -> Database:
    """Return the database of vulnerabilities: rebuilt every six hours upstream."""
    return Database(
        name=VULNERABILITIES,
        title="vulnerability database",
        update=_update(
            "--download-db-only", ("--db-repository", options["db_repository"]), DATABASE_FOLDER
        ),
        read=read_vulnerability_database,
    )


def java_database(options: Mapping[str, Any]) -> Database:
    """Return the index that tells which library a jar is: it changes once a week."""
    return Database(
        name=JAVA,
        title="Java database",
        update=_update(
            "--download-java-db-only",
            ("--java-db-repository", options["java_db_repository"]),
            JAVA_FOLDER,
        ),
        read=read_java_database,
        refresh=timedelta(days=3),
        max_age=timedelta(days=30),
    )


def read_vulnerability_database(folder: Path) -> Edition:
    """Return the edition of the vulnerability database in `folder`."""
    return _read(folder, "trivy.db", _BOLT, schema=2)


def read_java_database(folder: Path) -> Edition:
    """Return the edition of the Java database in `folder`."""
    edition = _read(folder, "trivy-java.db", _SQLITE, schema=1)
    _check_libraries(folder / "trivy-java.db")
    return edition


def _update(what: str, repository: tuple[str, str], folder: str) -> Step:
    limits = Limits(scratch_mb=2048, memory_mb=4096)  # the packed download lies in scratch
    return Step(
        role=Role.UPDATE,
        name="update",
        image=IMAGE,
        executable=EXECUTABLE,
        argv=download_arguments(what, repository),
        env=environment(limits),
        source=None,
        files=OWN_FILES,
        outputs=(folder + "/",),
        network=True,
        limits=limits,
    )


def _read(folder: Path, file: str, mark: tuple[int, bytes], *, schema: int) -> Edition:
    """Read what Trivy itself would take in silence: it scans with a database years old."""
    metadata = read_json(folder / "metadata.json", _Metadata)
    if metadata.version != schema:
        raise ConversionError(f"{file!r} has format {metadata.version}, not {schema}")
    if metadata.updated_at.tzinfo is None:
        raise ConversionError("'metadata.json' names no time zone")
    _check(folder / file, *mark)
    following = metadata.next_update
    if following is not None and (following.tzinfo is None or following.year <= 1):
        following = None  # Go's zero time: not told
    return Edition(metadata.updated_at, following, f"format {metadata.version}")


def _check(file: Path, offset: int, mark: bytes) -> None:
    try:
        with file.open("rb") as stream:
            head = stream.read(_SMALLEST)
    except OSError as error:
        raise ConversionError(f"{file.name!r} can't be read: {error.strerror}") from error
    if len(head) < _SMALLEST or head[offset : offset + len(mark)] != mark:
        raise ConversionError(f"{file.name!r} is cut off or no database")
    if (offset, mark) == _BOLT and file.stat().st_size < _bolt_size(file):
        raise ConversionError(f"{file.name!r} is cut off")


def _check_libraries(file: Path) -> None:
    """Ask the Java database for any library: Trivy drops jars without a word where it has none.

    Raises:
        ConversionError: it is damaged, or knows none.
    """
    import sqlite3  # noqa: PLC0415 - seldom needed

    if file.stat().st_size < _sqlite_size(file):
        raise ConversionError(f"{file.name!r} is cut off")
    place = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(place, uri=True)) as database:
            known = [database.execute(query).fetchone() for query in _LIBRARIES]
    except sqlite3.Error as error:
        raise ConversionError(f"{file.name!r} is damaged: {error}") from error
    if None in known:
        raise ConversionError(f"{file.name!r} knows no library")


def _sqlite_size(file: Path) -> int:
    """Return how large the file has to be: size of a page (1 means 64 KiB) times pages."""
    with file.open("rb") as stream:
        size, pages = _SQLITE_HEADER.unpack(stream.read(_SQLITE_HEADER.size))
    return int(pages) * (65536 if size == 1 else int(size))


def _bolt_size(file: Path) -> int:
    """Return how large the file has to be: a scan that does not come to a lost page says nothing.

    The first two pages each tell the number of pages; the one of the later writing counts.
    """
    with file.open("rb") as stream:
        page = stream.read(_SMALLEST)
        size = int(_META.unpack_from(page, 16)[2])
        stream.seek(size)
        other = stream.read(_SMALLEST)
    metas = [_META.unpack_from(each, 16) for each in (page, other) if len(each) == _SMALLEST]
    *_, pages, _ = max((meta for meta in metas if meta[0] == _MAGIC), key=lambda meta: meta[-1])
    return int(pages) * size
