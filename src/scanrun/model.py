"""What values pass between the stages of a run. All frozen; none of them does I/O."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Self

CANARY_DIR = ".scanrun-canary"
"""Folder, in the scanned copy only, that holds `CANARY_DIR/SCANNER/FILE` for each canary."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Severity(StrEnum):
    """How bad a finding is. `UNKNOWN` is gated as high, never dropped."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    UNKNOWN = "unknown"

    @property
    def score(self) -> float:
        """Return the CVSS-like score on which GitHub, GitLab and DefectDojo agree for the word."""
        return _SCORES[self]

    @property
    def level(self) -> str:
        """Return SARIF's level."""
        return _LEVELS[self]

    def reaches(self, threshold: "Severity") -> bool:
        """Say whether a finding this bad counts against `threshold`."""
        return self.score >= threshold.score

    @classmethod
    def of_word(cls, word: str | None) -> Self:
        """Return the severity a tool's word stands for; a word nobody knows is `UNKNOWN`."""
        return cls(_WORDS.get((word or "").strip().lower(), "unknown"))

    @classmethod
    def of_score(cls, score: float) -> Self:
        """Return the CVSS v3 and v4 band of `score` (0 to 10); not a number is `UNKNOWN`."""
        if math.isnan(score):
            return cls("unknown")
        bands = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
        return cls(next((word for floor, word in bands if score >= floor), "info"))


_SCORES = {
    Severity.CRITICAL: 9.5,
    Severity.HIGH: 8.0,
    Severity.UNKNOWN: 8.0,
    Severity.MEDIUM: 5.5,
    Severity.LOW: 2.0,
    Severity.INFO: 0.0,
}
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.UNKNOWN: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_WORDS = {
    "critical": "critical",
    "blocker": "critical",
    "high": "high",
    "error": "high",
    "important": "high",
    "major": "high",
    "medium": "medium",
    "moderate": "medium",
    "warning": "medium",
    "low": "low",
    "minor": "low",
    "note": "low",
    "info": "info",
    "informational": "info",
    "negligible": "info",
    "none": "info",
}


class Category(StrEnum):
    """What kind of thing a scanner looks at."""

    SAST = "sast"
    SCA = "sca"
    DAST = "dast"
    CONTAINER = "container"
    SECRET = "secret"  # noqa: S105 - the name of a category
    IAC = "iac"


# --- what is scanned -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One file that scanners are given.

    `path` is relative to the root, with `/`; bytes that are no UTF-8 are surrogate escapes, so
    that `os.fsencode` gives the name back exactly.
    """

    path: str
    size: int
    mode: int = 0o644

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One thing no scanner is given, and the rule that left it out (`git ignore`, `link`, …)."""

    path: str
    rule: str


@dataclass(frozen=True, slots=True)
class Tell:
    """A file of the tree that would change a scan. It is left out of the scanned copy."""

    path: str
    scanner: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The tree as it was walked, once. Files are sorted by path."""

    root: Path
    files: tuple[SnapshotFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    tells: tuple[Tell, ...] = ()
    commit: str | None = None
    dirty: bool | None = None
    """Whether `files` are not exactly those of `commit`. None where there is no commit."""
    repository: str = ""
    """Address of the repository, without user and password; empty where nobody knows it."""
    notes: tuple[str, ...] = ()
    """What the plan has to tell of the walk itself (git is broken: every file is taken)."""

    def match(self, *patterns: str) -> tuple[SnapshotFile, ...]:
        """Return the files whose name (no `/` in the pattern) or whole path fits a pattern.

        Patterns are `fnmatch`'s, upper and lower case kept apart; `*` also crosses `/`.
        """
        return tuple(file for file in self.files if _fits(file, patterns))

    @property
    def size(self) -> int:
        """Return the sum of all file sizes, in bytes."""
        return sum(file.size for file in self.files)


def _fits(file: SnapshotFile, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(file.path if "/" in each else file.name, each) for each in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """All that a scanner may know when it says what it would run."""

    snapshot: Snapshot
    image: str | None = None
    """Reference, or path to an archive, of the container image to scan."""
    archive: Path | None = None
    """The image as an archive on this host, once it is had."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The scanner's own validated options (`[scanner.NAME]` less the common keys)."""
    args: tuple[str, ...] = ()
    """Arguments that the configuration adds."""
    memory_mb: int | None = None
    """What the configuration allows each step; None where it says nothing."""
    offline: bool = False

    @property
    def files(self) -> tuple[SnapshotFile, ...]:
        """Return the files of the snapshot."""
        return self.snapshot.files

    def match(self, *patterns: str) -> tuple[SnapshotFile, ...]:
        """Return the snapshot's files that fit; see `Snapshot.match`."""
        return self.snapshot.match(*patterns)


