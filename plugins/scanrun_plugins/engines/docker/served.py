"""A service that runs: how it fares, what it says, and its end."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from docker.errors import DockerException, NotFound

from scanrun.api import Address, Running, ScanError, StepError
from scanrun_plugins.engines.docker.advising import advice
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.events import Kills
from scanrun_plugins.engines.docker.executing import execute
from scanrun_plugins.engines.docker.failures import (
    TRANSPORT_ERRORS,
    engine_errors,
    sensible,
    telling_line,
)
from scanrun_plugins.engines.docker.forward import Forwarder
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.order import through_shell

LOG_LIMIT = 64 << 20
_LINES = 20


@dataclass(slots=True, kw_only=True)
class Made:
    """What a service consists of on the engine."""

    container: str = ""
    private: str = ""
    """The network that it shares with steps."""
    other: str = ""
    """The network that it shares with this host, or that is its way out."""
    porter: str = ""
    """The container through which this host reaches an application."""
    front: str = ""
    """The network that the porter shares with this host."""
    volumes: list[str] = field(default_factory=list)

    def remove(self, containers: Containers, networks: Networks) -> None:
        """Remove all of it. What resists is left to the end of the run."""
        for container in filter(None, (self.container, self.porter)):
            containers.remove(container)
        for volume in self.volumes:
            containers.remove_volume(volume)
        for network in filter(None, (self.private, self.other, self.front)):
            networks.remove(network)


@dataclass(slots=True, kw_only=True)
class Served:
    """Implements `Running`."""

    name: str
    host: str
    """Its host name for the steps beside it."""
    address: Address
    containers: Containers
    networks: Networks
    made: Made
    memory_mb: int
    forwarder: Forwarder | None = None
    keep: bool = False
    fresh: bool = True
    """This run has started it, not found it."""
    since: int = 0
    """When this run began to use it, in the engine's own time; 0: from its start."""
    begun: str = ""
    """When it was started, as the engine says it, of one that may not end and begin anew, nor
    lose a child for its memory; empty: it may."""
    kills: Kills | None = None
    sealed: bool = False
    """Its secrets lie in its container, for a shell to read."""
    port: int = 0
    exposed: tuple[int, ...] = ()
    """Ports that its image says it answers on."""

    @property
    def network(self) -> str:
        """Return what steps join to reach it."""
        return self.made.private

    def number(self) -> str:
        """Return its number in the network of the steps.

        Raises:
            StepError: it has none: it does not run.
        """
        joined = self.containers.inspect(self.made.container)["NetworkSettings"]["Networks"]
        number = str(joined[self.network].get("IPAddress") or "")
        if not number:
            raise StepError(self.problem() or f"{self.name!r} is in no network")
        return number

    def problem(self) -> str:
        """Say how it ended; empty while it runs. A server that died may well have ended with 0."""
        try:
            with sensible(f"looking at {self.name!r}"):
                state = self._state()
                return self._end(state) if self._unwell(state) else self._porter_problem()
        except ScanError as error:
            return str(error)

    def _porter_problem(self) -> str:
        """Say that nobody can ask it any more; its image may lack what that takes."""
        if not self.made.porter:
            return ""
        state = self.containers.inspect(self.made.porter)["State"]
        if state["Running"]:
            return ""
        return (
            f"the container through which {self.name!r} is asked ended with exit code"
            f" {state['ExitCode']}; the scanner's image has to have python3 for it"
        )

    def _unwell(self, state: Mapping[str, Any]) -> bool:
        if not state["Running"] or state.get("Paused") or state.get("Restarting"):
            return True
        return bool(self.begun) and (
            str(state["StartedAt"]) != self.begun or self._short_of_memory(state)
        )

    def _short_of_memory(self, state: Mapping[str, Any]) -> bool:
        return bool(state.get("OOMKilled")) or (self.kills is not None and self.kills.seen())

    def _state(self) -> dict[str, Any]:
        with engine_errors(f"looking at {self.name!r}"):
            try:
                found = self.containers.api.inspect_container(self.made.container)
            except NotFound:
                raise StepError(f"{self.name!r} was removed by somebody else") from None
        state: dict[str, Any] = found["State"]
        return state

    def write_log(self, path: Path) -> None:
        """Append what it has printed, the beginning of it where that is too much.

        Where the engine does not give it, the log says so: it is for people.
        """
        with path.open("ab") as sink:
            try:
                with engine_errors(f"reading what {self.name!r} printed"):
                    self._copy_log(sink)
            except ScanError as error:
                sink.write(f"\n({error})\n".encode())

    def execute(
        self, argv: Sequence[str], *, timeout_s: float, cancel: threading.Event
    ) -> tuple[int, str]:
        """Run a command in its container, with its environment and its secrets.

        A command that hangs ends with its container: see `executing`.
        """
        with sensible(f"running {argv[0]!r} in {self.name!r}"):
            code, printed = execute(
                self.containers,
                self.made.container,
                through_shell(argv) if self.sealed else argv,
                timeout_s=timeout_s,
                cancel=cancel,
            )
        return code, telling_line(printed)

    def advice(self) -> str:
        """Say what may be why it is not ready. Never raises."""
        with suppress(ScanError), sensible(f"looking at {self.name!r}"):
            found = advice(self.containers, self.made.container, self.name, self.port, self.exposed)
            words = self._last_line()
            return "; ".join((*found, *([f"it said: {words}"] if words else ())))
        return ""

    def stop(self) -> None:
        """Remove it, unless it is to be kept: then only one whose first start failed goes."""
        if not self.keep or (self.fresh and self.problem()):
            self.remove()
        self.leave()

    def remove(self) -> None:
        """Remove it, even one that is to be kept. Never raises."""
        self.leave()
        self.made.remove(self.containers, self.networks)

    def leave(self) -> None:
        """Stop forwarding to it."""
        if self.forwarder is not None:
            self.forwarder.stop()

    def _copy_log(self, sink: BinaryIO) -> None:
        left = LOG_LIMIT
        for chunk in self._printed():
            sink.write(chunk[:left])
            left -= len(chunk)
            if left <= 0:
                sink.write(b"\n(cut off)\n")
                return

    def _end(self, state: Mapping[str, Any]) -> str:
        words = self._last_line()
        said = f"it said: {words}" if words else "nothing in its log"
        return f"{self._how(state)}{';' if words else ', and'} {said}"

    def _how(self, state: Mapping[str, Any]) -> str:
        if not state["Running"] and state.get("OOMKilled"):
            return f"{self.name!r} ran out of its {self.memory_mb} MB of memory"
        if not state["Running"]:
            return f"{self.name!r} ended with exit code {state['ExitCode']}"
        if state.get("Paused"):
            return f"{self.name!r} was paused"
        if self._short_of_memory(state):
            return f"a process of {self.name!r} was killed for its {self.memory_mb} MB of memory"
        return f"{self.name!r} has ended, and was started again at {state['StartedAt']}"

    def _last_line(self) -> str:
        printed = b""
        with suppress(DockerException, *TRANSPORT_ERRORS):
            printed = b"".join(self._printed(tail=_LINES))
        return telling_line(printed)

    def _printed(self, **more: Any) -> Any:  # noqa: ANN401 - a stream of the SDK's
        if self.since:
            more["since"] = self.since
        return self.containers.api.logs(self.made.container, stream=True, follow=False, **more)


def served(beside: Sequence[Running]) -> list[Served]:
    """Return the services as what they are here.

    Raises:
        StepError: one of them runs elsewhere.
    """
    found = [each for each in beside if isinstance(each, Served)]
    if len(found) != len(beside):
        raise StepError("a service of another engine can't be reached")
    return found
