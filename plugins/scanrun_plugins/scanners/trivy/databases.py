"""The databases Trivy must have, how they are fetched, and how old they say they are."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

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
_BOLT = (16, b"\xed\xda\x0c\xed")
_SQLITE = (0, b"SQLite format 3\0")
"""Where the mark of the file format stands, and the mark."""


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
    return _read(folder, "trivy-java.db", _SQLITE, schema=1)


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