@dataclass(frozen=True, slots=True)
class Applies:
    """Whether there is anything for a scanner to do, and why (or why not)."""

    yes: bool
    reason: str

    @classmethod
    def to(cls, files: Iterable[SnapshotFile], kind: str = "file") -> Self:
        """Return yes when there are any `files`, with their number as the reason."""
        count = sum(1 for _ in files)
        return cls(count > 0, f"{count or 'no'} {kind}{'' if count == 1 else 's'}")

    @classmethod
    def no(cls, reason: str) -> Self:
        """Return no, for `reason`."""
        return cls(yes=False, reason=reason)


# --- what is run -----------------------------------------------------------------------------


class Role(StrEnum):
    """What a step is for."""

    UPDATE = "update"
    SERVICE = "service"
    PROBE = "probe"
    SCAN = "scan"
    COLLECT = "collect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a step may use at the most."""

    memory_mb: int = 1024
    pids: int = 256
    scratch_mb: int = 256
    """Size of `/tmp`, `HOME` and `TMPDIR`. It counts as memory."""
    output_mb: int = 2048
    """Size of all its outputs together, and of what it prints."""

    def with_memory(self, memory_mb: int | None) -> Self:
        """Return these limits with another amount of memory; None changes nothing."""
        return replace(self, memory_mb=memory_mb) if memory_mb else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command, written as its container sees it.

    The `local` engine runs the same words: an absolute path at or under `source` (and its parent,
    where that is not `/`), an output's folder, a file's folder or a cache is replaced, wherever it
    stands in `argv`, `env` and `workdir`, by its place in the scratch folder.
    """

    role: Role = Role.SCAN
    name: str = "scan"
    """Unique among the steps of its scanner."""
    image: str = ""
    """Reference with a pinned version. Empty: this step can't run in a container."""
    pulled: bool = True
    """False: no registry has the image; it is there because somebody built it, or not at all."""
    executable: str = ""
    """Name of the program on the `local` engine. Empty: it can't run there."""
    entrypoint: tuple[str, ...] | None = None
    """Replaces the image's own entry point."""
    argv: tuple[str, ...] = ()
    """Arguments, without the program's name: the image's entry point takes them."""
    env: Mapping[str, str] = field(default_factory=dict)
    source: str | None = "/src"
    """Where the scanned copy lies, read-only. None: the step is not given it."""
    workdir: str = "/"
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Absolute path -> content of small files made for the step (its own configuration)."""
    host_files: Mapping[str, Path] = field(default_factory=dict)
    """Absolute path -> file of this host to be copied in (an image archive)."""
    caches: Mapping[str, str] = field(default_factory=dict)
    """Absolute folder -> name of the database that lies there, read-only."""
    outputs: tuple[str, ...] = ()
    """Absolute paths to fetch; one that ends in `/` is a folder."""
    optional_outputs: tuple[str, ...] = ()
    """Fetched where they are there."""
    stdout: str | None = None
    """The output that is what the step prints, instead of a file that it writes."""
    ok_exit_codes: frozenset[int] = frozenset({0})
    network: bool = False
    limits: Limits = Limits()
    timeout_s: float = 900.0

    @classmethod
    def scan(  # noqa: D102 - a short form of the constructor
        cls,
        image: str,
        argv: Iterable[str],
        *,
        output: str,
        ok_exit_codes: Iterable[int] = (0,),
        **more: Any,  # noqa: ANN401 - the constructor's own keywords
    ) -> Self:
        return cls(
            image=image,
            argv=tuple(argv),
            outputs=(output,),
            ok_exit_codes=frozenset(ok_exit_codes),
            **more,
        )


@dataclass(frozen=True, slots=True)
class Located:
    """What would run a step: an image or an executable, found without running or pulling it."""

    reference: str
    """Image reference as it will be asked for, or path of the executable."""
    version: str = ""
    digest: str = ""
    problem: str = ""
    """Why it can't be had; empty when it is there or can be pulled."""
    hint: str = ""
    note: str = ""
    """`to be pulled`, `pinned by scanrun.lock`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """How a step ended. Files are on this host, in the run's scratch folder."""

    exit_code: int
    outputs: Mapping[str, Path]
    log: Path
    """What it printed, both streams (stdout left out where that is an output)."""
    started: datetime
    ended: datetime
    oom_killed: bool = False
    notes: tuple[str, ...] = ()


