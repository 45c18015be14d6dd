"""What a scanner has to be, and the optional abilities that it may have.

A scanner needs only `Scanner`. Each `Has…` protocol is an ability of its own: a scanner has it by
having the method, and the core asks with `isinstance`.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from scanrun.errors import ScanError
from scanrun.model import (
    Address,
    Applies,
    Canary,
    Category,
    Condition,
    Database,
    Ignore,
    Influence,
    Input,
    Need,
    Notification,
    Outputs,
    Reached,
    Rewrite,
    Service,
    Sign,
    Step,
    Target,
    Task,
)
from scanrun.sarif.build import Result, Rule


@runtime_checkable
class Scanner(Protocol):
    """A tool that looks for security findings."""

    name: str
    category: Category

    def applies(self, target: Target) -> Applies:
        """Say whether there is anything to do here, and why."""
        ...

    def steps(self, target: Target) -> tuple[Step | Task, ...]:
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
class HasReach(Protocol):
    """A scanner of running applications, which can say what it saw of this one."""

    def reached(self, outputs: Outputs) -> Reached:
        """Return what it saw. What it does not tell is no reason to believe it."""
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
class HasConditions(Protocol):
    """A scanner whose server has a gate of its own."""

    def conditions(self, outputs: Outputs) -> tuple[Condition, ...]:
        """Return what it asked, and the answers. One that is not passed fails the gate."""
        ...


@runtime_checkable
class HasDatabases(Protocol):
    """A scanner that must have databases before it scans."""

    def databases(self, target: Target) -> tuple[Database, ...]:
        """Return the databases that the steps' `caches` name."""
        ...


@runtime_checkable
class HasServices(Protocol):
    """A scanner that needs servers beside it."""

    def services(self, target: Target) -> tuple[Service, ...]:
        """Return the services that its steps name."""
        ...


@runtime_checkable
class HasSecrets(Protocol):
    """A scanner whose steps, or its databases' updates, read secrets."""

    def secrets(self, target: Target) -> tuple[Need, ...]:
        """Return those that `Step.sealed` and `Desk.secret` ask for."""
        ...


@runtime_checkable
class HasWanted(Protocol):
    """A scanner that wants files which git ignores, since a build has made them."""

    wanted: tuple[str, ...]
    """Patterns; see `Snapshot.match`. All scanners are given what fits."""


class Desk(Protocol):
    """What a `Task` works with."""

    outputs: Mapping[str, Path]
    """What the steps before it have left."""
    exit_code: int
    """Of the last step whose role is scan; 0 before it."""
    cancel: threading.Event
    """Set when the run is to end: a task that waits looks at it."""
    log: Path
    """What the scanner's steps have printed so far."""

    def address(self, service: str) -> Address:
        """Return where a service is reached."""
        ...

    def secret(self, name: str) -> str:
        """Return a secret; empty for an optional one that there is not."""
        ...

    def seal(self, name: str, value: str) -> None:
        """Keep a secret that was made just now, for later steps. It is masked from here on."""
        ...

    def place(self, output: str) -> Path:
        """Return where one of the task's outputs is to be written; its folder is there."""
        ...

    def say(self, text: str) -> None:
        """Tell of progress."""
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
class HasFailures(Protocol):
    """A scanner that can say what its tool's failures mean."""

    def failure(self, step: Step, exit_code: int, log: Path) -> ScanError | None:
        """Return what an exit code that is no answer means, with a hint what to do.

        `log` is what the step printed. None: nothing better is known than its last words.
        """
        ...


@runtime_checkable
class HasVersion(Protocol):
    """A scanner whose report tells its version."""

    def version(self, outputs: Outputs) -> str:
        """Return the version that the report was written by; empty if it does not say."""
        ...
