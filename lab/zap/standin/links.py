"""What a page refers to: its links, and its forms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from standin.web import Message, Request, clean

_SOURCES = {
    "a": "href",
    "area": "href",
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "frame": "src",
    "form": "action",
}
_LOC = re.compile(r"<loc>\s*([^<\s]+)\s*</loc>", re.IGNORECASE)
_RULE = re.compile(r"^\s*(?:dis)?allow\s*:\s*(/[^\s#*$]*)", re.IGNORECASE | re.MULTILINE)
_REFRESH = re.compile(r"url\s*=\s*['\"]?([^'\"\s]+)", re.IGNORECASE)


@dataclass(slots=True)
class Form:
    """A form of a page."""

    tag: str
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag, as it stands in the page."""

    name: str
    attributes: dict[str, str]
    text: str


class Page(HTMLParser):
    """Reads a page's tags, forms and comments."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self.forms: list[Form] = []
        self.comments: list[str] = []
        self._open: Form | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Keep a tag, and what belongs to a form."""
        attributes = {name: value or "" for name, value in attrs}
        text = self.get_starttag_text() or ""
        self.tags.append(Tag(tag, attributes, text))
        if tag == "form":
            method = attributes.get("method", "get").upper()
            self._open = Form(text, attributes.get("action", ""), method)
            self.forms.append(self._open)
        elif self._open and tag in {"input", "textarea", "select"} and attributes.get("name"):
            self._open.fields.append((attributes["name"], attributes.get("value") or "ZAP"))

    def handle_endtag(self, tag: str) -> None:
        """Leave a form."""
        if tag == "form":
            self._open = None

    def handle_comment(self, data: str) -> None:
        """Keep a comment."""
        self.comments.append(data)


def requests_of(message: Message) -> list[Request]:
    """Return all requests that an answer leads to."""
    if message.location:
        return [Request(message.location)]
    path = urlsplit(message.url).path
    if path.endswith("/robots.txt"):
        found = _RULE.findall(message.text)
    elif path.endswith("/sitemap.xml") or message.mime.endswith("/xml"):
        found = _LOC.findall(message.text)
    elif message.is_html:
        return _of_page(message)
    else:
        found = []
    return [Request(each) for link in found if (each := _address(message.url, link))]


def _of_page(message: Message) -> list[Request]:
    page = Page(message.text)
    base = next((t.attributes.get("href", "") for t in page.tags if t.name == "base"), "")
    base = urljoin(message.url, base)
    found = []
    for tag in page.tags:
        link = tag.attributes.get(_SOURCES.get(tag.name, ""), "")
        if tag.name == "meta" and tag.attributes.get("http-equiv", "").lower() == "refresh":
            target = _REFRESH.search(tag.attributes.get("content", ""))
            link = target[1] if target else ""
        if tag.name != "form" and link and (address := _address(base, link)):
            found.append(Request(address))
    found.extend(each for form in page.forms if (each := _submitted(form, base)))
    return found


def _submitted(form: Form, base: str) -> Request | None:
    address = _address(base, form.action) if form.action else base
    if not address:
        return None
    if form.method == "POST":
        return Request(address, "POST", tuple(form.fields))
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in form.fields)
    return Request(urlunsplit(urlsplit(address)._replace(query=query)))


def _address(base: str, link: str) -> str:
    """Return an absolute address for HTTP; empty for anything else."""
    try:
        found = clean(urljoin(base, link.strip()))
        parts = urlsplit(found)
        parts.port  # noqa: B018 - a port that is none raises
    except ValueError:
        return ""
    return found if parts.scheme in {"http", "https"} and parts.hostname else ""
