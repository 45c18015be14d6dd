import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from scanrun.api import ConversionError, Edition
from scanrun_plugins.scanners.trivy.databases import (
    read_java_database,
    read_vulnerability_database,
)

BOLT = bytes(16) + b"\xed\xda\x0c\xed" + bytes(4096)
LIBRARY = "INSERT INTO artifacts VALUES (1); INSERT INTO indices VALUES (1);"
UPDATED = "2026-11-23T06:13:01.279137123Z"
STAMP = {"Version": 2, "UpdatedAt": UPDATED, "NextUpdate": "2026-11-24T06:13:01Z"}


def database(folder, stamp=STAMP, data=BOLT, name="trivy.db"):
    if stamp is not None:
        (folder / "metadata.json").write_text(
            stamp if isinstance(stamp, str) else json.dumps(stamp)
        )
    if data is not None:
        (folder / name).write_bytes(data)
    return folder


def test_the_edition_is_what_the_database_says_of_itself(tmp_path):
    assert read_vulnerability_database(database(tmp_path)) == Edition(
        datetime(2026, 11, 23, 6, 13, 1, 279137, UTC),
        datetime(2026, 11, 24, 6, 13, 1, tzinfo=UTC),
        "format 2",
    )


def java_database(folder, rows=LIBRARY):
    with closing(sqlite3.connect(folder / "trivy-java.db")) as written:
        written.executescript(f"CREATE TABLE artifacts(a); CREATE TABLE indices(a); {rows}")
    return database(folder, {**STAMP, "Version": 1}, None)


def test_the_java_database_has_a_format_of_its_own(tmp_path):
    assert read_java_database(java_database(tmp_path)).version == "format 1"


def test_a_java_database_without_a_library_is_none(tmp_path):
    java = java_database(tmp_path, rows="")

    with pytest.raises(ConversionError, match="knows no library"):
        read_java_database(java)


def test_a_java_database_that_is_cut_off_is_none(tmp_path):
    java = java_database(tmp_path)
    file = java / "trivy-java.db"
    file.write_bytes(file.read_bytes()[:-1])

    with pytest.raises(ConversionError, match="cut off"):
        read_java_database(java)


def test_gos_zero_time_is_no_time(tmp_path):
    stamp = {**STAMP, "NextUpdate": "0001-01-01T00:00:00Z"}

    assert read_vulnerability_database(database(tmp_path, stamp)).next_update is None


@pytest.mark.parametrize(
    ("stamp", "data"),
    [
        (None, BOLT),
        ("", BOLT),
        ("{", BOLT),
        ("{}", BOLT),
        ({**STAMP, "Version": 1}, BOLT),
        ({**STAMP, "Version": 3}, BOLT),
        ({**STAMP, "UpdatedAt": "yesterday"}, BOLT),
        ({**STAMP, "UpdatedAt": "2026-11-23T06:13:01"}, BOLT),
        (STAMP, None),
        (STAMP, b""),
        (STAMP, BOLT[:100]),
        (STAMP, bytes(8192)),
        (STAMP, b"SQLite format 3\0" + bytes(4096)),
    ],
    ids=[
        "no metadata",
        "empty metadata",
        "broken metadata",
        "bare metadata",
        "older format",
        "newer format",
        "no date",
        "no time zone",
        "no file",
        "empty file",
        "cut off",
        "zeroes",
        "another kind",
    ],
)
def test_what_trivy_could_not_use_is_no_edition(tmp_path, stamp, data):
    with pytest.raises(ConversionError):
        read_vulnerability_database(database(tmp_path, stamp, data))
