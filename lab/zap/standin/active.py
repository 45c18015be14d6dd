"""The one active rule: what is sent as a parameter comes back in the page as it is."""

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from standin.alerts import Hit
from standin.spider import node_name
from standin.web import Client, Message, Request, UnreachableError

ATTACK = "<scrIpt>alert(1);</scRipt>"


def attack(client: Client, messages: Iterable[Message]) -> Iterator[tuple[Message, Hit | None]]:
    """Send an attack for each parameter once; yield answers, and what they gave away."""
    seen = set()
    for message in messages:
        for name, request in _attacked(message.request):
            key = (node_name(message.request), request.method, name)
            if key in seen:
                continue
            seen.add(key)
            try:
                answer = client.send(request)
            except UnreachableError:
                continue
            hit = answer.is_html and ATTACK in answer.text
            found = Hit("40012", answer, name, ATTACK, attack=ATTACK) if hit else None
            yield answer, found


def _attacked(request: Request) -> Iterator[tuple[str, Request]]:
    parts = urlsplit(request.url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    for name, _ in query:
        changed = [(key, ATTACK if key == name else value) for key, value in query]
        url = urlunsplit(parts._replace(query=urlencode(changed)))
        yield name, Request(url, request.method, request.form)
    for name, _ in request.form:
        form = tuple((key, ATTACK if key == name else value) for key, value in request.form)
        yield name, Request(request.url, request.method, form)
