"""Which findings are shown, and in which order."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from scanrun.model import Severity
from scanrun.sarif.view import Finding
from scanrun.stages.gate import WORST_FIRST

SHOWN = 30
"""Findings of one severity that are shown; `--verbose` shows all."""


@dataclass(slots=True)
class Listing:
    """The findings that are shown: of each severity the first by place.

    Never more than twice `limit` of a severity are held. Without a limit everything is, and what
    is suppressed, too.
    """

    limit: int | None = SHOWN
    counts: Counter[Severity] = field(default_factory=Counter)
    """Of the findings that are not suppressed."""
    _shown: dict[Severity, list[Finding]] = field(default_factory=dict)
    _ends: dict[Severity, tuple[str, int]] = field(default_factory=dict)
    """Of a severity that has more than is shown: the last place that is."""
    _suppressed: list[Finding] = field(default_factory=list)

    @classmethod
    def of(cls, findings: Iterable[Finding], limit: int | None) -> Self:
        """Return the listing of `findings`."""
        listing = cls(limit)
        for finding in findings:
            listing.add(finding)
        return listing

    def add(self, finding: Finding) -> None:
        """Take one finding."""
        if finding.suppressed:
            if self.limit is None:
                self._suppressed.append(finding)
            return
        self.counts[finding.severity] += 1
        held = self._shown.setdefault(finding.severity, [])
        held.append(finding)
        if self.limit is not None and len(held) >= 2 * self.limit:
            held[:] = sorted(held, key=_place)[: self.limit]
            self._ends[finding.severity] = _place(held[-1])[:2]

    def shows(self, severity: Severity, path: str, line: int, *, suppressed: bool) -> bool:
        """Say whether a finding there may be shown: of others a count is enough."""
        if suppressed:
            return self.limit is None
        end = self._ends.get(severity)
        return end is None or (path, line) <= end

    def count(self, severity: Severity, *, suppressed: bool) -> None:
        """Count a finding that is not shown."""
        if not suppressed:
            self.counts[severity] += 1

    def groups(self) -> Iterator[tuple[Severity, list[Finding], int]]:
        """Yield severity, its first findings, and how many it has; the worst first."""
        for severity in WORST_FIRST:
            if severity in self._shown:
                held = sorted(self._shown[severity], key=_place)[: self.limit]
                yield severity, held, self.counts[severity]

    def suppressed(self) -> list[Finding]:
        """Return the suppressed findings; none where there is a limit."""
        return sorted(self._suppressed, key=_place)


def _place(finding: Finding) -> tuple[str, int, str, str]:
    return finding.path, finding.line or 0, finding.rule_id, finding.scanner
