"""What a report says of the scan itself: version, age of the data, and what went wrong."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from scanrun_plugins.scanners.dependency_check.report import Report, Thrown

_SOURCE = re.compile(r"NVD (?:API|Cache|CVE) (?:Last )?(Checked|Modified)")
_PACKAGE_OF_CLASS = re.compile(r"\b(?:[a-z_][a-z0-9_]*\.){2,}(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class DataAge:
    """How old the vulnerability data is, as far as the report tells."""

    checked: datetime | None = None
    """When it was last brought up to date."""
    modified: datetime | None = None
    """Of which time its newest record is."""


def engine_version(report: Report) -> str:
    """Return the version of Dependency-Check; empty if the report does not say."""
    return report.info.engine_version


def data_updated(report: Report) -> DataAge:
    """Return the age of the vulnerability data.

    A database that was filled from a feed first and from the API later tells both: the newer one
    is what it holds. A date without a zone is taken for UTC.
    """
    found: dict[str, datetime] = {}
    for source in report.info.data_source:
        match, moment = _SOURCE.fullmatch(source.name), _moment(source.timestamp)
        if match and moment:
            found[match[1]] = max(moment, found.get(match[1], moment))
    return DataAge(found.get("Checked"), found.get("Modified"))


def failures(report: Report) -> Iterator[str]:
    """Yield what went wrong in the analysis, each once, with what it comes from."""
    told = (_told(each.exception) for each in report.info.analysis_exceptions)
    yield from dict.fromkeys(told)


def _told(thrown: Thrown) -> str:
    deepest = thrown
    while deepest.cause is not None:
        deepest = deepest.cause
    message, cause = _plain(thrown.message), _plain(deepest.message)
    if cause and cause not in message:
        return f"{message or 'an exception'} (because of {cause})"
    return message or "an exception without a message"


def _plain(message: str) -> str:
    """Return a message on one line, the classes in it less their packages."""
    return " ".join(_PACKAGE_OF_CLASS.sub("", message).split())


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
