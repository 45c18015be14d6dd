"""The NVD database: how it is brought up to date, and how old it says it is.

Nobody but Dependency-Check can read it. So the update ends with a scan of the canary on what it has
made, and that scan's report, which tells the data's age, is kept beside the database.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

from scanrun.api import ConversionError, Database, Edition, Limits, Role, Step
from scanrun_plugins.scanners.dependency_check import canary, feeds, properties
from scanrun_plugins.scanners.dependency_check.command import (
    DATA,
    DATABASE_FILE,
    HOME,
    IMAGE,
    JAVA_OPTIONS,
    PROGRAM,
    PROPERTIES,
    Options,
    offline_arguments,
)
from scanrun_plugins.scanners.dependency_check.report import read_report
from scanrun_plugins.scanners.dependency_check.scan_info import data_updated, engine_version

EDITION = "edition.json"
_CANARY = f"{HOME}/canary"
_SCAN_PROPERTIES = f"{HOME}/scan.properties"
_FORMATS = {"12": "5.6", "13": "5.6"}
"""Major version of Dependency-Check -> the format of its database."""
_TAG = re.compile(r"[^@]*:v?(\d+)\.[^/:@]*(?:@.*)?")
_HEAD = b"H:2,"
_BLOCK = 4096
_WHOLE = 3 * _BLOCK
"""Two headers, and something."""
_MIRROR = (
    "its address could not be reached, or refused: name a mirror or `off` in"
    " [scanner.dependency-check] (hosted_suppressions_url, retirejs_url)"
)
_UPDATE_S = 4 * 3600.0

_LISTS = "/tmp/lists"  # noqa: S108 - of the container
# the lists are fetched after the NVD: one that is refused would cost all of a first import
_LISTS_FIRST = f"""\
lists() {{{{
  JAVA_OPTS=-Dupdater.nvdcve.enabled=false {PROGRAM} --updateonly --data {_LISTS} \\
    --propertyfile {PROPERTIES} "$@" || return
  for name in {{kept}}; do
    [ -s {_LISTS}/$name ] || {{{{ echo "[ERROR] $name was not fetched"; return 8; }}}}
  done
  rm -rf {_LISTS}
}}}}
[ -e {DATA}/{DATABASE_FILE} ] || lists "$@" || exit
"""
# a lock that a killed update has left would be waited for, half an hour and longer; and an edition
# that it can't open would be gone on from for ever: 9, 11 and 13 are what it ends with then
_SCRIPT = f"""\
bring() {{{{
  rm -rf {DATA}/odc.update.lock {DATA}/{EDITION} \\
    && {PROGRAM} --updateonly --data {DATA} --propertyfile {PROPERTIES} "$@" \\
    && echo 'the update is done: what it has brought is tried' \\
    && {PROGRAM} --scan {_CANARY} --format JSON --out {DATA}/{EDITION} "$@" {{offline}}
}}}}
held=no
[ ! -e {DATA}/{DATABASE_FILE} ] || held=yes
bring "$@" || {{{{
  code=$?
  case $held$code in yes9 | yes11 | yes13) ;; *) exit $code ;; esac
  echo 'the edition held is no good: all is fetched anew'
  rm -rf {DATA}/{DATABASE_FILE}
  bring "$@" || exit
}}}}
rm -rf {DATA}/cache {DATA}/odc.trace.db {DATA}/odc.update.lock
"""


def name_for(image: str) -> str:
    """Return the name of the database that an image reads: each format is a database of its own."""
    match = _TAG.fullmatch(image or IMAGE)
    if match is None:
        return f"dependency-check-db-{sha256(image.encode()).hexdigest()[:8]}"
    return f"dependency-check-db-{_FORMATS.get(match[1], f'of-{match[1]}')}"


def nvd_database(options: Options, image: str) -> Database:
    """Return the database for the configured `image`; empty: the usual one."""
    sources = feeds.feeds(options)
    fast = bool(options.nvd_datafeed)
    return Database(
        name=name_for(image),
        title="NVD database",
        update=_update(options, sources),
        read=partial(read_edition, files=tuple(each.kept_as for each in sources if each.kept_as)),
        grows=True,
        refresh=timedelta(hours=24),
        max_age=timedelta(days=7),
        note="" if fast else "10 to 60 minutes with a key for the NVD, hours without",
    )


def read_edition(folder: Path, files: Iterable[str] = ()) -> Edition:
    """Return the age that the database in `folder` tells: the older one of its two dates.

    A mirror that stands still is asked each day, and has nothing new.

    Raises:
        ConversionError: it is no such database, knows nothing, or one of its `files` is not there.
    """
    _check_file(folder / DATABASE_FILE)
    for name in files:
        if not (folder / name).is_file():
            raise ConversionError(f"{name!r} is not there", hint=_MIRROR)
    report = read_report(folder / EDITION)
    known = {each.name for found in report.dependencies for each in found.vulnerabilities}
    if canary.RULE_ID not in known:
        raise ConversionError(f"it does not know {canary.RULE_ID}, so it is empty, or not whole")
    age = data_updated(report)
    if age.checked is None:
        raise ConversionError("it does not tell how old it is")
    updated = min(age.checked, age.modified or age.checked)
    return Edition(updated, version=f"by {engine_version(report)}")


def _update(options: Options, sources: Iterable[feeds.Feed]) -> Step:
    sealed = {PROPERTIES: partial(properties.for_update, options)}
    env = {"JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=50"}
    if options.proxy:  # by a file, for a password may be in it
        sealed[JAVA_OPTIONS] = partial(properties.for_java, options)
        env["JDK_JAVA_OPTIONS"] = f"@{JAVA_OPTIONS}"
    return Step(
        role=Role.UPDATE,
        name="update",
        image=IMAGE,
        entrypoint=("/bin/sh", "-c", _script(options, sources), "update"),
        argv=tuple(word for each in sources for word in each.arguments),
        source=None,
        env=env,
        files={
            _SCAN_PROPERTIES: properties.for_scan(options, {}),
            f"{_CANARY}/{canary.NAME}": canary.jar(),
        },
        host_files={at: file for each in sources for at, file in each.files.items()},
        sealed=sealed,
        outputs=(f"{DATA}/",),
        network=any(each.remote for each in sources),
        # the container's files, too, are held to this, and a full import is many gigabytes
        limits=Limits(memory_mb=4096, scratch_mb=2048, output_mb=16_384),
        timeout_s=_UPDATE_S,
    )


def _script(options: Options, sources: Iterable[feeds.Feed]) -> str:
    _, *lists = sources
    before = ""
    if any(each.remote for each in lists):
        kept = " ".join(each.kept_as for each in lists if each.kept_as)
        before = _LISTS_FIRST.format(kept=kept)
    return before + _SCRIPT.format(offline=_offline(options))


def _offline(options: Options) -> str:
    words = (
        each if each != PROPERTIES else _SCAN_PROPERTIES for each in offline_arguments(options)
    )
    return " ".join(words)


def _check_file(file: Path) -> None:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(len(_HEAD))
    except OSError as error:
        raise ConversionError(f"{file.name!r} can't be read: {error.strerror}") from error
    if head != _HEAD or size < _WHOLE or size % _BLOCK:
        raise ConversionError(f"{file.name!r} is cut off, or no database")
