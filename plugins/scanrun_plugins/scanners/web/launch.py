"""What the launches of such scanners have in common: where they begin, and the header they send."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit, urlunsplit

from scanrun.api import App, ScanError, SignIn

NO_APP = App(url="http://app/")
"""Stands for the application where none is configured, and no step will run."""
USUAL_PORTS = {"http": 80, "https": 443}
Seal = Callable[[Mapping[str, str]], bytes]


def start_url(app: App) -> str:
    """Return where a scan begins, without a port that goes without saying.

    Scanners take `http://h:80/` and `http://h/` for two sites, and an application's own links name
    the second.
    """
    parts = urlsplit(app.url)
    netloc = parts.netloc
    if parts.port == USUAL_PORTS.get(parts.scheme):
        netloc = netloc.removesuffix(f":{parts.port}")
    return urlunsplit(parts._replace(netloc=netloc, path=parts.path or "/", fragment=""))


def sealed_header(sign_in: SignIn, *, named: bool = False) -> Seal:
    """Return what makes the file of the header that signs in; `named`: with the header's name."""
    return partial(_header, f"{sign_in.header}: " if named else "", sign_in.secret)


def _header(before: str, name: str, secrets: Mapping[str, str]) -> bytes:
    value = secrets[name].strip()
    if not value or not value.isprintable():
        raise ScanError(
            f"the secret {name!r} can't be a header's value",
            hint="one line that is not empty, such as `Bearer …`",
        )
    return f"{before}{value}".encode()
