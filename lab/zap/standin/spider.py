"""The spider: what can be asked of a site, starting from one address."""

import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from standin.links import requests_of
from standin.web import Client, Message, Request, UnreachableError, origin

DEPTH = 5
MOST = 3000
"""So many requests and no more, that a test of endless links has an end."""


@dataclass(slots=True)
class Site:
    """All that was sent, and answered."""

    messages: list[Message] = field(default_factory=list)
    found: set[str] = field(default_factory=set)
    """Addresses, those of other origins too, which are not sent anything."""
    failures: int = 0


class Spider:
    """Follows links within an origin."""

    def __init__(self, client: Client, site: Site, excluded: Iterable[str] = ()) -> None:
        self._client = client
        self._site = site
        self._excluded = [re.compile(pattern, re.IGNORECASE) for pattern in excluded]
        self._seen: set[tuple[str, str, tuple[str, ...]]] = set()
        self._queue: deque[tuple[Request, int]] = deque()
        self._scope = ""

    def excludes(self, url: str) -> bool:
        """Say whether it is not to be asked for: its query does not count."""
        return any(pattern.fullmatch(url.partition("?")[0]) for pattern in self._excluded)

    def run(self, starts: Iterable[str], minutes: int, heap_mb: float) -> None:
        """Ask for all that can be reached from `starts`, which are of one origin."""
        until = time.monotonic() + minutes * 60 if minutes else float("inf")
        for start in starts:
            self._scope = origin(start)
            self._add(Request(start), 0)
            for name in ("/robots.txt", "/sitemap.xml"):
                self._add(Request(self._scope + name), 0)
        while self._queue and time.monotonic() < until and len(self._site.messages) < MOST:
            if memory_mb(self._site) > 0.96 * heap_mb:
                return
            self._visit(*self._queue.popleft())

    def _visit(self, request: Request, depth: int) -> None:
        try:
            message = self._client.send(request)
        except UnreachableError:
            self._site.failures += 1
            return
        self._site.messages.append(message)
        if depth < DEPTH:
            for each in requests_of(message):
                self._add(each, depth + 1, redirected=bool(message.location))

    def _add(self, request: Request, depth: int, *, redirected: bool = False) -> None:
        inside = origin(request.url) == self._scope
        if inside or not redirected:
            self._site.found.add(node_of(request.url))
        key = (request.method, request.url, tuple(name for name, _ in request.form))
        if not inside or key in self._seen or self.excludes(request.url):
            return
        self._seen.add(key)
        self._queue.append((request, depth))


def memory_mb(site: Site) -> float:
    """Return what ZAP would use of its heap: by two measured runs on an endless site."""
    return 38 + 0.0425 * len(site.messages)


def node_of(url: str) -> str:
    """Return an address with its parameters' names and without their values."""
    parts = urlsplit(url)
    path = url.partition("?")[0]
    if not parts.query:
        return path
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    return f"{path} ({','.join(names)})"


def node_name(request: Request) -> str:
    """Return a request's place in ZAP's tree of sites."""
    node = node_of(request.url)
    if not request.form:
        return node
    names = ",".join(sorted({name for name, _ in request.form}))
    return f"{node}{'' if '(' in node else ' ()'}({names})"
