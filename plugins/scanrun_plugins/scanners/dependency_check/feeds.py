"""Where an update takes its data from: the project's own addresses, mirrors, files of this host.

Files of this host are copied into the container, which then needs no network for them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scanrun.api import StepError
from scanrun_plugins.scanners.dependency_check.command import (
    FEED,
    OFF,
    RETIREJS_FILE,
    SUPPRESSIONS_FILE,
    Options,
    last_name,
)

_FEED_NAME = "nvdcve-{0}.json.gz"


@dataclass(frozen=True, slots=True)
class Feed:
    """One source of data, as the container sees it."""

    arguments: tuple[str, ...]
    files: Mapping[str, Path]
    remote: bool
    kept_as: str = ""
    """Name of the file in the data folder; empty where there is none."""


def feeds(options: Options) -> tuple[Feed, ...]:
    """Return all of them.

    Raises:
        StepError: a file of this host is not there.
    """
    return (_nvd(options), kev(options), retirejs(options), suppressions(options))


def kev(options: Options) -> Feed:
    """Return the list of known exploited vulnerabilities."""
    return _one(options.kev_url, "--kevURL", "--disableKnownExploited", "kev.json", kept="")


def retirejs(options: Options) -> Feed:
    """Return RetireJS's list."""
    return _one(
        options.retirejs_url, "--retireJsUrl", "--disableRetireJS", RETIREJS_FILE, RETIREJS_FILE
    )


def suppressions(options: Options) -> Feed:
    """Return the project's list of false positives."""
    return _one(
        options.hosted_suppressions_url,
        "--hostedSuppressionsUrl",
        "--disableHostedSuppressions",
        SUPPRESSIONS_FILE,
        SUPPRESSIONS_FILE,
    )


def _one(value: str, option: str, off: str, name: str, kept: str) -> Feed:
    if value == OFF:
        return Feed((off,), {}, remote=False)
    if not value:
        return Feed((), {}, remote=True, kept_as=kept)
    local = _local(value)
    if local is None:
        return Feed((option, value), {}, remote=True, kept_as=kept and last_name(value, name))
    place = f"{FEED}/{name}"
    return Feed((option, f"file://{place}"), {place: _there(local)}, remote=False, kept_as=kept)


def _nvd(options: Options) -> Feed:
    local = _local(options.nvd_datafeed)
    if local is None:
        given = ("--nvdDatafeed", options.nvd_datafeed) if options.nvd_datafeed else ()
        return Feed(given, {}, remote=True)
    folder, name = (local.parent, local.name) if "{0}" in local.name else (local, _FEED_NAME)
    files = {f"{FEED}/{file.name}": file for file in _feed_files(folder, name)}
    return Feed(("--nvdDatafeed", f"file://{FEED}/{name}"), files, remote=False)


def _feed_files(folder: Path, name: str) -> Iterator[Path]:
    pattern = name.replace("{0}", "*")
    wanted = ("cache.properties", pattern, f"{pattern.partition('*')[0]}*.meta")
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        raise _missing(folder, error.strerror or "") from error
    found = [each for each in names if any(fnmatchcase(each, one) for one in wanted)]
    if not any(fnmatchcase(each, pattern) for each in found):
        raise _missing(folder, f"it holds no {name!r}")
    yield from (folder / each for each in found)


def _local(value: str) -> Path | None:
    if value.startswith("file://"):
        return Path(unquote(urlsplit(value.replace("{0}", "%7B0%7D")).path))
    return Path(value) if value.startswith("/") else None


def _there(file: Path) -> Path:
    if not file.is_file():
        raise _missing(file, "there is no such file")
    return file


def _missing(place: Path, why: str) -> StepError:
    return StepError(
        f"{str(place)!r} can't be used as a mirror: {why}", hint="mend [scanner.dependency-check]"
    )
