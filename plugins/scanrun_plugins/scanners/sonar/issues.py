"""How all issues of a project are read, none twice and none left out."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from msgspec import Raw

from scanrun_plugins.scanners.sonar.about import Server
from scanrun_plugins.scanners.sonar.answers import Component, Issue, IssuePage, decoded
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.refusals import ForbiddenError, RefusedError, UnknownError
from scanrun_plugins.scanners.sonar.slices import (
    SEARCH,
    Query,
    Slice,
    TooAlikeError,
    slices,
    total_of,
)
from scanrun_plugins.scanners.sonar.spool import Spool
from scanrun_plugins.scanners.sonar.waiting import Say, silent

PAGE = 500
_LIST = "api/issues/list"
_TRIES = 3
_AT_ONCE = 2
_SANDBOX = "IN_SANDBOX"


@dataclass(slots=True)
class Read:
    """What was seen of a project's issues and hotspots."""

    spool: Spool
    rules: set[str] = field(default_factory=set)
    components: dict[str, str] = field(default_factory=dict)
    """Component -> its path; of a project, empty."""
    open: int = 0
    """Unresolved issues that the server's measures count."""

    def page(self, issues: list[Raw], components: list[Component]) -> set[str]:
        """Take in a page, and return the keys on it."""
        self.components.update({each.key: each.path for each in components})
        return {self._take(raw) for raw in issues}

    def _take(self, raw: Raw) -> str:
        issue = decoded(raw, Issue, "an issue of the server")
        if self.spool.add(issue.key, _order(issue), raw):
            self.rules.add(issue.rule)
            self.open += not issue.resolution and issue.issue_status != _SANDBOX
        return issue.key


def _order(issue: Issue) -> tuple[str | int, ...]:
    at = issue.text_range
    start = at.start_line if at else issue.line or 0
    return issue.component, start, (at.start_offset if at else 0) or 0, issue.rule, issue.message


def read_issues(
    client: Client,
    server: Server,
    project: str,
    scope: Mapping[str, str],
    read: Read,
    *,
    say: Say = silent,
) -> tuple[str, ...]:
    """Read the issues that are open, then those that somebody has accepted; return the problems."""
    query = project_query(server, project, scope)
    unresolved = {"resolved": "false"}
    listing = {"project": project, **scope, **unresolved} if server.since(10, 2) else None
    return (
        *_read_all(client, {**query, **unresolved}, read, listing=listing, say=say),
        *_read_all(client, {**query, **_accepted(server)}, read, say=say),
    )


def project_query(server: Server, project: str, scope: Mapping[str, str]) -> Query:
    """Return the search for a project's issues, whatever has become of them."""
    searched = "components" if server.since(10, 2) and not server.cloud else "componentKeys"
    return {searched: project, **scope}


def _accepted(server: Server) -> Query:
    """Return the filter for issues that somebody has set aside; fixed ones are no findings."""
    if server.since(10, 4):
        return {"issueStatuses": "ACCEPTED,FALSE_POSITIVE", "additionalFields": "comments"}
    return {"resolutions": "WONTFIX,FALSE-POSITIVE", "additionalFields": "comments"}


def _read_all(
    client: Client, query: Query, read: Read, *, listing: Query | None = None, say: Say
) -> tuple[str, ...]:
    before, total = len(read.spool), total_of(client, query)
    problems: tuple[str, ...] = ()
    try:
        problems = tuple(
            problem
            for piece in slices(client, query)
            for problem in _read_slice(client, piece, read, say)
        )
    except TooAlikeError:
        if listing is None or not _read_listing(client, listing, read, total, say):
            raise
    found = len(read.spool) - before
    if found != total and not problems:
        return (f"the server tells of {total:,} issues, and {found:,} could be read",)
    return problems


def _read_listing(client: Client, listing: Query, read: Read, total: int, say: Say) -> bool:
    """Read from the server's database: slower, without a limit, and not for every token.

    Say whether it was for this one.
    """
    try:
        for page in _pages(client, _LIST, listing, total):
            read.page(page.issues, page.components)
            say(f"{len(read.spool):,} issues read")
    except (ForbiddenError, UnknownError, RefusedError):
        return False
    return True


def _read_slice(client: Client, piece: Slice, read: Read, say: Say) -> tuple[str, ...]:
    """Read one slice. What changes meanwhile moves from page to page: then it is read again."""
    keys: set[str] = set()
    for _ in range(_TRIES):
        keys, total = _read_pages(client, piece, read, say)
        if len(keys) == total:
            return ()
    return (f"of {piece.total:,} issues in a slice the server gave {len(keys):,}",)


def _read_pages(client: Client, piece: Slice, read: Read, say: Say) -> tuple[set[str], int]:
    keys: set[str] = set()
    total = piece.total
    for page in _pages(client, SEARCH, piece.query, piece.total):
        keys |= read.page(page.issues, page.components)
        total = page.paging.total if page.paging.total is not None else -1
        say(f"{len(read.spool):,} issues read")
    return keys, total


def _pages(client: Client, path: str, query: Query, total: int) -> Iterator[IssuePage]:
    """Yield the pages in their order, a few of them asked for at once."""

    def ask(number: int) -> IssuePage:
        return client.get(path, IssuePage, **query, p=number, ps=PAGE)

    last = -(-total // PAGE)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for first in range(1, last + 1, _AT_ONCE):
            yield from pool.map(ask, range(first, min(first + _AT_ONCE, last + 1)))