class Outputs(Mapping[str, Path]):
    """What the steps of one scanner left: absolute container path -> file or folder on this host.

    Asking for an output that is not there raises `KeyError`; converters ask for those their steps
    declare, and the engine has already refused a run without them.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        *,
        log: Path | None = None,
        exit_code: int = 0,
        snapshot: Snapshot | None = None,
        options: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self._paths = dict(paths)
        self.log = log
        self.exit_code = exit_code
        """Of the last step whose role is scan."""
        self.snapshot = snapshot or Snapshot(root=Path())
        self.options = options

    def __getitem__(self, path: str) -> Path:
        return self._paths[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


# --- databases -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edition:
    """One state of a database, as the database itself tells it."""

    updated: datetime
    next_update: datetime | None = None
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What a scanner must know before it can scan, kept in the cache between runs."""

    name: str
    """With the format's version in it (`trivy-db-2`): another format is another database."""
    title: str
    update: Step
    """Role `UPDATE`, with a network; its only output is the folder of the new edition."""
    read: Callable[[Path], Edition]
    """Reads the folder; raises `ConversionError` when it holds no such database."""
    refresh: timedelta = timedelta(hours=24)
    """Younger than this is not updated again (an edition's own `next_update` goes before)."""
    max_age: timedelta = timedelta(days=7)
    """Older than this proves nothing: the scan is incomplete."""


# --- proof of scan ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Canary:
    """Small files in which a working scanner must find something known.

    `files`: name below `CANARY_DIR/SCANNER/` -> content. Each of `rule_id` must be found there.
    """

    files: Mapping[str, bytes]
    rule_id: str | tuple[str, ...]

    @property
    def rule_ids(self) -> frozenset[str]:
        """Return the rules that must be found."""
        return frozenset((self.rule_id,) if isinstance(self.rule_id, str) else self.rule_id)


@dataclass(frozen=True, slots=True)
class Input:
    """One input that a scanner has to account for."""

    path: str
    kind: str
    """In the singular: `lock file`, `Python file`."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A pattern in a scanner's log that something was left out.

    `meaning` is told; `incomplete` says whether it takes the result's worth away.
    """

    pattern: str
    meaning: str
    incomplete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why an answer is believed, or what is missing for it."""

    canary: str = "none"
    """`found`, `missing`, or `none` where the scanner has no canary."""
    expected: int = 0
    accounted: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Kind of input -> how many were accounted for."""
    missing: tuple[str, ...] = ()
    data_updated: datetime | None = None
    signs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Each makes the scan incomplete."""
    summary: str = ""
    """One line for people: `3 lock files, 1 config file, database 5 h old, canary found`."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a converter has to say of the scan itself. SARIF's toolExecutionNotification."""

    text: str
    level: str = "warning"
    """`error` makes the scan incomplete."""
    path: str | None = None

    def with_score(self, score: float) -> Self:  # noqa: ARG002 - the signature of rule and result
        """Return itself: so a converter can raise all that `read_sarif` yields."""
        return self


# --- what comes of it ------------------------------------------------------------------------


class Decision(StrEnum):
    """What the plan does with a scanner."""

    RUN = "run"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    UNAVAILABLE = "unavailable"
    """It applies, and can't be run: incomplete."""


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
    evidence: Evidence = Evidence()
    notifications: tuple[Notification, ...] = ()
    counts: Mapping[Severity, int] = field(default_factory=dict)
    """Of the findings that are not suppressed."""
    counts_by_category: Mapping[str, Mapping[Severity, int]] = field(default_factory=dict)
    """The same by category; empty: all of them are of the scanner's own."""
    run_file: Path | None = None
    """One SARIF run as JSON, in the scratch folder."""
    log: Path | None = None
    raw: Mapping[str, Path] = field(default_factory=dict)
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


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing the gate asked, and the answer."""

    name: str
    passed: bool
    detail: str


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


def container_parent(path: str) -> str:
    """Return the folder of an absolute container path (`/out/` for a folder is itself)."""
    return path.rstrip("/") if path.endswith("/") else str(PurePosixPath(path).parent)
