"""Why an answer is believed: databases, canaries, inputs, signs, and what is told of a scan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

from scanrun.model.step import Step


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
    grows: bool = False
    """The update goes on from the edition that is held: it finds that in its output folder."""
    refresh: timedelta = timedelta(hours=24)
    """Younger than this is not updated again (an edition's own `next_update` goes before)."""
    max_age: timedelta = timedelta(days=7)
    """Older than this proves nothing: the scan is incomplete."""
    note: str = ""
    """What to know before it is fetched for the first time: `takes 10 to 60 minutes`."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """What a file of the tree would do to a scan, and what is done about it."""

    effect: str
    """A verb in the third person, and more: `takes findings out`."""
    left_out: bool = True
    """Left out of the scanned copy, for all scanners. Else it is only told: flags shut it out."""
    at_root: bool = False
    """Only a file in the root of the tree counts."""
    holding: str = ""
    """Regular expression (multi-line): only a file with such text in it counts."""
    heeded: tuple[str, object] = ("", "")
    """Option of the scanner, and its value, with which the file has its effect all the same."""


class Reach(StrEnum):
    """Which findings a comment in the source is about."""

    LINE = "line"
    """Those whose place holds the comment."""
    BLOCK = "block"
    """Those, and what stands below it, or in the block at whose head it stands."""
    FILE = "file"
    """All of the file."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """How a comment in the source asks for a finding to be left out.

    `pattern` is searched in a line. Its named groups, none of which it has to have: `rules` (names
    with commas or blanks between them, `*` for any; without it, all are meant), `until` (the day,
    2030-01-31, from which it no longer counts) and `reason`.
    """

    pattern: str
    reach: Reach = Reach.LINE


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


class Proof(StrEnum):
    """What an answer has to come with to be believed."""

    CANARY = "canary"
    """What was planted is found."""
    INPUTS = "inputs"
    """All that is expected was read."""
    AGE = "age"
    """No database is too old."""
    SIGNS = "signs"
    """The log does not tell that something was left out."""
    ERRORS = "errors"
    """The report does not tell of an error."""
    REACH = "reach"
    """The application was there, before, during and after, and the scanner saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a scanner of a running application really saw of it."""

    url: str
    """Where it began."""
    before: str = ""
    """What a probe got from where the scanner stands, before it: `200, "Parcels", 812 bytes`."""
    after: str = ""
    """The same, after it."""
    pages: int = 0
    """How many addresses it has asked for, or seen, as the scanner counts them."""
    codes: Mapping[str, int] = field(default_factory=dict)
    """`2xx` -> how many of 100 answers, as the scanner tells."""
    others: tuple[str, ...] = ()
    """Origins beside the application's that its findings name."""
    problems: tuple[str, ...] = ()
    """Why it is not believed that the application was reached; each makes the scan incomplete."""


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
    reached: Reached | None = None
    """Of a scanner of running applications."""
    signs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Each makes the scan incomplete."""
    lowered: tuple[str, ...] = ()
    """What would be problems, had the configuration not said to live with them."""
    summary: str = ""
    """One line for people: `3 lock files, 1 config file, database 5 h old, canary found`."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a converter has to say of the scan itself. SARIF's toolExecutionNotification."""

    text: str
    level: str = "warning"
    """`error` makes the scan incomplete."""
    path: str | None = None
    proof: Proof = Proof.ERRORS
    """Which proof an error takes away."""

    def with_score(self, score: float) -> Self:  # noqa: ARG002 - the signature of rule and result
        """Return itself: so a converter can raise all that `read_sarif` yields."""
        return self
