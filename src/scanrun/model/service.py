"""What runs beside a scanner's steps: servers, and what is done in scanrun's own process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanrun.model.step import Limits, Role

_LIMITS = Limits(memory_mb=2048, pids=1024)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service's port is reached from this host."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Return it as an address for HTTP, without a path."""
        return f"http://{self}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """An image that is to be built: the user's own code, which the configuration names."""

    context: Path
    """Folder that is sent to the engine, less what its `.dockerignore` names."""
    root: Path
    """The scanned tree: what is built lies in it, links resolved."""
    dockerfile: str = "Dockerfile"
    """Below `context`."""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    network: bool = True
    """Its commands may use the network. Not where nobody but the scanned tree names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compose:
    """A service of a compose file, started with all that it depends on."""

    file: Path
    service: str
    root: Path
    """The scanned tree: a bind from outside of it has to be allowed."""
    allowed: frozenset[str] = frozenset()
    """What it may do all the same: `host-network`, `privileged`, `engine-socket`, `binds`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A server in a container of its own, on a private network with the steps that name it.

    Two scanners that ask for equal services share one. It is what `image` names, else what `build`
    or `compose` make; with `remote` it passes connections on to a server elsewhere.
    """

    name: str
    image: str = ""
    build: Build | None = None
    compose: Compose | None = None
    remote: Address | None = None
    """A server outside the engine. This process connects to it, and nothing else does: its own
    container, of `image`, which has Python 3, has no way out either."""
    host: str = ""
    """Its host name on the private network; empty: its name."""
    port: int
    """Where it answers."""
    env: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    """Folders it writes to: volumes of their own, which begin with what the image has there."""
    ready: Callable[[Address], bool]
    """Asks it, once: False is *not yet*.

    Raises:
        NotReadyError: not yet, either; its words are told where it never becomes ready.
        ScanError: it never will be.
    """
    limits: Limits = _LIMITS
    start_s: float = 300.0
    """How long it may take until it is ready."""
    open: bool = False
    """It has a way out of its network."""
    own_program: bool = False
    """The user's own: its root is writable, and it has the engine's usual capabilities, for most
    programs need some of them. Limits, no new privileges and the private network hold."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Environment variable -> name of the secret that it is to hold. It stands in no inspection of
    the container: a small shell reads it from a file when the container starts."""
    seed: tuple[str, ...] = ()
    """Command that is run in its container once it is ready; it has to end with 0."""
    porter: str = field(default="", compare=False)
    """Image, with Python 3, of the container through which this process reaches a program of the
    user's, which stands in no network with this host. Whose image it is makes no other service."""
    watched: bool = False
    """It is seen to that it answers all the time: one that ends, or begins anew, is a problem."""
    keep: str = ""
    """Name by which it is left running, and found again by the next run; empty: removed."""

    @property
    def host_name(self) -> str:
        """Return how steps call it."""
        return self.host or self.name

    @property
    def reference(self) -> str:
        """Return what is run, for people."""
        if self.build:
            return f"built from {self.build.dockerfile}"
        if self.compose:
            return f"{self.compose.service} of {self.compose.file.name}"
        return self.image


@dataclass(frozen=True, slots=True)
class Need:
    """A secret that a scanner's steps read."""

    name: str
    """A `[secret.NAME]` of the configuration, else the environment variable of that name."""
    title: str
    """What it is, for messages: `token for the SonarQube server`."""
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A step that scanrun's own process does: it asks a server, and writes down the answers.

    It stands among a scanner's steps, before or after those that run a tool.
    """

    role: Role = Role.COLLECT
    name: str
    """Unique among the steps of its scanner."""
    run: Callable[..., None]
    """Called with a `Desk`.

    Raises:
        ScanError: the scan is incomplete.
    """
    services: tuple[str, ...] = ()
    """Names of the services that it asks."""
    outputs: tuple[str, ...] = ()
    """Names as of a step's outputs; each is there when it ends."""
    timeout_s: float = 900.0
