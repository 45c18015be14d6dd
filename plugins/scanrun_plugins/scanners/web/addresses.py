"""Addresses in a report: which page is meant, of which origin, and how it may be told."""

import os
import re
from posixpath import normpath
from urllib.parse import SplitResult, parse_qsl, unquote_to_bytes, urlencode, urlsplit

from scanrun.api import origin_of
from scanrun_plugins.scanners.web.texts import MASK, SENSITIVE, cut, is_random

NO_ADDRESS = "no-address"
_PARAMETER = re.compile(r";[^/;?=()]{1,64}=[^/;?()]*")
"""Such as `;jsessionid=…`, another one at each visit."""
_USUAL = {"http": ":80", "https": ":443"}
_LONGEST_PATH = 400
_LONGEST = 600


def origin(uri: str) -> str:
    """Return the origin of an address, the port always there; empty where it has none."""
    try:
        return origin_of(uri)
    except ValueError:
        return ""


def shown_origin(uri: str) -> str:
    """Return the origin of an address without a port that goes without saying."""
    found = origin(uri)
    return found.removesuffix(_USUAL.get(found.partition(":")[0], ":"))


def normal(uri: str) -> str:
    """Return an address so that two of one page are the same text: `http://h` is `http://h/`."""
    parts = _split(uri)
    if parts is None:
        return uri
    path = _PARAMETER.sub("", parts.path) or "/"
    query = f"?{parts.query}" if parts.query else ""
    return f"{shown_origin(uri)}{path}{query}"


def telling(uri: str) -> str:
    """Return an address that may be told: values that look like secrets are masked."""
    parts = _split(uri)
    if parts is None:
        return cut(uri.partition("?")[0], _LONGEST)
    address = normal(parts._replace(query="").geturl())
    if not parts.query:
        return cut(address, _LONGEST)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, _value(name, value)) for name, value in pairs]
    return cut(f"{address}?{urlencode(kept, safe='*/:', errors='replace')}", _LONGEST)


def place(uri: str, *, site: bool) -> str:
    """Return where a finding stands in the log: host and path of the page, or the host alone.

    A place of its own for each page, which is no file, and no address: GitHub takes neither.
    """
    parts = _split(uri)
    if parts is None:
        return NO_ADDRESS
    host = shown_origin(uri).partition("://")[2]
    if site:
        return host
    path = os.fsdecode(unquote_to_bytes(_PARAMETER.sub("", parts.path)))
    return host + cut(normpath(f"/{path}").replace("//", "/"), _LONGEST_PATH).rstrip("/")


def _value(name: str, value: str) -> str:
    return MASK if SENSITIVE.search(name) or is_random(value) else value


def _split(uri: str) -> SplitResult | None:
    if not origin(uri):
        return None
    return urlsplit(uri)._replace(fragment="")
