"""Whether a scanner's answer is to be believed, and why: the verb is `weigh`."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scanrun.contracts import HasCanary, HasInputs, HasSigns, Scanner
from scanrun.model import (
    Database,
    Edition,
    Evidence,
    Notification,
    Outputs,
    Proof,
    Reached,
    ScanResult,
    Sign,
    Target,
)
from scanrun.quantity import counted, span

_SHOWN = 5
_AHEAD = timedelta(days=1)
"""So far a database may be ahead of the clock: time zones, and clocks that drift."""
_ANSI = re.compile(rb"\x1b\[[0-9;]*m")
_NAMED_FIRST = rb"""[^/="']*=?["']?(?:\./|(?:/src/)?(?:tree/)?)(?:%b)(?![^\s"':,;)])"""
"""A line that names a canary, and nothing before it: what follows may quote the tree's own text."""


@dataclass(frozen=True, slots=True)
class UsedDatabase:
    """A database that a scan read, in the state it had, and how old it may be."""

    database: Database
    edition: Edition
    max_age: timedelta


def weigh(
    scanner: Scanner,
    target: Target,
    outputs: Outputs,
    *,
    canary_found: frozenset[str],
    databases: Iterable[UsedDatabase] = (),
    notifications: Iterable[Notification] = (),
    lost: Iterable[str] = (),
    reached: Reached | None = None,
    planted: Collection[str] = (),
    lower: Collection[Proof] = (),
    now: datetime | None = None,
) -> Evidence:
    """Return the evidence for an answer. Each of its `problems` makes the scan incomplete.

    `lost` is what the scanner was not given of the tree, `planted` the paths of the canaries in
    what it was given. `lower` are the proofs that are not insisted on: what is missing of them is
    `lowered`.
    """
    now = now or datetime.now(UTC)
    used = tuple(databases)
    canary, canary_problems = _canary(scanner, canary_found)
    expected, kinds, missing = _inputs(scanner, target, outputs)
    signs, sign_problems = _signs(scanner, outputs.log, planted)
    problems = [
        *((Proof.CANARY, text) for text in canary_problems),
        *((Proof.INPUTS, text) for text in _missing_problems(missing)),
        *((Proof.INPUTS, text) for text in lost),
        *((Proof.SIGNS, text) for text in sign_problems),
        *((Proof.AGE, text) for text in age_problems(used, now)),
        *((Proof.REACH, text) for text in (reached.problems if reached else ())),
        *((note.proof, note.text) for note in notifications if note.level == "error"),
    ]
    oldest = min((each.edition.updated for each in used), default=None)
    return Evidence(
        canary=canary,
        expected=expected,
        accounted=expected - len(missing),
        kinds=kinds,
        missing=missing,
        data_updated=oldest,
        reached=reached,
        signs=signs,
        problems=tuple(dict.fromkeys(text for proof, text in problems if proof not in lower)),
        lowered=tuple(dict.fromkeys(text for proof, text in problems if proof in lower)),
        summary=", ".join((*_reach(reached), *_summary(kinds, canary, oldest, now))),
    )


def lowered(results: Iterable[ScanResult]) -> Iterator[str]:
    """Yield a sentence on each scanner that is believed with less evidence than it should have."""
    for each in results:
        if each.evidence.lowered:
            missing = "; ".join(each.evidence.lowered)
            yield f"{each.name} is believed all the same (evidence.lower): {missing}"


def _canary(scanner: Scanner, found: frozenset[str]) -> tuple[str, list[str]]:
    if not isinstance(scanner, HasCanary):
        return "none", []
    lost = sorted(scanner.canary().rule_ids - found)
    if not lost:
        return "found", []
    return "missing", [f"it did not find its canary ({', '.join(lost)}), so it could find nothing"]


def _inputs(
    scanner: Scanner, target: Target, outputs: Outputs
) -> tuple[int, Mapping[str, int], tuple[str, ...]]:
    if not isinstance(scanner, HasInputs):
        return 0, {}, ()
    expected = scanner.expects(target)
    accounted = scanner.accounted(outputs)
    kinds = Counter(each.kind for each in expected if each.path in accounted)
    missing = tuple(each.path for each in expected if each.path not in accounted)
    return len(expected), dict(sorted(kinds.items())), missing


def _missing_problems(missing: tuple[str, ...]) -> Iterator[str]:
    if missing:
        names = ", ".join(repr(path) for path in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        yield f"not analysed: {names}{more}"


def _signs(
    scanner: Scanner, log: Path | None, planted: Collection[str]
) -> tuple[tuple[str, ...], list[str]]:
    """Return what the log tells, and which of it takes the answer's worth away.

    What it says of a canary is no sign: some of them are broken for another scanner.
    """
    if not isinstance(scanner, HasSigns) or log is None:
        return (), []
    patterns = [(sign, re.compile(sign.pattern.encode())) for sign in scanner.signs]
    ours = _lines_about(planted)
    seen: Counter[Sign] = Counter()
    with log.open("rb") as stream:
        while line := stream.readline(65536):
            plain = _ANSI.sub(b"", line)
            if not ours.match(plain):
                seen.update(sign for sign, pattern in patterns if pattern.search(plain))
    told = {sign: f"{sign.meaning} ({times} times)" for sign, times in seen.items()}
    return tuple(told.values()), [text for sign, text in told.items() if sign.incomplete]


def _lines_about(planted: Collection[str]) -> re.Pattern[bytes]:
    names = b"|".join(re.escape(os.fsencode(path)) for path in sorted(planted))
    return re.compile(_NAMED_FIRST % (names or b"(?!)"))


def age_problems(used: Iterable[UsedDatabase], now: datetime) -> Iterator[str]:
    """Yield a sentence on each database that is too old, or newer than it can be."""
    for each in used:
        age = now - each.edition.updated
        if age > each.max_age:
            allowed = span(each.max_age)
            yield f"{each.database.title} is {span(age)} old, and {allowed} is the most it may be"
        elif age < -_AHEAD:
            yield (
                f"{each.database.title} is {span(-age)} newer than this clock: one of them is"
                " wrong, and so nobody knows how old it is"
            )


def _reach(reached: Reached | None) -> Iterator[str]:
    """Yield what was seen of the application: `15 pages of http://app:8080`, `2xx 80 %`."""
    if reached is not None:
        yield f"{counted(reached.pages, 'page')} of {reached.url or 'no application'}"
        yield from (f"{code} {share} %" for code, share in sorted(reached.codes.items()) if share)


def _summary(
    kinds: Mapping[str, int], canary: str, data: datetime | None, now: datetime
) -> Iterator[str]:
    yield from (counted(count, kind) for kind, count in kinds.items())
    if data is not None:
        yield f"database {span(now - data)} old"
    if canary != "none":
        yield f"canary {canary}"
