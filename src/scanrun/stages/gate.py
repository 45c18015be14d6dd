"""What a run comes to: counts against a policy. The verb is `judge`.

Findings win over incompleteness (failed, 1), and incompleteness over a clean sheet (incomplete,
3): where a required scanner, or every scanner, did not complete, nobody knows that it is clean.
A tree to which no scanner applies was not checked by anything, so it is incomplete too.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scanrun.errors import ExitCode
from scanrun.model import (
    Condition,
    GatePolicy,
    Limit,
    Outcome,
    ScanResult,
    Severity,
    Status,
    Verdict,
)
from scanrun.sarif.mask import clean_text
from scanrun.sarif.view import Finding

_EXIT_CODES = {
    Outcome.PASSED: ExitCode.PASSED,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.INCOMPLETE: ExitCode.INCOMPLETE,
    Outcome.INTERRUPTED: ExitCode.INTERRUPTED,
}
_REASON_LIMIT = 300
_UNREAD_SHOWN = 5
WORST_FIRST = tuple(sorted(Severity, key=lambda each: -each.score))


@dataclass(slots=True)
class Tally:
    """Counts findings as they stream by."""

    by_category: dict[str, Counter[Severity]] = field(default_factory=dict)
    suppressed: int = 0

    def add(self, finding: Finding) -> None:
        """Count one finding."""
        self.count(finding.severity, finding.category, suppressed=finding.suppressed)

    def count(self, severity: Severity, category: str, *, suppressed: bool) -> None:
        """Count one finding, of which no more needs to be known."""
        if suppressed:
            self.suppressed += 1
            return
        counts = self.by_category.get(category)
        if counts is None:
            counts = self.by_category[category] = Counter()
        counts[severity] += 1

    @property
    def counts(self) -> Counter[Severity]:
        """Return how many of each severity are not suppressed."""
        return sum(self.by_category.values(), Counter())

    @property
    def total(self) -> int:
        """Return how many are not suppressed."""
        return self.counts.total()


def judge(
    results: Iterable[ScanResult],
    policy: GatePolicy,
    *,
    run_id: str,
    required: Iterable[str] = (),
    unread: Iterable[str] = (),
    idle: str = "",
    interrupted: bool = False,
    told: tuple[str, ...] = (),
    snapshot: Mapping[str, Any] | None = None,
    tree: Mapping[str, Any] | None = None,
    started: datetime | None = None,
    ended: datetime | None = None,
) -> Verdict:
    """Return the verdict on `results`.

    `required` names scanners that have to be among the completed ones, whatever `results` hold.
    `unread` is what of the tree should have been scanned and could not be read; `idle` says why no
    scanner ran, where none did.
    """
    scanners = tuple(results)
    servers = (each for scanner in scanners for each in scanner.conditions)
    limits = (*_conditions(scanners, policy), *servers)
    ends = (_completeness(scanners, frozenset(required), idle), *_readability(tuple(unread)))
    status = _status(limits, ends, interrupted=interrupted)
    gaps = [f"{each.name} skipped: {each.gap}" for each in scanners if each.gap]
    return Verdict(
        run_id=run_id,
        status=status,
        exit_code=_EXIT_CODES[status],
        reason="; ".join([_reason(status, limits, ends, scanners), *gaps]),
        fail_on=policy.fail_on.value if policy.fail_on else "never",
        counts=_sum(each.counts for each in scanners),
        suppressed=sum(each.suppressed for each in scanners),
        scanners=scanners,
        conditions=(*limits, *ends),
        told=(*told, *gaps),
        snapshot=snapshot or {},
        tree=tree or {},
        started=started,
        ended=ended,
    )


def _status(
    limits: Iterable[Condition], ends: Iterable[Condition], *, interrupted: bool
) -> Outcome:
    if interrupted:
        return Outcome.INTERRUPTED
    if not all(each.passed for each in limits):
        return Outcome.FAILED
    return Outcome.PASSED if all(each.passed for each in ends) else Outcome.INCOMPLETE


def _conditions(scanners: Collection[ScanResult], policy: GatePolicy) -> Iterator[Condition]:
    if policy.fail_on is None:
        yield Condition("fail on never", passed=True, detail="findings never fail this gate")
    else:
        yield _threshold(_sum(each.counts for each in scanners), policy.fail_on)
    for limit in policy.limits:
        yield _limit(scanners, limit)


def _threshold(counts: Mapping[Severity, int], fail_on: Severity) -> Condition:
    bad = {each: n for each, n in counts.items() if n and each.reaches(fail_on)}
    total = sum(bad.values())
    level = "info or above" if fail_on is Severity.INFO else f"{fail_on} or above"
    level = "critical" if fail_on is Severity.CRITICAL else level
    parts = f" ({count_text(bad)})" if bad else ""
    detail = f"{total or 'no'} {_findings(total)} at {level}{parts}"
    return Condition(f"fail on {fail_on}", passed=not total, detail=detail)


def _limit(scanners: Iterable[ScanResult], limit: Limit) -> Condition:
    found = sum(_counted(each, limit) for each in scanners)
    words = [str(limit.severity)] if limit.severity else []
    words += [limit.category] if limit.category else []
    kind = " ".join([*words, _findings(found)])
    place = f" of {limit.scanner}" if limit.scanner else ""
    return Condition(
        f"at most {limit.maximum} {' '.join([*words, 'findings'])}{place}",
        passed=found <= limit.maximum,
        detail=f"{found} {kind}{place}, {limit.maximum} allowed",
    )


def _counted(result: ScanResult, limit: Limit) -> int:
    if limit.scanner not in (None, result.name):
        return 0
    counts = result.counts
    if limit.category is not None:
        by_category = result.counts_by_category or {result.category: result.counts}
        counts = by_category.get(limit.category, {})
    return sum(n for severity, n in counts.items() if _is(severity, limit.severity))


def _is(severity: Severity, wanted: Severity | None) -> bool:
    """Say whether a limit on `wanted` is about `severity`. Unknown ones count as high."""
    if severity is Severity.UNKNOWN and wanted is Severity.HIGH:
        return True
    return wanted is None or severity is wanted


def _completeness(
    scanners: Collection[ScanResult], required: frozenset[str], idle: str
) -> Condition:
    open_ends = [
        f"{each.name} did not complete ({_why(each)})"
        for each in scanners
        if each.status is not Status.COMPLETED and (each.required or each.name in required)
    ]
    missing = sorted(required - {each.name for each in scanners})
    open_ends += [f"{name} is required and did not run" for name in missing]
    completed = sum(each.status is Status.COMPLETED for each in scanners)
    if not completed and not open_ends:
        open_ends = ["no scanner ran, so nothing was checked" + (f": {idle}" if idle else "")]
    detail = "; ".join(open_ends) or f"{completed} scanner{'' if completed == 1 else 's'} completed"
    return Condition("complete", passed=not open_ends, detail=detail)


def _readability(unread: Collection[str]) -> Iterator[Condition]:
    if unread:
        named = ", ".join(clean_text(each, _REASON_LIMIT) for each in [*unread][:_UNREAD_SHOWN])
        more = f" and {len(unread) - _UNREAD_SHOWN} more" if len(unread) > _UNREAD_SHOWN else ""
        yield Condition("the tree could be read", passed=False, detail=f"not read: {named}{more}")


def _why(result: ScanResult) -> str:
    reason = " ".join(clean_text(result.reason, _REASON_LIMIT).split())
    return reason or result.status.value


def _reason(
    status: Outcome,
    limits: Collection[Condition],
    ends: Collection[Condition],
    scanners: Collection[ScanResult],
) -> str:
    """Return one sentence that says why."""
    if status is Outcome.PASSED:
        return f"passed: {limits_text(limits)}{_rest(scanners)}; {limits_text(ends)}"
    broken = [each.detail + _rule(each) for each in limits if not each.passed]
    open_ends = [each for each in ends if not each.passed]
    open_end = [f"incomplete: {limits_text(open_ends)}"] if open_ends else []
    if status is Outcome.FAILED:
        return "; ".join([f"failed: {broken[0]}", *broken[1:], *open_end])
    if status is Outcome.INTERRUPTED:
        return "; ".join(["interrupted before the scan was complete", *broken])
    return open_end[0]


def limits_text(limits: Iterable[Condition]) -> str:
    """Return what the conditions found, as one clause."""
    return "; ".join(each.detail for each in limits)


def _rule(condition: Condition) -> str:
    """Return what follows on a limit's detail; a server's own condition says all by itself."""
    word = condition.name.removeprefix("fail on ")
    if word != condition.name:
        return f"; fails on {word}"
    return "; over the limit" if condition.name.startswith("at most ") else ""


def _rest(scanners: Iterable[ScanResult]) -> str:
    """Return how many findings are there all the same."""
    counts, hidden = Counter[Severity](), 0
    for each in scanners:
        counts.update(each.counts)
        hidden += each.suppressed
    parts = [count_text(counts)] if counts.total() else []
    parts += [f"{hidden} suppressed"] if hidden else []
    return f" ({', '.join(parts)})" if parts else ""


def count_text(counts: Mapping[Severity, int]) -> str:
    """Return counts worst first: `2 critical, 1 high`."""
    return ", ".join(f"{counts[each]} {each}" for each in WORST_FIRST if counts.get(each))


def _findings(count: int) -> str:
    return "finding" if count == 1 else "findings"


def _sum(counts: Iterable[Mapping[Severity, int]]) -> dict[Severity, int]:
    """Return the sums, every severity named."""
    total = dict.fromkeys(Severity, 0)
    for each in counts:
        for severity, count in each.items():
            total[Severity(severity)] += count
    return total
