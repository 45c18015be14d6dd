"""What a probe runs where the scanner stands: asks an address once, and writes down what it got.

A program of its own, for the standard library of Python 3.8: it is copied beside the scanner and
run there as `python3 -I asking.py FOLDER`. It reads `ask.json` (and `header`, where it is to sign
in) in the folder and leaves `answer.json`. Judging is done elsewhere: all of it is hostile.
"""

from __future__ import annotations

import codecs
import html
import http.client
import json
import re
import socket
import ssl
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

_SHOWN = 1000
_LINKS = 1000
_PAUSE_S = 1.0
_CERTIFICATE_S = 5.0
_PORTS = {"http": 80, "https": 443}
_AWAY = (301, 302, 303, 307, 308)
_SAFE = "%/:=&?~#+!$,;'@()*[]"
_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([\w-]{1,40})", re.IGNORECASE)
_CHARSETS = (
    "utf",
    "ascii",
    "us-ascii",
    "iso-8859-",
    "latin",
    "windows-125",
    "shift_jis",
    "euc-",
    "gb",
)
"""Those of texts. Python knows others, which take long for a page made to take long."""
_PASSWORD = re.compile(r"\btype\s{0,9}=\s{0,9}[\"']?password\b", re.IGNORECASE)
_LINK = re.compile(r"<a\s[^>]{0,500}?href\s{0,9}=\s{0,9}[\"']?([^\"'\s>]{1,2000})", re.IGNORECASE)
_LEADS = re.compile(r"<(?:script|form|i?frame|area|button|object|embed)\b", re.IGNORECASE)
"""What may lead to other pages, beside links."""
_REFRESH = re.compile(
    r"http-equiv\s{0,9}=\s{0,9}[\"']?refresh\b[^>]{0,200}?\burl\s{0,9}=\s{0,9}[\"']?([^\"'\s>]{1,2000})",
    re.IGNORECASE,
)


class Failure(Exception):  # noqa: N818 - it is the answer, and no error of ours
    """No answer came."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def main(folder: str) -> None:
    """Ask, and leave the answer in the folder."""
    place = Path(folder)
    ask = dict(json.loads((place / "ask.json").read_text("utf-8")), value="")
    if ask["header"]:
        ask["value"] = (place / "header").read_text("utf-8").strip()
    (place / "answer.json").write_text(json.dumps(asked(ask)), "ascii")


def asked(ask: dict[str, Any]) -> dict[str, Any]:
    """Return the answer, tried again where nobody took the connection."""
    for number in range(1, ask["tries"] + 1):
        answer = blank()
        try:
            follow(ask, answer)
        except Failure as failure:
            answer["error"], answer["words"] = failure.kind, cut(str(failure))
        answer["tries"] = number
        if answer["error"] not in ("dns", "refused", "reset", "unreachable"):
            break
        if number < ask["tries"]:
            time.sleep(_PAUSE_S)
    if urlsplit(ask["url"]).scheme == "https" and answer["status"]:
        answer["certificate"] = certificate(ask)
    return answer


def blank() -> dict[str, Any]:
    """Return an answer that says nothing yet."""
    return {
        "chain": [],
        "status": 0,
        "length": 0,
        "whole": False,
        "type": "",
        "title": "",
        "has_text": False,
        "has_title": False,
        "password": False,
        "links": 0,
        "alone": False,
        "refresh": "",
        "certificate": "",
        "error": "",
        "words": "",
        "tries": 0,
    }


def follow(ask: dict[str, Any], answer: dict[str, Any]) -> None:
    """Ask the address, and where it sends on to, as long as that is of the same origin."""
    url = ask["url"]
    if not re.fullmatch(r"[\t -~\x80-\xff]*", ask["value"]):  # an error would tell all of it
        raise Failure("sign-in", "the secret can't be the value of a header")
    ask["cookies"] = cookies_of(ask["value"]) if by_cookie(ask) else {}
    for _ in range(ask["redirects"] + 1):
        status, kind, location, body, whole = in_time(ask, url)
        target = joined(url, location) or location
        answer["chain"].append({"url": cut(url), "status": status, "location": cut(target)})
        away = status in _AWAY and location and status != ask["status"]
        if not away or origin(target) != origin(url):
            break
        url = target
    else:
        answer["words"] = "it goes on and on"
    answer.update(status=status, type=cut(kind), length=len(body), whole=whole)
    look(ask, url, decoded(kind, body), answer)


def by_cookie(ask: dict[str, Any]) -> bool:
    """Say whether cookies sign in. They go among those that are set on the way."""
    return bool(ask["header"].lower() == "cookie")


def cookies_of(value: str) -> dict[str, str]:
    """Return name -> pair of each cookie of a header."""
    pairs = [pair.strip() for pair in value.split(";")]
    return {pair.partition("=")[0]: pair for pair in pairs if pair}


def in_time(ask: dict[str, Any], url: str) -> tuple[int, str, str, bytes, bool]:
    """Return what `get` does, held to a deadline whatever the other side does."""
    found: list[tuple[int, str, str, bytes, bool] | BaseException] = []

    def run() -> None:
        try:
            found.append(get(ask, url))
        except BaseException as error:  # noqa: BLE001 - told by who waits
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(ask["timeout_s"])
    if not found:
        raise Failure("timeout", f"no whole answer in {ask['timeout_s']:g} s")
    if isinstance(found[0], BaseException):
        raise Failure(*meaning(found[0])) from found[0]
    return found[0]


def get(ask: dict[str, Any], url: str) -> tuple[int, str, str, bytes, bool]:
    """Return status, type, location, body, and whether the body is whole."""
    parts = urlsplit(url)
    connection = connected(parts, ask["timeout_s"])
    try:
        path = quote(parts.path or "/", safe=_SAFE)
        query = "?" + quote(parts.query, safe=_SAFE) if parts.query else ""
        headers = {"User-Agent": "scanrun", "Accept": "*/*", "Accept-Encoding": "identity"}
        if ask["value"] and not by_cookie(ask):
            headers[ask["header"]] = ask["value"]
        if ask["cookies"]:
            headers["Cookie"] = "; ".join(ask["cookies"].values())
        connection.request("GET", path + query, headers=headers)
        response = connection.getresponse()
        for cookie in (response.headers.get_all("Set-Cookie") or [])[:20]:
            pair = cookie.partition(";")[0].strip()[:4000]
            ask["cookies"][pair.partition("=")[0]] = pair
        body = response.read(ask["max_bytes"])
        if response.length and len(body) < ask["max_bytes"]:
            raise ConnectionResetError("the answer broke off")
        whole = len(body) < ask["max_bytes"]
        if response.headers.get("Content-Encoding", "") in ("gzip", "deflate"):
            body = unpacked(body, ask["max_bytes"])
        kind = response.headers.get("Content-Type", "")
        return response.status, kind, response.headers.get("Location", ""), body, whole
    finally:
        connection.close()


def connected(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    """Return a connection to the address. Its certificate may be anybody's."""
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - whose it is, is told apart
    return http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=timeout_s, context=context
    )


