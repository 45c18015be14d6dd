"""How a path of the scanned tree stands in SARIF: a relative URI reference."""

import os
import re
from functools import lru_cache
from posixpath import normpath
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from scanrun.errors import ConversionError

_SAFE = "/!$&'()*+,;=@~"
_DRIVE = re.compile(r"^[A-Za-z]:/")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")


@lru_cache(4096)
def encode_path(path: str) -> str:
    """Return `path` percent-encoded, byte for byte.

    `:` is always escaped: `localhost:8000` in a first segment reads as a scheme, and one bad
    scheme makes GitHub reject a whole upload.
    """
    return quote_from_bytes(os.fsencode(path), safe=_SAFE)


@lru_cache(4096)
def decode_path(uri: str) -> str:
    """Return the path that a relative URI reference stands for."""
    return os.fsdecode(unquote_to_bytes(uri))


@lru_cache(4096)
def inside_tree(uri: str) -> str:
    """Return a relative reference as one that stays in the tree: `/` and `..` end at its root."""
    return uri if is_inside(uri) else encode_path(_inside(decode_path(uri)))


def is_inside(uri: str) -> bool:
    """Say whether a relative reference surely stays in the tree."""
    return not uri.startswith("/") and ".." not in uri


def relative_path(path: str, *roots: str) -> str:
    """Return `path` relative to the first of `roots` it lies under, without `./` and `..`.

    Raises:
        ConversionError: it is absolute under none of them, or leaves the tree.
    """
    for root in roots:
        if path == root or path.startswith(root.rstrip("/") + "/"):
            path = path[len(root) :].lstrip("/")
            break
    clean = normpath(path) if path else "."
    if clean.startswith(("/", "../")) or clean == "..":
        raise ConversionError(f"path {path!r} leaves the scanned tree")
    return "" if clean == "." else clean


def strip_file_scheme(uri: str) -> str:
    """Return the absolute path of a `file:` URI, or the decoded path of a relative reference.

    Raises:
        ConversionError: another scheme.
    """
    if uri.startswith("file://"):
        rest = uri[len("file://") :]
        return decode_path(rest[rest.find("/") :] if "/" in rest else rest)
    if uri.startswith("file:"):
        return decode_path(uri[len("file:") :])
    if _SCHEME.match(uri):
        raise ConversionError(f"location {uri!r} is no path")
    return decode_path(uri)


@lru_cache(4096)
def place_in_tree(uri: str, roots: tuple[str, ...]) -> tuple[str, str]:
    """Return the path in the tree that a tool's `uri` means, and the URI itself if it lies outside.

    What lies outside (a system header, a web page) still needs a place of its own in the log:
    its path without the leading `/`, or host and path of the page. A finding is never dropped
    for where it is.
    """
    uri = uri.replace("\\", "/")
    if _DRIVE.match(uri):
        uri = "file:///" + uri
    try:
        path = strip_file_scheme(uri)
    except ConversionError:
        parts = _urlsplit(uri)
        return _inside(decode_path(parts[0] + "/" + parts[1])), uri
    try:
        return relative_path(path, *roots), ""
    except ConversionError:
        return _inside(path), uri


def _inside(path: str) -> str:
    return normpath("/" + path).lstrip("/")


def _urlsplit(uri: str) -> tuple[str, str]:
    """Return host and path of `uri`, without user and password."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", uri.partition(":")[2]
    return parts.netloc.rpartition("@")[2], parts.path
