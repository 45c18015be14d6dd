"""How a SonarQube server is asked: small JSON answers, bounded in size and time.

The token goes to the one address that the caller names: no redirect is followed, no proxy of the
environment is used, and no error repeats it.
"""

import base64
import http.client
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from scanrun.api import ConversionError
from scanrun_plugins.scanners.sonar.answers import decoded
from scanrun_plugins.scanners.sonar.refusals import (
    BusyError,
    ServerError,
    UnreachableError,
    one_line,
    refusal,
)
from scanrun_plugins.scanners.sonar.waiting import Cancelled, never, pauses, wait

T = TypeVar("T")

_NOTHING: Mapping[str, object] = MappingProxyType({})
LARGEST = 50 << 20
_LARGEST_ERROR = 64 << 10
_BLOCK = 64 << 10
_SLOWEST_S = 300.0
"""A whole answer has to be there by then, however it trickles."""
_CUT_OFF = (ConnectionResetError, BrokenPipeError, TimeoutError, http.client.HTTPException)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none: the token would go with it."""


class Client:
    """Asks one server, as one user. Safe to use from several threads.

    `timeout` is how long the server may be silent, `patience` for how long a busy one is asked
    again, both in seconds. `ca` is a file of further certificate authorities to trust.
    """

    def __init__(
        self,
        base_url: str,
        token: str = "",
        *,
        password: str | None = None,
        ca: Path | None = None,
        proxy: str = "",
        timeout: float = 30.0,
        patience: float = 60.0,
        cancelled: Cancelled = never,
    ) -> None:
        """Set it up; with `password`, `token` is the login that goes with it."""
        self.base_url = checked_url(base_url)
        self._headers = {"Accept": "application/json", "User-Agent": "scanrun"}
        self._headers |= _authorization(token, password)
        self._opener = _opener(ca, proxy)
        self._timeout, self._patience, self._cancelled = timeout, patience, cancelled

    @classmethod
    def with_password(cls, base_url: str, login: str, password: str, **more: Any) -> Self:  # noqa: ANN401 - the constructor's own keywords
        """Return a client for who has no token yet."""
        return cls(base_url, login, password=password, **more)

    def get(self, path: str, shape: type[T], **params: object) -> T:
        """Return the server's answer at `path` (`api/…`) as `shape`. Empty parameters drop out.

        Raises:
            ServerError: it refuses, or answers something else.
            InterruptedRunError: the user asked to stop.
        """
        content = self.fetch(path, params)
        try:
            return decoded(content, shape, f"the answer at {path!r}")
        except ConversionError as error:
            hint = "something else answers at this address" if content[:1] == b"<" else ""
            raise ServerError(one_line(str(error)), hint=hint) from error

    def fetch(
        self, path: str, params: Mapping[str, object] = _NOTHING, *, timeout: float | None = None
    ) -> bytes:
        """Return the bytes at `path`; see `get`."""
        query = urlencode(_given(params))
        address = f"{self.base_url}/{path}" + (f"?{query}" if query else "")
        request = Request(address, headers=self._headers)  # noqa: S310 - checked to be http(s)
        again = pauses(self._patience, first=0.5, longest=8.0)
        while True:
            if self._cancelled():
                wait(0, self._cancelled)
            try:
                return self._once(request, path, timeout or self._timeout)
            except BusyError:
                pause = next(again, None)
                if pause is None:
                    raise
                wait(pause, self._cancelled)

    def post(self, path: str, **params: object) -> bytes:
        """Have the server change something. Asked once: nobody knows whether a lost one counted."""
        data = urlencode(_given(params)).encode()
        request = Request(f"{self.base_url}/{path}", data, self._headers, method="POST")  # noqa: S310 - as above
        return self._once(request, path, self._timeout)

    def _once(self, request: Request, path: str, timeout: float) -> bytes:
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return _body(response, path)
        except HTTPError as error:
            with error:
                body = _error_body(error)
            target = _without_query(error.headers.get("Location") or "")
            raise refusal(error.code, body, path, target) from None
        except URLError as error:
            raise _unreachable(error.reason, self.base_url) from None
        except _CUT_OFF as error:
            raise BusyError(f"the server broke off at {path!r}: {type(error).__name__}") from None
        except OSError as error:
            raise _unreachable(error, self.base_url) from None


def checked_url(url: str) -> str:
    """Return the address without a slash at its end.

    Raises:
        UnreachableError: it is no address of a web server, or holds a password.
    """
    hint = "write it as https://sonarqube.example.org"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UnreachableError("the server's address is no address", hint=hint) from None
    if parts.username is not None or parts.password is not None:
        raise UnreachableError("the server's address holds a user or password", hint=hint)
    ordinary = url.isascii() and url.isprintable() and " " not in url and port != 0
    if parts.scheme not in {"http", "https"} or not host or not ordinary:
        raise UnreachableError(f"{one_line(url)!r} is no address of a server", hint=hint)
    if parts.query or parts.fragment:
        raise UnreachableError(f"{one_line(url)!r} is more than an address", hint=hint)
    return url.rstrip("/")


def _authorization(token: str, password: str | None) -> Mapping[str, str]:
    if password is not None:
        pair = base64.b64encode(f"{token}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    if not token:
        return {}
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ServerError("the token holds characters that no token has", hint="copy it anew")
    return {"Authorization": f"Bearer {token}"}


def _opener(ca: Path | None, proxy: str) -> OpenerDirector:
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise UnreachableError(
                f"the certificates in {ca.name!r} can't be read", hint="it has to be a PEM file"
            ) from error
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    return build_opener(ProxyHandler(proxies), HTTPSHandler(context=context), _NoRedirect())


def _given(params: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in params.items() if value not in (None, "")}


def _body(response: http.client.HTTPResponse, path: str) -> bytes:
    """Return the answer, all of it."""
    until = time.monotonic() + _SLOWEST_S
    content = bytearray()
    while block := response.read1(_BLOCK):
        content += block
        if len(content) > LARGEST:
            raise ServerError(f"the answer at {path!r} is larger than {LARGEST >> 20} MB")
        if time.monotonic() > until:
            raise ServerError(f"the answer at {path!r} takes longer than {_SLOWEST_S:.0f} s")
    told = response.headers.get("Content-Length")
    if told is not None and told.isdigit() and int(told) != len(content):
        raise BusyError(f"the answer at {path!r} is cut off")
    return bytes(content)


def _error_body(error: HTTPError) -> bytes:
    try:
        return error.read(_LARGEST_ERROR)
    except (OSError, http.client.HTTPException):
        return b""


def _without_query(address: str) -> str:
    return one_line(address.partition("?")[0].rpartition("@")[2])


def _unreachable(reason: object, base_url: str) -> ServerError:
    if isinstance(reason, _CUT_OFF):
        return BusyError(f"the server at {base_url!r} broke off: {type(reason).__name__}")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"the certificate of {base_url!r} is not trusted: {one_line(reason.verify_message)}",
            hint="name your certificate authority's file, and the host as the certificate does",
        )
    words = getattr(reason, "strerror", None) or str(reason)
    return UnreachableError(
        f"no way to the server at {base_url!r}: {one_line(str(words))}",
        hint="check its address, and whether this host needs a proxy for it",
    )
