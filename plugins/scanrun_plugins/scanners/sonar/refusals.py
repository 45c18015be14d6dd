"""How a SonarQube server, or the way to it, can refuse: one class for each thing to be mended."""

from http import HTTPStatus

import msgspec

from scanrun.api import ScanError

_LONGEST = 300
READER = (
    "make a USER token (My Account > Security, type User Token) of somebody who may browse the"
    " project; analysis tokens can upload, and can't read what came of it"
)


class ServerError(ScanError):
    """The server answered with an error, or with something that is no answer of SonarQube's."""


class UnauthorisedError(ServerError):
    """The server does not know the token."""


class ForbiddenError(ServerError):
    """The token's owner, or its kind, lacks a right."""


class UnknownError(ServerError):
    """The server knows no such thing."""


class RefusedError(ServerError):
    """The server can't be asked that way."""


class BusyError(ServerError):
    """The server could not answer now; it may in a moment."""


class UnreachableError(ServerError):
    """There is no way to the server."""


_BUSY = frozenset({429, 502, 503, 504})
_REDIRECTS = range(300, 400)


def refusal(status: int, body: bytes, asked: str, target: str = "") -> ServerError:
    """Return what the HTTP status means. `asked` is the path, `target` where a redirect leads."""
    said = _said(body)
    if status == HTTPStatus.UNAUTHORIZED:
        return UnauthorisedError(
            f"the server refuses the token at {asked!r}",
            hint="the token is wrong, revoked or expired: make a new one",
        )
    if status == HTTPStatus.FORBIDDEN:
        return ForbiddenError(f"the token may not ask for {asked!r}{said}", hint=READER)
    if status == HTTPStatus.NOT_FOUND:
        return UnknownError(f"the server knows nothing of {asked!r}{said}", hint=_lost(body))
    if status in _BUSY:
        return BusyError(f"the server is too busy for {asked!r} (HTTP {status}){said}")
    if status in _REDIRECTS:
        return ServerError(
            f"the server sends {asked!r} on to {target[:_LONGEST]!r}",
            hint="set the server's own address: the token is not sent elsewhere",
        )
    return RefusedError(f"the server answers {asked!r} with HTTP {status}{said}")


def _lost(body: bytes) -> str:
    if b"Unknown url" in body or b"Resource not found" in body:
        return "it is still starting, or its address lacks a path (https://host/sonarqube)"
    return "check the project's key, and the address of the server"


def _said(body: bytes) -> str:
    """Return the server's own words, with a colon before them."""
    try:
        told = msgspec.json.decode(body, type=dict[str, list[dict[str, str]]])
        text = "; ".join(each["msg"] for each in told["errors"])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
        return ""
    return ": " + one_line(text) if text else ""


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return a server's text as one short line that a terminal shows and does not obey."""
    seen = "".join(each if each.isprintable() else " " for each in text[: longest * 4])
    line = " ".join(seen.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
