"""What comes of it: how scanners ended, what the gate asked, and the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from scanrun.model.evidence import Evidence, Notification
from scanrun.model.severity import Severity


class Decision(StrEnum):
    """What the plan does with a scanner."""

    RUN = "run"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    UNAVAILABLE = "unavailable"
    """It applies, and can't be run: incomplete."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a scan: a database's update, a service's start, a step, the report's reading."""

    name: str
    started: datetime
    ended: datetime

    @property
    def duration_s(self) -> float:
        """Return its wall time in seconds; a clock that went back gives none."""
        return max(0.0, (self.ended - self.started).total_seconds())


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing the gate asked, and the answer."""

    name: str
    passed: bool
    detail: str


class Status(StrEnum):
    """How a scanner ended, in verdict.json."""

    COMPLETED = "completed"
    FAILED = "failed"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """How one scanner ended. Its findings are in the run file, not here."""

    name: str
    category: str
    status: Status
    reason: str = ""
    hint: str = ""
    gap: str = ""
    """What nobody checked because the scanner could not be had."""
    engine: str = ""
    image: str = ""
    digest: str = ""
    executable: str = ""
    version: str = ""
    exit_code: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    findings: int = 0
    """Not suppressed ones."""
    suppressed: int = 0
    evidence: Evidence = field(default_factory=Evidence)
    notifications: tuple[Notification, ...] = ()
    counts: Mapping[Severity, int] = field(default_factory=dict)
    """Of the findings that are not suppressed."""
    counts_by_category: Mapping[str, Mapping[Severity, int]] = field(default_factory=dict)
    """The same by category; empty: all of them are of the scanner's own."""
    run_file: Path | None = None
    """One SARIF run as JSON, in the scratch folder."""
    log: Path | None = None
    raw: Mapping[str, Path] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    conditions: tuple[Condition, ...] = ()
    """What the tool's own server asks: one that is not passed fails the gate."""
    required: bool = True
    """Whether its not completing makes the verdict incomplete."""

    @property
    def duration_s(self) -> float:
        """Return the wall time between start and end, in seconds."""
        if self.started is None or self.ended is None:
            return 0.0
        return max(0.0, (self.ended - self.started).total_seconds())


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` findings of this severity, scanner and category (None: any)."""

    maximum: int
    severity: Severity | None = None
    scanner: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """What a gate asks for."""

    fail_on: Severity | None = Severity.HIGH
    """None: never."""
    limits: tuple[Limit, ...] = ()


class Outcome(StrEnum):
    """The verdict's status."""

    PASSED = "passed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run comes to."""

    run_id: str
    status: Outcome
    exit_code: int
    reason: str
    fail_on: str
    counts: Mapping[Severity, int]
    suppressed: int = 0
    scanners: tuple[ScanResult, ...] = ()
    conditions: tuple[Condition, ...] = ()
    told: tuple[str, ...] = ()
    """What a reader of the verdict should know: tells, weakened settings, expired waivers."""
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    tree: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    ended: datetime | None = None
