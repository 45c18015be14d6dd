"""How the security hotspots of a server before 2026.4 are read; later ones have only issues."""

from collections.abc import Mapping

from scanrun_plugins.scanners.sonar.about import Server
from scanrun_plugins.scanners.sonar.answers import Hotspot, HotspotPage, decoded
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.issues import PAGE, Read
from scanrun_plugins.scanners.sonar.refusals import UnknownError
from scanrun_plugins.scanners.sonar.slices import LIMIT

SEARCH = "api/hotspots/search"
WITHOUT = (26, 4)
"""The first release in which they are issues. It still answers, with an empty list."""
TO_REVIEW = "TO_REVIEW"


def read_hotspots(
    client: Client, server: Server, project: str, scope: Mapping[str, str], read: Read
) -> tuple[str, ...]:
    """Read the hotspots, reviewed or not; return the problems."""
    name = "project" if server.since(10, 2) and not server.cloud else "projectKey"
    query = {name: project, **scope}
    return tuple(
        problem
        for status in (TO_REVIEW, "REVIEWED")
        for problem in _read(client, server, {**query, "status": status}, read)
    )


def _read(client: Client, server: Server, query: Mapping[str, str], read: Read) -> tuple[str, ...]:
    keys: set[str] = set()
    number, total = 1, 0
    while number * PAGE <= LIMIT:
        page = _page(client, server, query, number)
        if page is None:
            return ()
        total = page.paging.total if page.paging.total is not None else -1
        read.components.update({each.key: each.path for each in page.components})
        for raw in page.hotspots:
            hotspot = decoded(raw, Hotspot, "a hotspot of the server")
            keys.add(hotspot.key)
            read.rules.update([hotspot.rule_key] if hotspot.rule_key else [])
            read.open += read.spool.add(hotspot.key, _order(hotspot), raw) and _counts(hotspot)
        if len(page.hotspots) < PAGE:
            break
        number += 1
    if len(keys) != total:
        return (f"the server tells of {total:,} hotspots, and {len(keys):,} could be read",)
    return ()


def _page(
    client: Client, server: Server, query: Mapping[str, str], number: int
) -> HotspotPage | None:
    """Return a page; None where the server has no hotspots any more, and says so."""
    try:
        return client.get(SEARCH, HotspotPage, **query, p=number, ps=PAGE)
    except UnknownError:
        if not server.cloud and server.release >= WITHOUT:
            return None
        raise


def _counts(hotspot: Hotspot) -> bool:
    return hotspot.status == TO_REVIEW


def _order(hotspot: Hotspot) -> tuple[str | int, ...]:
    at = hotspot.text_range
    start = at.start_line if at else hotspot.line or 0
    offset = (at.start_offset if at else 0) or 0
    return hotspot.component, start, offset, hotspot.rule_key, hotspot.message