def unpacked(body: bytes, limit: int) -> bytes:
    """Return a body that came packed, though nobody asked for that."""
    try:
        return zlib.decompressobj(47).decompress(body, limit)
    except zlib.error:
        return body


def meaning(error: BaseException) -> tuple[str, str]:
    """Return kind and words of why no answer came."""
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    kinds = (
        (socket.gaierror, "dns"),
        (ssl.SSLError, "tls"),
        (ConnectionRefusedError, "refused"),
        (socket.timeout, "timeout"),
        (TimeoutError, "timeout"),
        (ConnectionError, "reset"),
        (http.client.IncompleteRead, "reset"),
        (http.client.HTTPException, "not-http"),
        (OSError, "unreachable"),
    )
    return next((kind for each, kind in kinds if isinstance(error, each)), "not-http"), words


def look(ask: dict[str, Any], url: str, page: str, answer: dict[str, Any]) -> None:
    """Note what stands in the page."""
    title = folded(html.unescape(title_of(page)))
    plain = folded(html.unescape(page))
    answer["title"] = title[:300]
    answer["has_title"] = title == folded(ask["title"])
    answer["has_text"] = ask["text"] in page or folded(ask["text"]) in plain
    answer["password"] = bool(_PASSWORD.search(page))
    refresh = _REFRESH.search(page)
    answer["refresh"] = cut(joined(url, html.unescape(refresh.group(1)))) if refresh else ""
    found = links(url, page)
    others = found - {url}
    answer["links"] = len(others)
    whole = answer["whole"] and not refresh and not _LEADS.search(page)
    answer["alone"] = bool(found) and not others and whole


def links(url: str, page: str) -> set[str]:
    """Return the pages of the origin that the page links to, itself among them."""
    found: set[str] = set()
    for match in _LINK.finditer(page):
        link = html.unescape(match.group(1))
        target = joined(url, link).partition("#")[0]
        named = not link.startswith("#")
        if len(found) < _LINKS and origin(target) == origin(url) and named:
            found.add(target)
    return found


def joined(url: str, link: str) -> str:
    """Return where a link leads; empty where that is nowhere."""
    try:
        return urljoin(url, link)
    except ValueError:
        return ""


def title_of(page: str) -> str:
    """Return the page's title. No pattern goes over all of it at once: the page may be made so."""
    start = re.search("<title", page, re.IGNORECASE)
    opened = page.find(">", start.end()) if start else -1
    end = re.compile("</title", re.IGNORECASE).search(page, opened) if opened >= 0 else None
    return page[opened + 1 : end.start()] if end else ""


def folded(text: str) -> str:
    """Return a text with its white space made one blank."""
    return " ".join(text.split())


def decoded(kind: str, body: bytes) -> str:
    """Return the body as text."""
    found = _CHARSET.search(kind)
    name = found.group(1).lower() if found else "utf-8"
    try:
        codecs.lookup(name)
    except LookupError:
        name = "utf-8"
    return body.decode(name if name.startswith(_CHARSETS) else "utf-8", "replace")


def origin(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port; None where there is none to be read."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        return (parts.scheme, (parts.hostname or "").lower(), port)
    except ValueError:
        return None


def certificate(ask: dict[str, Any]) -> str:
    """Return `verified`, or why the certificate is nobody's."""
    parts = urlsplit(ask["url"])
    host, port = parts.hostname or "", parts.port or _PORTS["https"]
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(host, port, timeout=_CERTIFICATE_S, context=context)
    try:
        connection.connect()
    except (OSError, ValueError) as error:
        return cut(f"not verified: {getattr(error, 'verify_message', '') or error}")
    finally:
        connection.close()
    return "verified"


def cut(text: str) -> str:
    """Return a text that is not too long to be told."""
    return text[:_SHOWN]


if __name__ == "__main__":
    main(sys.argv[1])
