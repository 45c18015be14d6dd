"""What a person sees of a run: the plan, its progress, the findings, the verdict.

Plan and progress go to stderr, findings and verdict to stdout (to stderr with `--json`, which
has stdout to itself). Without a terminal, and in CI, progress is plain, timed lines.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from time import monotonic
from typing import Any

import click
import msgspec

from scanrun.cli import plan_view
from scanrun.context import Progress
from scanrun.model import Outcome, ScanResult, Severity, Status, Verdict
from scanrun.output import LOG
from scanrun.sarif.codec import dumps
from scanrun.sarif.mask import clean_text
from scanrun.sarif.view import Finding
from scanrun.stages.plan import ScanPlan
from scanrun.stages.report import findings, verdict_json

SHOWN = 30
"""Findings of one severity that are shown; `--verbose` shows all."""

_COLOURS = {
    Severity.CRITICAL: "magenta",
    Severity.HIGH: "red",
    Severity.UNKNOWN: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "white",
}
_OUTCOMES = {Outcome.PASSED: "green", Outcome.FAILED: "red"}


class Verbosity(IntEnum):
    """How much is said."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


class Terminal:
    """Writes a run to the terminal, as it is and as the user wants it."""

    def __init__(self, verbosity: Verbosity, *, as_json: bool = False) -> None:
        self.verbosity = verbosity
        self.as_json = as_json
        self.started = monotonic()
        self._status: Any = None
        self._running: dict[str, tuple[str, float]] = {}

    def plan(self, plan: ScanPlan) -> None:
        """Show what will run and why."""
        if self.verbosity is Verbosity.QUIET:
            return
        for line in plan_view.lines(plan, verbose=self.verbosity is Verbosity.VERBOSE):
            self._say(line)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show what runs in place, where there is a terminal for it."""
        if self.verbosity is Verbosity.QUIET or not _has_terminal():
            yield
            return
        from rich.console import Console  # noqa: PLC0415 - only with a terminal

        with Console(stderr=True).status("looking at the tree") as self._status:
            yield
        self._status = None

    def progress(self, event: Progress) -> None:
        """Show that a scanner has come to something new, or how it ended."""
        if self.verbosity is Verbosity.QUIET:
            return
        if event.result is not None:
            self._running.pop(event.scanner, None)
            self._say(self._ended(event.result))
        else:
            self._running[event.scanner] = (clean_text(event.text, 200), monotonic())
            if self._status is None or self.verbosity is Verbosity.VERBOSE:
                self._say(f"{self._clock()} {event.scanner}: {clean_text(event.text, 200)}")
        if self._status is not None:
            self._status.update(self._now() or "judging")

    def verdict(self, verdict: Verdict, output: Path) -> None:
        """Show findings and verdict; with `--json`, print verdict.json on stdout."""
        if self.verbosity is not Verbosity.QUIET:
            self._findings(verdict, output / LOG)
            for line in verdict.told:
                self._out(f"note: {clean_text(line, 500)}")
        for result in verdict.scanners:
            if result.status is Status.FAILED and result.required:
                self._out(_problem(result))
        self._out(click.style(_sentence(verdict), fg=_OUTCOMES.get(verdict.status, "yellow")))
        if self.verbosity is not Verbosity.QUIET:
            self._out(f"log: {output / LOG}")
        if self.as_json:
            content = msgspec.json.format(dumps(verdict_json(verdict)), indent=2)
            click.echo(content.decode())

    def _findings(self, verdict: Verdict, log: Path) -> None:
        limit = None if self.verbosity is Verbosity.VERBOSE else SHOWN
        for severity, shown, count in by_severity(findings(log), limit):
            self._out("")
            title = f"{severity.value.upper()} ({count})"
            self._out(click.style(title, fg=_COLOURS[severity], bold=True))
            for finding in shown:
                self._finding(finding)
            if count > len(shown):
                self._out(f"  … and {count - len(shown)} more: --verbose, or {log}")
        if verdict.suppressed:
            self._out(f"\n{verdict.suppressed} more suppressed")
        self._out("")

    def _finding(self, finding: Finding) -> None:
        place = clean_text(finding.path, 300) + (f":{finding.line}" if finding.line else "")
        rule = click.style(clean_text(finding.rule_id, 100), bold=True)
        self._out(f"  {place}  {rule}  {clean_text(finding.message, 300)}  [{finding.scanner}]")
        if finding.fix:
            self._out(f"      fix: {clean_text(finding.fix, 200)}")

    def _ended(self, result: ScanResult) -> str:
        if result.status is Status.COMPLETED:
            mark, text = click.style("✓", fg="green"), _found(result)
        else:
            mark, text = click.style("✗", fg="red"), f"incomplete: {clean_text(result.reason, 500)}"
        summary = result.evidence.summary
        proof = f" · {clean_text(summary, 300)}" if summary else ""
        return f"{self._clock()} {mark} {result.name}: {text} in {result.duration_s:.1f} s{proof}"

    def _now(self) -> str:
        now = monotonic()
        from rich.markup import escape  # noqa: PLC0415 - only with a terminal

        parts = (
            f"{name} {escape(text)} {now - since:.0f} s"
            for name, (text, since) in self._running.items()
        )
        return " · ".join(parts)

    def _clock(self) -> str:
        return f"[{monotonic() - self.started:6.1f}s]"

    def _say(self, line: str) -> None:
        click.echo(line, err=True, color=_colour(sys.stderr))

    def _out(self, line: str) -> None:
        stream = sys.stderr if self.as_json else sys.stdout
        click.echo(line, file=stream, color=_colour(stream))


def by_severity(
    found: Iterator[Finding], limit: int | None
) -> list[tuple[Severity, list[Finding], int]]:
    """Return (severity, its first findings, how many there are), the worst first.

    Suppressed findings are left out. Never more than `limit` of a severity are held.
    """
    shown: dict[Severity, list[Finding]] = {}
    counts: Counter[Severity] = Counter()
    for finding in found:
        if finding.suppressed:
            continue
        counts[finding.severity] += 1
        if limit is None or counts[finding.severity] <= limit:
            shown.setdefault(finding.severity, []).append(finding)
    return [(each, shown[each], counts[each]) for each in Severity if each in shown]


def _found(result: ScanResult) -> str:
    counts = [f"{count} {severity.value}" for severity, count in result.counts.items() if count]
    noun = "finding" if result.findings == 1 else "findings"
    return f"{result.findings} {noun}" + (f" ({', '.join(counts)})" if counts else "")


def _problem(result: ScanResult) -> str:
    line = click.style(f"incomplete: {result.name}: ", fg="yellow")
    hint = f"\n  try: {clean_text(result.hint, 500)}" if result.hint else ""
    return line + clean_text(result.reason, 1000) + hint


def _sentence(verdict: Verdict) -> str:
    return clean_text(verdict.reason, 1000)


def _has_terminal() -> bool:
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _colour(stream: Any) -> bool:  # noqa: ANN401 - any text stream
    """Say whether to colour: not when NO_COLOR says anything, nor into a file."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(stream.isatty()) or bool(os.environ.get("FORCE_COLOR"))
