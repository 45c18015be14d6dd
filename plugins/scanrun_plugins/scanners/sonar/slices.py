"""How more than 10,000 issues are read: in slices that are each small enough, and leave none out.

The server returns only the first 10,000 results of a search, and tells how many there are. A slice
that is too large is cut along one property of its issues; the cut counts only if its parts hold as
many issues as the whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from scanrun.api import ScanError
from scanrun_plugins.scanners.sonar.answers import IssuePage, decoded
from scanrun_plugins.scanners.sonar.client import Client

SEARCH = "api/issues/search"
LIMIT = 10_000
_PROPERTIES = ("types", "severities", "rules", "files")
"""A facet of each tells its values and how many issues have them (of rules and files: the most)."""
_TIME = "%Y-%m-%dT%H:%M:%S%z"
_SHORTEST = timedelta(seconds=2)

Query = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Slice:
    """A search of at most 10,000 issues."""

    query: Query
    total: int


class TooAlikeError(ScanError):
    """More issues than a search gives are alike in all that they can be told apart by."""


class _Dated(Struct, rename="camel"):
    creation_date: str


def total_of(client: Client, query: Query) -> int:
    """Return how many issues a search would find."""
    return _told(client.get(SEARCH, IssuePage, **query, ps=1))


def slices(
    client: Client, query: Query, properties: Sequence[str] = _PROPERTIES
) -> Iterator[Slice]:
    """Yield searches that together find what `query` does.

    Raises:
        TooAlikeError: there is no such cut.
    """
    total = total_of(client, query)
    if total <= LIMIT:
        yield Slice(query, total)
        return
    for position, name in enumerate(properties):
        values = _values(client, query, name, total)
        if values:
            for value in values:
                yield from slices(client, {**query, name: value}, properties[position + 1 :])
            return
    for half in _halves(client, query, total):
        yield from slices(client, half, ())


def _values(client: Client, query: Query, name: str, total: int) -> Sequence[str]:
    """Return the values that cut the search along `name`; none if that is no cut, or incomplete."""
    answer = client.get(SEARCH, IssuePage, **query, ps=1, facets=name)
    found = [each for facet in answer.facets if facet.property == name for each in facet.values]
    used = [each for each in found if each.count > 0]
    complete = sum(each.count for each in used) == total and len(used) > 1
    # a comma would be read as a list of two
    return [each.val for each in used] if complete and not any("," in e.val for e in used) else ()


def _halves(client: Client, query: Query, total: int) -> tuple[Query, Query]:
    """Return the search cut in the middle of the time in which its issues came up."""
    first, last = (_date(client, query, ascending) for ascending in ("true", "false"))
    if last - first >= _SHORTEST:
        middle = (first + (last - first) / 2).replace(microsecond=0)
        at = middle.strftime(_TIME)
        halves = ({**query, "createdBefore": at}, {**query, "createdAfter": at})
        if sum(total_of(client, each) for each in halves) == total:
            return halves
    raise TooAlikeError(
        f"the server keeps back all but {LIMIT:,} of {total:,} issues that can't be told apart",
        hint="give it a USER token and SonarQube 10.2 or later, or split the project",
    )


def _date(client: Client, query: Query, ascending: str) -> datetime:
    page = client.get(SEARCH, IssuePage, **query, ps=1, s="CREATION_DATE", asc=ascending)
    if not page.issues:
        raise ScanError("the server's issues changed while they were read")
    text = decoded(page.issues[0], _Dated, "an issue").creation_date
    try:
        return datetime.strptime(text, _TIME)  # noqa: DTZ007 - it has a zone, which is `%z`
    except ValueError as error:
        raise ScanError(f"an issue's date can't be read: {text[:40]!r}") from error


def _told(page: IssuePage) -> int:
    if page.paging.total is None:
        raise ScanError("the server does not tell how many issues there are")
    return page.paging.total
