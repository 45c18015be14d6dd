"""The passive rules: what an answer that was got anyway tells."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urljoin, urlsplit

from standin.alerts import Hit
from standin.links import Page, Tag
from standin.web import Message

Check = Callable[[Message], Iterator[Hit]]

_PRIVATE = re.compile(
    r"\b(?:10\.(?:\d{1,3}\.){2}\d{1,3}|172\.(?:1[6-9]|2\d|3[01])\.\d{1,3}\.\d{1,3}"
    r"|192\.168\.\d{1,3}\.\d{1,3})\b(?!\.\d)"
)
_SENSITIVE = ("user", "pass", "pwd", "session", "token", "email", "ssn")
_COMMENT = re.compile(
    r"\b(TODO|FIXME|BUG|XXX|ADMIN|PASSWORD|SECRET|SELECT|LATER|DEBUG|QUERY|WHERE|FROM|USER(?:NAME)?)\b",
    re.IGNORECASE,
)
_ERRORS = (
    "Traceback (most recent call last)",
    "You have an error in your SQL syntax",
    "ORA-01756",
    "Fatal error: Uncaught",
    "java.lang.NullPointerException",
)
_DEBUG = ("Internal Server Error: debug", "Stack trace:", "DEBUG = True")
_TOKENS = (
    "anticsrf",
    "CSRFToken",
    "__RequestVerificationToken",
    "csrfmiddlewaretoken",
    "authenticity_token",
    "OWASP_CSRFTOKEN",
    "anoncsrf",
    "csrf_token",
    "_csrf",
    "_csrfSecret",
    "__csrf_magic",
    "CSRF",
    "_token",
    "_csrf_token",
    "_csrfToken",
)
_LIBRARY = re.compile(r"jquery-(1\.\d+\.\d+)(?:\.min)?\.js$")
_OLD = ("CVE-2020-11023", "CVE-2015-9251", "CVE-2019-11358", "CVE-2020-7656", "CVE-2012-6708")
_NOSNIFF = (
    "This issue still applies to error type pages, whose content may be sniffed just as well.\n"
    'At "High" threshold this scan rule will not alert on client or server error responses.'
)


def look(message: Message) -> Iterator[Hit]:
    """Yield all that the rules raise."""
    for check in _CHECKS:
        yield from check(message)


def _good(message: Message) -> bool:
    return message.status // 100 == 2  # noqa: PLR2004


def _https(message: Message) -> bool:
    return message.url.startswith("https:")


def _headers(message: Message) -> Iterator[Hit]:
    csp = message.header("content-security-policy")
    framed = "frame-ancestors" in csp or message.header("x-frame-options")
    if _good(message) and message.is_html and not framed:
        yield Hit("10020-1", message, "x-frame-options")
    sniffed = message.header("x-content-type-options").lower() != "nosniff"
    if _good(message) and message.body and sniffed:
        yield Hit("10021", message, "x-content-type-options", other=_NOSNIFF)
    if message.is_html and not message.location and not csp:
        yield Hit("10038-1", message)
    if server := re.search(r"\d", message.header("server")):
        yield Hit("10036-2", message, evidence=server.string)
    if powered := message.header("x-powered-by"):
        yield Hit("10037", message, evidence=f"X-Powered-By: {powered}")
    if message.header("access-control-allow-origin") == "*":
        yield Hit("10098", message, evidence="Access-Control-Allow-Origin: *")


def _encrypted(message: Message) -> Iterator[Hit]:
    basic = message.header("www-authenticate")
    if not _https(message):
        if basic.lower().startswith(("basic", "digest")):
            yield Hit("10105-2", message, evidence=f"WWW-Authenticate: {basic}")
        return
    if not message.header("strict-transport-security"):
        yield Hit("10035-1", message)
    control = message.header("cache-control").lower()
    if _good(message) and message.is_html and "no-store" not in control:
        yield Hit("10015", message, "cache-control", control)
    if message.is_html:
        mixed = [t for t in Page(message.text).tags if t.attributes.get("src", "")[:5] == "http:"]
        told = "".join(f"tag={t.name} src={t.attributes['src']}\n" for t in mixed)
        if mixed:
            yield Hit("10040", message, evidence=mixed[0].attributes["src"], other=told)


def _cookies(message: Message) -> Iterator[Hit]:
    for cookie in message.all("set-cookie"):
        name = cookie.partition("=")[0].strip()
        flags = {each.partition("=")[0].strip().lower() for each in cookie.split(";")[1:]}
        evidence = f"Set-Cookie: {name}"
        if "httponly" not in flags:
            yield Hit("10010", message, name, evidence)
        if _https(message) and "secure" not in flags:
            yield Hit("10011", message, name, evidence)
        if "samesite" not in flags:
            yield Hit("10054-1", message, name, evidence)


def _page(message: Message) -> Iterator[Hit]:
    if not message.is_html:
        return
    page = Page(message.text)
    for tag in page.tags:
        yield from _foreign(message, tag)
    for number, form in enumerate(page.forms, 1):
        names = sorted(name for name, _ in form.fields)
        if form.method == "POST" and not set(names) & set(_TOKENS):
            told = " ".join(f'"{name}"' for name in names)
            known = ", ".join(_TOKENS)
            other = (
                f"No known Anti-CSRF token [{known}] was found in the following HTML form:"
                f" [Form {number}: {told} ]."
            )
            yield Hit("10202", message, evidence=form.tag, other=other)
    for comment in page.comments:
        if word := _COMMENT.search(comment):
            other = (
                f"The following pattern was used: \\b{word[1].upper()}\\b and was detected in"
                f' likely comment: "<!--{comment}-->", see evidence field for the suspicious'
                " comment/snippet."
            )
            yield Hit("10027", message, evidence=f"<!--{comment[:25]}", other=other)
            break
    if "<title>Index of /" in message.text:
        yield Hit("10033", message, evidence="<title>Index of /")
    if not page.forms and any(
        t.name == "a" and t.attributes.get("href") in {"#", "javascript:void(0)"} for t in page.tags
    ):
        yield Hit("10109", message, evidence='<a href="#">')


def _foreign(message: Message, tag: Tag) -> Iterator[Hit]:
    source = tag.attributes.get({"script": "src", "link": "href"}.get(tag.name, ""), "")
    if not source:
        return
    host = urlsplit(urljoin(message.url, source)).hostname
    if host == urlsplit(message.url).hostname:
        return
    evidence = f"{tag.text}</script>" if tag.name == "script" else tag.text
    if tag.name == "script":
        yield Hit("10017", message, source, evidence)
    if not tag.attributes.get("integrity"):
        yield Hit("90003", message, evidence=evidence)


def _body(message: Message) -> Iterator[Hit]:
    addresses = [each for each in _PRIVATE.findall(message.text) if each not in message.url]
    if addresses:
        yield Hit("2", message, evidence=addresses[0], other="\n".join(addresses) + "\n")
    if message.status >= 500:  # noqa: PLR2004
        line = f"HTTP/1.1 {message.status} {message.reason}"
        yield Hit("90022", message, evidence=line)
    elif found := [each for each in _ERRORS if each in message.text]:
        yield Hit("90022", message, evidence=found[0])
    if found := [each for each in _DEBUG if each in message.text]:
        yield Hit("10023", message, evidence=found[0])
    if library := _LIBRARY.search(urlsplit(message.url).path):
        told = f"The identified library jquery, version {library[1]} is vulnerable.\n"
        links = "".join(f"https://nvd.nist.gov/vuln/detail/{each}\n" for each in _OLD)
        other = told + "".join(f"{each}\n" for each in _OLD) + links
        yield Hit("10003", message, evidence=library[0], other=other)


def _address(message: Message) -> Iterator[Hit]:
    for name, _ in parse_qsl(urlsplit(message.url).query, keep_blank_values=True):
        word = next((each for each in _SENSITIVE if each in name.lower()), "")
        if word:
            other = (
                "The URL contains potentially sensitive information. The following string was"
                f" found via the pattern: {word}\n{name}"
            )
            yield Hit("10024", message, name, name, other)


_CHECKS: tuple[Check, ...] = (_headers, _encrypted, _cookies, _page, _body, _address)
