"""Whether a scanner's answer is to be believed, and why: the verb is `weigh`."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scanrun.contracts import HasCanary, HasInputs, HasSigns, Scanner
from scanrun.model import Database, Edition, Evidence, Notification, Outputs, Sign, Target

_SHOWN = 5
_ANSI = re.compile(rb"\x1b\[[0-9;]*m")


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
    now: datetime | None = None,
) -> Evidence:
    """Return the evidence for an answer. Each of its `problems` makes the scan incomplete."""
    now = now or datetime.now(UTC)
    used = tuple(databases)
    canary, canary_problems = _canary(scanner, canary_found)
    expected, kinds, missing = _inputs(scanner, target, outputs)
    signs, sign_problems = _signs(scanner, outputs.log)
    problems = [
        *canary_problems,
        *_missing_problems(missing),
        *sign_problems,
        *_age_problems(used, now),
        *(note.text for note in notifications if note.level == "error"),
    ]
    oldest = min((each.edition.updated for each in used), default=None)
    return Evidence(
        canary=canary,
        expected=expected,
        accounted=expected - len(missing),
        kinds=kinds,
        missing=missing,
        data_updated=oldest,
        signs=signs,
        problems=tuple(dict.fromkeys(problems)),
        summary=_summary(kinds, canary, oldest, now),
    )


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


def _signs(scanner: Scanner, log: Path | None) -> tuple[tuple[str, ...], list[str]]:
    """Return what the log tells, and which of it takes the answer's worth away."""
    if not isinstance(scanner, HasSigns) or log is None:
        return (), []
    patterns = [(sign, re.compile(sign.pattern.encode())) for sign in scanner.signs]
    seen: Counter[Sign] = Counter()
    with log.open("rb") as stream:
        while line := stream.readline(65536):
            plain = _ANSI.sub(b"", line)
            if b".scanrun-canary" not in plain:
                seen.update(sign for sign, pattern in patterns if pattern.search(plain))
    told = {sign: f"{sign.meaning} ({times} times)" for sign, times in seen.items()}
    return tuple(told.values()), [text for sign, text in told.items() if sign.incomplete]


def _age_problems(used: Iterable[UsedDatabase], now: datetime) -> Iterator[str]:
    for each in used:
        age = now - each.edition.updated
        if age > each.max_age:
            allowed = _span(each.max_age)
            yield f"{each.database.title} is {_span(age)} old, and {allowed} is the most it may be"


def _summary(kinds: Mapping[str, int], canary: str, data: datetime | None, now: datetime) -> str:
    parts = [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items()]
    if data is not None:
        parts.append(f"database {_span(now - data)} old")
    if canary != "none":
        parts.append(f"canary {canary}")
    return ", ".join(parts)


def _span(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
