"""What a person sees of a run: the plan, its progress, the findings, the verdict.

Plan and progress go to stderr, findings and verdict to stdout (to stderr with `--json`, which
has stdout to itself). Without a terminal, and in CI, progress is plain, timed lines.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from time import monotonic
from typing import IO, Any

import click
import msgspec

from scanrun.cli import plan_view
from scanrun.cli.listing import SHOWN, Listing
from scanrun.cli.streams import unread
from scanrun.cli.timeline import timeline
from scanrun.context import Progress
from scanrun.model import Outcome, ScanResult, Severity, Status, Verdict
from scanrun.quantity import counted
from scanrun.sarif.codec import dumps
from scanrun.sarif.mask import Masker, one_line
from scanrun.sarif.view import Finding
from scanrun.stages.gate import count_text
from scanrun.stages.plan import ScanPlan
from scanrun.stages.report import verdict_json

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

    @classmethod
    def of(cls, *, quiet: bool, verbose: bool) -> "Verbosity":
        """Return what the flags ask for; `--quiet` goes first."""
        if quiet:
            return cls.QUIET
        return cls.VERBOSE if verbose else cls.NORMAL


class Terminal:
    """Writes a run to the terminal, as it is and as the user wants it."""

    def __init__(
        self, verbosity: Verbosity, *, as_json: bool = False, secrets: Iterable[str] = ()
    ) -> None:
        self.verbosity = verbosity
        self.as_json = as_json
        self.started = monotonic()
        self._live: Any = None
        self._told: tuple[str, ...] = ()
        self._masker = Masker(secrets)

    @property
    def limit(self) -> int | None:
        """Return how many findings of a severity are shown."""
        return None if self.verbosity is Verbosity.VERBOSE else SHOWN

    def plan(self, plan: ScanPlan) -> None:
        """Show what will run and why."""
        if self._live is not None:
            with unread(sys.stderr):
                self._live.idle("working")
        if self.verbosity is Verbosity.QUIET:
            return
        verbose = self.verbosity is Verbosity.VERBOSE
        for line in plan_view.lines(plan, self._masker, verbose=verbose):
            self._say(line)
        self._told = tuple(map(self._masker.text, plan.told))

    def dry_run(self, plan: ScanPlan) -> None:
        """Print the plan on stdout: it is what was asked for."""
        if self.as_json:
            _print_json(plan_view.as_json(plan, self._masker))
            return
        verbose = self.verbosity is Verbosity.VERBOSE
        for line in plan_view.lines(plan, self._masker, verbose=verbose):
            _print(line, sys.stdout)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show what runs in place, where there is a terminal for it."""
        if self.verbosity is Verbosity.QUIET or not _has_terminal():
            yield
            return
        from scanrun.cli.live import LiveView  # noqa: PLC0415 - only with a terminal

        try:
            with LiveView(colour=_colour(sys.stderr)) as self._live:
                self._live.idle("looking at the tree")
                yield
        finally:
            self._live = None

    def progress(self, event: Progress) -> None:
        """Show that a scanner has come to something new, or how it ended."""
        if self.verbosity is Verbosity.QUIET:
            return
        text = one_line(event.text, 200)
        if self._live is not None:
            self._row(event, text)
        if event.result is not None:
            self._say(f"{self._clock()} {_ended(event.result)}")
        elif self._live is None or self.verbosity is Verbosity.VERBOSE:
            self._say(f"{self._clock()} {event.scanner}: {text}")

    def _row(self, event: Progress, text: str) -> None:
        with unread(sys.stderr):
            if event.result is None:
                self._live.row(event.scanner, text)
            else:
                self._live.end(event.scanner)

    def verdict(self, verdict: Verdict, listing: Listing, *, where: str) -> None:
        """Show findings and verdict; with `--json`, print verdict.json on stdout.

        `where` says where the findings stand in full.
        """
        if self.verbosity is not Verbosity.QUIET:
            self._findings(verdict, listing, where)
            for line in self._timeline(verdict):
                self._out(line)
            for line in verdict.told:
                if not self._is_known(line, verdict):
                    self._out(f"note: {one_line(line, 500)}")
        for result in verdict.scanners:
            if result.status is Status.FAILED and result.required:
                self._out(_problem(result))
        sentence = one_line(verdict.reason, 1000)
        self._out(click.style(sentence, fg=_OUTCOMES.get(verdict.status, "yellow")))
        if self.verbosity is not Verbosity.QUIET:
            self._out(f"log: {where}")
        if self.as_json:
            _print_json(verdict_json(verdict))

    def _timeline(self, verdict: Verdict) -> Iterator[str]:
        """Yield the timeline and what parts it from the rest, as the stream can show it."""
        stream = sys.stderr if self.as_json else sys.stdout
        width = shutil.get_terminal_size().columns
        lines = tuple(timeline(verdict, width=width, plain=not _shows("█", stream)))
        yield from (*lines, "") if lines else ()

    def _is_known(self, line: str, verdict: Verdict) -> bool:
        """Say whether the verdict's sentence says it, or the plan has, in the same place."""
        same = self.as_json or _same_place(sys.stdout, sys.stderr)
        return line in verdict.reason or (same and line in self._told)

    def _findings(self, verdict: Verdict, listing: Listing, where: str) -> None:
        for severity, shown, count in listing.groups():
            self._title(severity.value, count, _COLOURS[severity])
            for finding in shown:
                self._finding(finding)
            if count > len(shown):
                self._out(f"  … and {count - len(shown)} more: --verbose, or {where}")
        if hidden := listing.suppressed():
            self._title("suppressed", len(hidden), "white")
            for finding in hidden:
                self._finding(finding)
        elif verdict.suppressed:
            self._out(f"\n{verdict.suppressed} suppressed (by waivers or in the source)")
        self._out("")

    def _title(self, word: str, count: int, colour: str) -> None:
        self._out("")
        self._out(click.style(f"{word.upper()} ({count})", fg=colour, bold=True))

    def _finding(self, finding: Finding) -> None:
        place = self._plain(finding.place)
        rule = click.style(one_line(finding.rule_id, 100), bold=True)
        self._out(f"  {place}  {rule}  {self._plain(finding.words)}  [{finding.scanner}]")
        for title, text in self._details(finding):
            if text:
                self._out(f"      {title}: {self._plain(text)}")

    def _plain(self, text: str) -> str:
        # another tool's log may hold secrets; what is left of one that is cut would not be known
        return one_line(self._masker.clean(text), 300)

    def _details(self, finding: Finding) -> Iterator[tuple[str, str]]:
        yield "fix", finding.fix
        if finding.suppressed:
            yield "severity", finding.severity.value
            yield "suppressed", finding.justification or "no reason given"
        if self.verbosity is Verbosity.VERBOSE:
            yield "fingerprint", finding.fingerprint

    def _clock(self) -> str:
        return f"[{monotonic() - self.started:6.1f}s]"

    def _say(self, line: str) -> None:
        if self._live is None:
            _print(line, sys.stderr)
            return
        with unread(sys.stderr):
            self._live.say(line if _colour(sys.stderr) else click.unstyle(line))

    def _out(self, line: str) -> None:
        _print(line, sys.stderr if self.as_json else sys.stdout)


