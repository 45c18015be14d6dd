"""The application under test, as the scanners of running applications reach it."""

from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from scanrun.model.service import Service

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What has to be got where a scan begins, to be sure that it is the application."""

    status: int = 200
    text: str = ""
    """Text that stands in it; empty: any."""
    title: str = ""
    """Its title, white space folded; empty: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The header that signs a scanner in."""

    header: str
    secret: str
    """Name of the secret that is the header's whole value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application that is to be scanned while it runs."""

    url: str
    """Where scans begin, as a scanner reaches it: `http://app:8080/shop/`."""
    page: Page = Page()
    service: Service | None = None
    """What the scanners' steps name beside them. None: they reach it without, on this host."""
    sign_in: SignIn | None = None
    own_url: str = ""
    """The address that the configuration gave, where it gave one."""

    @property
    def origin(self) -> str:
        """Return scheme, host and port: `http://app:8080`; a port that goes without saying too."""
        return origin_of(self.url)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the services that a step needs to reach it."""
        return (self.service.name,) if self.service else ()

    def beside(self, image: str) -> tuple[Service, ...]:
        """Return the service for a scanner's `services`.

        `image` has Python 3, and is what passes connections on: to an application elsewhere, or
        from this process to one in a container.
        """
        if self.service is None:
            return ()
        if self.service.remote:
            return (replace(self.service, image=image),)
        return (replace(self.service, porter=image),)

    def on_host(self) -> Self:
        """Return it as this host itself reaches it: no service stands between."""
        return replace(self, url=self.own_url, service=None)


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, all in small letters, the port always there.

    Raises:
        ValueError: it has none that can be read.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not host:
        raise ValueError(f"{url!r:.200} is no address for HTTP")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{parts.port or _PORTS[parts.scheme]}"
