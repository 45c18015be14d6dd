"""What a plugin has to be: one protocol per kind of plugin, and the optional proofs of a scanner.

A scanner needs only `Scanner`. Each `Has…` protocol is an ability of its own: a scanner has it by
having the method, and the core asks with `isinstance`.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, runtime_checkable

from pydantic import BaseModel

from scanrun.invocation import Invocation
from scanrun.model import (
    Applies,
    Canary,
    Category,
    Database,
    Ignore,
    Influence,
    Input,
    Located,
    Notification,
    Outputs,
    Rewrite,
    Sign,
    Snapshot,
    Step,
    StepOutcome,
    Target,
    Verdict,
)
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.view import Finding


@runtime_checkable
class Scanner(Protocol):
    """A tool that looks for security findings."""

    name: str
    category: Category

    def applies(self, target: Target) -> Applies:
        """Say whether there is anything to do here, and why."""
        ...

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return what to run, in order. Touches nothing."""
        ...

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield rules and results one at a time, each rule before its first result.

        In an order that the same report always gives. Paths are relative to the scanned tree.

        Raises:
            ConversionError: the report is unreadable, cut off, or another tool's.
        """
        ...


@runtime_checkable
class HasPlace(Protocol):
    """A scanner that says where it belongs. Without it: in the default set, not embedded."""

    on_request: bool
    """Left out of `scanrun all` unless it is named or required."""
    embedded: bool
    """Comes with `scanrun[local]`: missing on a host engine, it makes the verdict incomplete."""


@dataclass(frozen=True, slots=True)
class Driver:
    """How SARIF's `tool.driver` names a scanner."""

    name: str
    full_name: str = ""
    organization: str = ""
    information_uri: str = ""


@runtime_checkable
class HasDriver(Protocol):
    """A scanner that says how it is called in the log. Else its plugin name is used."""

    driver: Driver


@runtime_checkable
class HasOptions(Protocol):
    """A scanner with configuration keys of its own in `[scanner.NAME]`."""

    options: type[BaseModel]
    """`extra="forbid"`; every key has a default. `Target.options` is its `model_dump()`."""


@runtime_checkable
class HasCanary(Protocol):
    """A scanner that can be seen to find something."""

    def canary(self) -> Canary:
        """Return files that lie in the scanned copy and in which a finding is due."""
        ...


@runtime_checkable
class HasProof(Protocol):
    """A scanner whose canary lies elsewhere than in the scanned copy (an image of its own)."""

    def proven(self, outputs: Outputs) -> frozenset[str]:
        """Return the rules of its canary that it has found there."""
        ...


@runtime_checkable
class HasInputs(Protocol):
    """A scanner that has to account for inputs."""

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return the inputs it has to account for."""
        ...

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return the paths that it says it has read."""
        ...


@runtime_checkable
class HasSigns(Protocol):
    """A scanner whose log tells when something was left out."""

    signs: tuple[Sign, ...]


@runtime_checkable
class HasDatabases(Protocol):
    """A scanner that must have databases before it scans."""

    def databases(self, target: Target) -> tuple[Database, ...]:
        """Return the databases that the steps' `caches` name."""
        ...


@runtime_checkable
class HasTells(Protocol):
    """A scanner that files in the tree could switch off, or make run code."""

    tells: Mapping[str, str | Influence]
    """Pattern (see `Snapshot.match`) -> what it would do. A text is the effect of a file that is
    left out of the scanned copy."""


@runtime_checkable
class HasVariables(Protocol):
    """A scanner that heeds the caller's environment. It is given none of it, and that is told."""

    variables: tuple[str, ...]
    """`fnmatch` patterns of names, such as `TOOL_*`."""


@runtime_checkable
class HasIgnores(Protocol):
    """A scanner that comments in the source could keep from telling.

    Its steps, or `HasRewrites`, see to it that it tells all the same. Which findings bear such a
    comment is then found in the source.
    """

    ignores: tuple[Ignore, ...]


@runtime_checkable
class HasRewrites(Protocol):
    """A scanner that heeds something in a file and has no switch for it."""

    rewrites: tuple[Rewrite, ...]


@runtime_checkable
class HasVersion(Protocol):
    """A scanner whose report tells its version."""

    def version(self, outputs: Outputs) -> str:
        """Return the version that the report was written by; empty if it does not say."""
        ...


@runtime_checkable
class Reporter(Protocol):
    """Writes findings in one more format."""

    name: str
    filename: str
    """Name of the file in the output folder."""

    def write(self, stream: IO[bytes], findings: Iterator[Finding], verdict: Verdict) -> None:
        """Write the whole report. The caller puts it in place, whole or not at all."""
        ...


@runtime_checkable
class CIEmitter(Protocol):
    """Writes the file with which a CI system calls scanrun."""

    name: str
    filename: str

    def emit(self, invocation: Invocation) -> str:
        """Return the whole, valid file, made of the invocation's own command lines."""
        ...


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
    environment: Mapping[str, str] = field(default_factory=dict)
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
    ) -> StepOutcome:
        """Run the step and fetch its outputs into `folder`, which is empty.

        `name` is the scanner's, for labels and messages; `caches` maps each name in `step.caches`
        to its folder on this host. The exit code is judged by the caller.

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


class Observer(Protocol):
    """Sees a run as it goes. Called on the main thread only."""

    def started(self, plan: Any) -> None:  # noqa: ANN401 - ScanPlan, which imports this module
        """See the plan."""
        ...

    def progress(self, scanner: str, text: str, at: datetime) -> None:
        """See that a scanner has come to something new."""
        ...

    def finished(self, result: Any) -> None:  # noqa: ANN401 - as above
        """See how a scanner ended."""
        ...
