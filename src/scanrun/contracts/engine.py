"""What an engine has to be, and what its session may be able to do besides."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from scanrun.model import (
    Address,
    Located,
    Service,
    Snapshot,
    Step,
    StepOutcome,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What a session of an engine is opened with."""

    run_id: str
    scratch: Path
    """The run's own folder on this host, mode 0700, removed after the run."""
    pull: str = "missing"
    """`missing`, `never` or `always`."""
    offline: bool = False
    mirror: str = ""
    """Registry prefix that stands in for the public hubs."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Image reference -> digest, from `scanrun.lock`. Obeyed."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The caller's environment: proxies, DOCKER_HOST, PATH. Never passed on wholesale."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """What an engine really keeps a scanner from, for the plan and `doctor`."""

    network: bool
    """A step without `network` has none."""
    limits: bool
    """A step's limits of memory and processes hold."""
    summary: str


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`. `ok` None: worth knowing, nothing wrong."""

    name: str
    ok: bool | None
    detail: str
    hint: str = ""


class Session(Protocol):
    """An engine in use by one run. Closed on every way out; thread-safe but for `close`."""

    endpoint: str
    version: str
    isolation: Isolation

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        ...

    def locate(self, step: Step) -> Located:
        """Find what would run the step, changing nothing. A problem is returned, not raised."""
        ...

    def prepare(self, step: Step, cancel: threading.Event) -> Located:
        """Make sure that it is there (pull), and return it with its digest or version.

        Raises:
            MissingToolError: it can't be had.
        """
        ...

    def share(self, snapshot: Snapshot, extra: Mapping[str, bytes]) -> None:
        """Tell what `Step.source` holds: the snapshot's files, and `extra` (path -> content).

        Lazy: the copy is made, once, when the first step needs it.
        """
        ...

    def run(
        self,
        step: Step,
        *,
        name: str,
        caches: Mapping[str, Path],
        folder: Path,
        cancel: threading.Event,
        beside: Sequence["Running"] = (),
    ) -> StepOutcome:
        """Run the step and fetch its outputs into `folder`, which is empty.

        `name` is the scanner's, for labels and messages; `caches` maps each name in `step.caches`
        to its folder on this host; `beside` are the services that it speaks to. `step.sealed` is
        in `step.files` by now. The exit code is judged by the caller.

        Raises:
            DeadlineError: `step.timeout_s` was over; all of it is dead.
            StepError: it can't be started, or an output is missing or too large.
            EngineLostError: the engine failed.
            InterruptedRunError: `cancel` was set; all of it is dead.
        """
        ...

    def close(self) -> None:
        """Remove all that belongs to the run. Never raises; safe to call twice."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Something that runs steps."""

    name: str
    runs: str
    """Which part of a step it runs: `image` or `executable`."""

    def open(self, settings: EngineSettings) -> Session:
        """Return a session.

        Raises:
            EngineError: there is no such engine here.
        """
        ...

    def diagnose(self, settings: EngineSettings) -> Iterator[Check]:
        """Yield what `doctor` should say."""
        ...


class Running(Protocol):
    """A service that runs on an engine."""

    address: Address

    def problem(self) -> str:
        """Say how it ended; empty while it runs."""
        ...

    def write_log(self, path: Path) -> None:
        """Append what it has printed so far."""
        ...

    def execute(
        self, argv: Sequence[str], *, timeout_s: float, cancel: threading.Event
    ) -> tuple[int, str]:
        """Run a command beside it, in its own container; return exit code and last words.

        Raises:
            StepError: it can't be run there, or did not end in time.
        """
        ...

    def stop(self) -> None:
        """Remove it and all that belongs to it, unless it is to be kept. Never raises."""
        ...

    def remove(self) -> None:
        """Remove it, even one that is to be kept: it is no good. Never raises."""
        ...


@runtime_checkable
class HasAdvice(Protocol):
    """A running service that can tell what may keep it from being ready."""

    def advice(self) -> str:
        """Say what was found; empty if nothing was. Never raises."""
        ...


@runtime_checkable
class RunsServices(Protocol):
    """A session whose engine can run services."""

    memory_mb: int
    """What all of its containers together can use."""

    def serve(
        self,
        service: Service,
        *,
        name: str,
        cancel: threading.Event,
        secrets: Mapping[str, str] = ...,
        say: Callable[[str], None] = ...,
        log: Path | None = ...,
    ) -> Running:
        """Start the service; return when it can be spoken to, ready or not.

        One that is to be kept and runs already is found again. `secrets` are the values of
        `service.secrets`, by environment variable. `say` is told of what takes long (a build),
        and what that prints is appended to `log`.

        Raises:
            MissingToolError: its image can't be had.
            StepError: it can't be started.
            EngineLostError: the engine failed.
            InterruptedRunError: `cancel` was set.
        """
        ...


@runtime_checkable
class ResolvesImages(Protocol):
    """A session that can look up digests, for `scanrun lock`."""

    def digest(self, reference: str) -> str:
        """Return `sha256:…` of the image that the reference names at its registry.

        Raises:
            MissingToolError: the registry does not know it, or can't be reached.
        """
        ...

    def export(self, reference: str, archive: Path) -> None:
        """Write the image as a `docker save` archive (pulled first where the policy allows).

        Raises:
            MissingToolError: the engine does not have it.
        """
        ...


@runtime_checkable
class KeepsThings(Protocol):
    """A session whose engine keeps things between runs, for `cache clear`."""

    def clear(self) -> Sequence[str]:
        """Remove what is kept and in nobody's use; return a line for each."""
        ...