def _ended(result: ScanResult) -> str:
    """Return how a scanner ended, on one line."""
    name, time = one_line(result.name, 100), f"{result.duration_s:.1f} s"
    if result.status is not Status.COMPLETED:
        mark = click.style("✗", fg="red")
        return f"{mark} {name}: incomplete: {one_line(result.reason, 500)} ({time})"
    counts = f" ({count_text(result.counts)})" if result.findings else ""
    proof = f" · {one_line(result.evidence.summary, 300)}" if result.evidence.summary else ""
    mark = click.style("✓", fg="green")
    return f"{mark} {name}: {counted(result.findings, 'finding')}{counts} in {time}{proof}"


def _problem(result: ScanResult) -> str:
    line = click.style(f"incomplete: {one_line(result.name, 300)}: ", fg="yellow")
    hint = f"\n  try: {one_line(result.hint, 500)}" if result.hint else ""
    return line + one_line(result.reason, 1000) + hint


def _print_json(document: Any) -> None:  # noqa: ANN401 - any JSON value
    _print(msgspec.json.format(dumps(document), indent=2).decode(), sys.stdout)


def _print(text: str, stream: IO[Any]) -> None:
    with unread(stream):
        click.echo(text, file=stream, color=_colour(stream))


def _has_terminal() -> bool:
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _shows(text: str, stream: IO[Any]) -> bool:
    """Say whether a stream can show more than ASCII."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return os.environ.get("TERM") != "dumb"


def _same_place(first: IO[Any], second: IO[Any]) -> bool:
    """Say whether both streams end in one place: a terminal, or one file (`2>&1`)."""
    try:
        return os.path.sameopenfile(first.fileno(), second.fileno())
    except (OSError, ValueError):  # closed, or none of the system's
        return False


def _colour(stream: Any) -> bool:  # noqa: ANN401 - any text stream
    """Say whether to colour: not when NO_COLOR says anything, nor into a file."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(stream.isatty()) or bool(os.environ.get("FORCE_COLOR"))
