"""`[app]`: the application that is scanned while it runs."""

import re
from collections.abc import Mapping
from posixpath import isabs, normpath
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scanrun.config.values import (
    Argument,
    Count,
    Duration,
    Megabytes,
    Reference,
    SecretName,
    Text,
)

Port = Annotated[Count, Field(ge=1, le=65_535)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
UrlPath = Annotated[str, Field(pattern=r"^/[^\s#\\\x00-\x1f\x7f]{0,2000}$")]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
HostAndPort = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$")]
Danger = Literal[
    "binds",
    "capabilities",
    "devices",
    "engine-socket",
    "external",
    "host-namespaces",
    "host-network",
    "outside-files",
    "privileged",
    "remote-builds",
    "unconfined",
    "unknown-keys",
]
"""What a compose file may ask for that reaches out of its containers."""

_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""The last part of a host that is a number, however short it is written: 127.1 is one."""
KINDS = ("image", "dockerfile", "compose", "url")
_OF_CONTAINERS = [
    "port",
    "scheme",
    "path",
    "env",
    "secrets",
    "command",
    "memory",
    "network",
    "seed",
]
_OF_ONE_KIND = {"dockerfile": ("context", "target", "build_args"), "compose": ("compose_allow",)}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SignInSettings(_Section):
    """`[app.sign_in]`: the header that signs scanners in."""

    header: Header = "Authorization"
    """Its name."""
    secret: SecretName
    """Name of the secret that is its whole value (`Bearer …`)."""


class AppSettings(_Section):
    """`[app]`: the application under test. Exactly one of image, dockerfile, compose and url."""

    image: Reference | None = None
    """Image that it runs in."""
    dockerfile: Text | None = None
    """Dockerfile that its image is built from, relative to `context`."""
    context: Text = "."
    """Folder that the image is built from, relative to the scanned folder."""
    target: Text | None = None
    """Stage of the Dockerfile."""
    build_args: Mapping[Variable, Argument] = Field(default_factory=dict)
    """Arguments of the build. No secrets: an image keeps them."""
    compose: Text | None = None
    """Compose file, relative to the scanned folder."""
    service: Text | None = None
    """The compose file's service that is scanned."""
    compose_allow: tuple[Danger, ...] = ()
    """What the compose file may do that reaches out of its containers."""
    url: Text | None = None
    """Address of an application that runs already. It must be listed in `allowed_targets`."""
    allowed_targets: tuple[HostAndPort, ...] = ()
    """`host:port` of each address outside the private network that may be sent requests."""

    port: Port | None = None
    """Where it answers in its container."""
    scheme: Literal["http", "https"] = "http"
    """How it is spoken to. Certificates are not verified."""
    host: HostName | None = None
    """Name by which scanners call it; without it `app`, or the url's own."""
    path: UrlPath = "/"
    """Where scans begin."""
    env: Mapping[Variable, Argument] = Field(default_factory=dict)
    """Its environment. No secrets: it is shown."""
    secrets: Mapping[Variable, SecretName] = Field(default_factory=dict)
    """Its environment variables that hold secrets -> the secrets' names."""
    command: tuple[Argument, ...] = ()
    """Command instead of the image's own."""
    memory: Megabytes = 1024
    """Memory it may use at the most."""
    network: Literal["private", "open"] = "private"
    """`open`: it has a way out. Scanners never have one."""

    health: UrlPath | None = None
    """Path that answers once it is ready; without it, `path`."""
    status: Annotated[Count, Field(ge=100, le=599)] = 200
    """Status that is due at `path`."""
    text: Text | None = None
    """Text that is due in the page at `path`."""
    title: Text | None = None
    """Title of the page at `path`."""
    start_deadline: Duration | None = None
    """How long it may take until it is ready; without it two minutes, or 10 s for a `url`."""
    seed: tuple[Argument, ...] = ()
    """Command that is run in its container once it is ready."""
    sign_in: SignInSettings | None = None
    """The header that signs scanners in."""

    @property
    def kind(self) -> str | None:
        """Return which of `KINDS` is set; None where nothing is."""
        return next((name for name in KINDS if getattr(self, name)), None)

    @property
    def url_target(self) -> str:
        """Return `host:port` of the url."""
        parts = urlsplit(self.url or "")
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    @property
    def said(self) -> frozenset[str]:
        """Return the keys whose values are other than by default."""
        defaults = type(self).model_construct()
        return frozenset(
            name
            for name in type(self).model_fields
            if getattr(self, name) != getattr(defaults, name)
        )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        named = [name for name in KINDS if getattr(self, name)]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)}: an application is one of {', '.join(KINDS)}")
        if named == ["url"]:
            self._check_url()
        elif named and self.port is None:
            raise ValueError("port: say where the application answers in its container")
        if (self.compose is None) != (self.service is None):
            raise ValueError("compose and service belong together")
        for kind, names in _OF_ONE_KIND.items():
            if idle := [] if kind in named else sorted(self.said.intersection(names)):
                raise ValueError(f"{', '.join(idle)}: of no use without {kind}")
        for name in ("dockerfile", "context", "compose"):
            _check_inside(name, getattr(self, name))
        if self.host and means_here(self.host):
            raise ValueError(f"host: for a scanner, {self.host!r} is itself; choose a name")
        return self

    def _check_url(self) -> None:
        idle = [name for name in _OF_CONTAINERS if name in self.said]
        if idle:
            raise ValueError(f"{', '.join(idle)}: of no use with url, which runs already")
        parts = urlsplit(self.url or "")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
            raise ValueError("url: write http://host:port/path or https://…")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("url: no user, password or fragment; sign_in signs scanners in")
        if re.search(r"[\s\\\x00-\x1f\x7f]", self.url or ""):
            raise ValueError("url: no blanks, backslashes or control characters")


def means_here(host: str) -> bool:
    """Say whether who is told `host` looks for it elsewhere than in its list of names."""
    last = host.lower().rstrip(".").rpartition(".")[2]
    return last == "localhost" or ":" in host or _NUMBER.fullmatch(last) is not None


def _check_inside(name: str, value: str | None) -> None:
    if value and (isabs(value) or normpath(value).startswith("..")):
        raise ValueError(f"{name} lies outside of the scanned folder: {value!r}")
