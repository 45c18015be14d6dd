"""One request and its answer, and how its failure reads in ZAP's words."""

import errno
import http.client
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

_PORTS = {"http": 80, "https": 443}
_BODY = 16 << 20
"""No more of a page is looked at."""
_TIMES = 2
_REDIRECTS = 100
_SAFE = "%/:?#[]@!$&'()*+,;=~-._"


class UnreachableError(Exception):
    """There was no answer; the text says why, as ZAP does."""


class UnknownHostError(UnreachableError):
    """The host has no address."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    url: str
    method: str = "GET"
    form: tuple[tuple[str, str], ...] = ()
    """Names and values that a POST sends."""
    body: bytes = b""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A request and the answer that it got."""

    request: Request
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float

    @property
    def url(self) -> str:
        """Return where it was sent."""
        return self.request.url

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def mime(self) -> str:
        """Return the media type, without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        """Say whether it is a page."""
        return "html" in self.mime

    def header(self, name: str) -> str:
        """Return a header's first value; empty where there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def location(self) -> str:
        """Return where it redirects to; empty where it does not."""
        found = self.header("location")
        return clean(urljoin(self.url, found)) if found and self.status // 100 == 3 else ""  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests. Certificates are not verified, and there are no proxies."""

    timeout: float = 20.0
    sign_in: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Header -> value."""
    sign_in_site: str = ""
    """The one host that it is sent to; empty: all."""

    def send(self, request: Request) -> Message:
        """Return the answer.

        Raises:
            UnreachableError: there is none.
        """
        for left in reversed(range(_TIMES)):
            try:
                return self._once(request)
            except (TimeoutError, http.client.HTTPException, ConnectionError, OSError) as error:
                failure = _failure(request.url, error)
                if left == 0 or not isinstance(error, TimeoutError | http.client.HTTPException):
                    raise failure from error
        raise UnreachableError

    def follow(self, request: Request) -> Message:
        """Return the answer at the end of all redirects, wherever they go.

        Raises:
            UnreachableError: there is none.
        """
        message = self.send(request)
        for _ in range(_REDIRECTS):
            if not message.location:
                return replace(message, request=request)
            message = self.send(Request(message.location))
        raise UnreachableError(f"Maximum redirects ({_REDIRECTS}) exceeded")

    def _once(self, request: Request) -> Message:
        parts = urlsplit(request.url)
        connection = _connection(parts.scheme, parts.hostname or "", parts.port, self.timeout)
        begun = time.monotonic()
        try:
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            body = request.body or "&".join(f"{_q(k)}={_q(v)}" for k, v in request.form).encode()
            _open(connection)
            connection.request(
                request.method, target, body or None, self._headers(request, parts.hostname or "")
            )
            answer = connection.getresponse()
            content = answer.read(_BODY)
            headers = tuple(answer.getheaders())
            took = time.monotonic() - begun
            return Message(request, answer.status, answer.reason, headers, content, took)
        finally:
            connection.close()

    def _headers(self, request: Request, host: str) -> dict[str, str]:
        headers = {
            "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) ZAP stand-in",
            "Pragma": "no-cache",
            "Cache-Control": "no-cache",
        }
        if request.method == "POST":
            kind = request.content_type or "application/x-www-form-urlencoded"
            headers["Content-Type"] = kind
        if not self.sign_in_site or self.sign_in_site == host:
            headers |= self.sign_in
        return headers


def clean(url: str) -> str:
    """Return an address as it is sent: without a fragment, odd characters encoded."""
    scheme, rest, path, query, _ = urlsplit(re.sub(r"[\x00-\x20\x7f]+", "", url))
    return urlunsplit((scheme, rest, quote(path, _SAFE), quote(query, _SAFE), ""))


def origin(url: str) -> str:
    """Return scheme, host and port, the port only where it is not the usual one."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    usual = port is None or port == _PORTS.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname or ''}{'' if usual else f':{port}'}"


def port_of(url: str) -> int:
    """Return the port, the usual one where none is said."""
    parts = urlsplit(url)
    return parts.port or _PORTS[parts.scheme]


def _connection(
    scheme: str, host: str, port: int | None, timeout: float
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - as ZAP
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


def _open(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except TimeoutError as error:
        raise OSError(errno.EIO, "Connect timed out") from error


def _failure(url: str, error: Exception) -> UnreachableError:
    """Return a failure in the words of ZAP's HTTP client."""
    if isinstance(error, socket.gaierror):
        return UnknownHostError(f"{urlsplit(url).hostname}: {error.strerror}")
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(f"{_connect(url)} failed: Connection refused")
    words = next((text for kind, text in _WORDS.items() if isinstance(error, kind)), "")
    if isinstance(error, http.client.IncompleteRead):
        got = len(error.partial)
        due = got + (error.expected or 0)
        words = (
            "Premature end of Content-Length delimited message body"
            f" (expected: {due}; received: {got})"
        )
    why = getattr(error, "strerror", None) or "No route to host"
    return UnreachableError(words or f"{_connect(url)} failed: {why}")


_WORDS: Mapping[type[Exception], str] = {
    http.client.RemoteDisconnected: "Read timed out",
    ConnectionResetError: "Connection reset",
    ssl.SSLError: "Unsupported or unrecognized SSL message",
    TimeoutError: "Read timed out",
    http.client.HTTPException: "Read timed out",
}
"""In this order: some are kinds of others."""


def _connect(url: str) -> str:
    host = urlsplit(url).hostname or ""
    try:
        address = socket.gethostbyname(host)
    except OSError:
        address = host
    shown = f"/{address}" if address == host else f"{host}/{address}"
    return f"Connect to {urlsplit(url).scheme}://{host}:{port_of(url)} [{shown}]"


def _q(text: str) -> str:
    return quote(text, safe="")
