"""`scanrun gate`: judge saved SARIF again, without scanning."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click

from scanrun.cli.listing import Listing
from scanrun.cli.session import gather, must_exist
from scanrun.cli.terminal import Terminal, Verbosity
from scanrun.config.values import FailOn
from scanrun.errors import ConversionError
from scanrun.model import ScanResult, Status
from scanrun.sarif.mask import Masker
from scanrun.sarif.read import SavedRun, read_runs
from scanrun.sarif.run import run_id_of, saved_result, unread_of
from scanrun.sarif.view import (
    Finding,
    category_of,
    path_and_line,
    rule_of,
    severity_of,
    suppressed,
)
from scanrun.stages.adopt import masked_head
from scanrun.stages.gate import Tally, judge
from scanrun.stages.triage import Triage


@click.command(short_help="Judge saved SARIF logs again, without scanning.")
@click.argument(
    "reports", metavar="REPORT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--fail-on", type=click.Choice(get_args(FailOn)), help="Lowest severity that fails [high]."
)
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option(
    "--plugin", multiple=True, type=click.Path(path_type=Path), help="Load a local plugin."
)
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
@click.option("-v", "--verbose", is_flag=True, help="Print all there is to know.")
def command(
    reports: tuple[Path, ...],
    *,
    fail_on: str | None,
    config: Path | None,
    plugin: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Judge the SARIF logs REPORT..., scanrun's own or any other tool's.

    The waivers, severities and limits of the configuration at hand count. A scanner that did not
    complete when the log was written still makes the verdict incomplete.

    Exit codes: 0 passed, 1 gate failed, 2 usage or configuration, 3 incomplete or unreadable.
    """
    started = datetime.now(UTC)
    # nothing is run here, so there is nothing that the tree's own file could make us run
    flags = {"gate.fail_on": fail_on}
    here = gather(Path(), config=config, flags=flags, plugins=plugin, trusted=True)
    for report in reports:
        must_exist(report, hint="name SARIF logs")
    settings = here.loaded.settings
    secrets, verbosity = here.secrets, Verbosity.of(quiet=quiet, verbose=verbose)
    terminal = Terminal(verbosity, as_json=as_json, secrets=secrets)
    triage, masker = Triage(settings, started.date()), Masker(secrets)
    reading = _Reading(triage, masker, Listing(terminal.limit))
    distinct, again = _distinct(reports)
    results = [each for report in distinct for each in reading.results(report)]
    told = (*here.loaded.told, *again, *triage.told())
    verdict = judge(
        results,
        settings.gate.policy(),
        run_id=",".join(sorted(reading.ids)),
        required=settings.scan.required,
        unread=reading.unread,
        told=tuple(map(masker.text, told)),
        started=started,
        ended=datetime.now(UTC),
    )
    terminal.verdict(verdict, reading.listing, where=", ".join(map(str, distinct)))
    return verdict.exit_code


def _distinct(reports: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Return each file once, and a word on those named more often: their findings are the same."""
    found: dict[Path, Path] = {}
    again = []
    for report in reports:
        if report.resolve() in found:
            again.append(f"{str(report)!r} is named more than once, and judged once")
        found.setdefault(report.resolve(), report)
    return [*found.values()], again


@dataclass
class _Reading:
    """What is gathered from all reports."""

    triage: Triage
    masker: Masker
    listing: Listing
    ids: set[str] = field(default_factory=set)
    unread: dict[str, None] = field(default_factory=dict)

    def results(self, report: Path) -> Iterator[ScanResult]:
        """Yield how each scanner of a report ended; one that can't be read did not complete."""
        try:
            for run in read_runs(report):
                head = masked_head(run.head, self.masker)
                self.ids.update(run_id_of(head))
                self.unread.update(dict.fromkeys(unread_of(head)))
                yield self._result(run, saved_result(head))
        except ConversionError as error:
            reason = self.masker.clean(str(error))
            yield ScanResult(name=str(report), category="", status=Status.FAILED, reason=reason)

    def _result(self, run: SavedRun, saved: ScanResult) -> ScanResult:
        tally = Tally()
        for result in run.results:
            judged = self.triage.apply(result, saved.name)
            rule = rule_of(judged, run.rules)
            severity, hidden = severity_of(judged, rule), suppressed(judged)
            tally.count(severity, category_of(rule, saved.category), suppressed=hidden)
            if self.listing.shows(severity, *path_and_line(judged), suppressed=hidden):
                found = Finding.of(judged, run.rules, scanner=saved.name, category=saved.category)
                self.listing.add(found)
            else:
                self.listing.count(severity, suppressed=hidden)
        return _counted(saved, tally)


def _counted(saved: ScanResult, tally: Tally) -> ScanResult:
    """Return how the scanner ended, with what was found of its findings."""
    counted = replace(
        saved,
        findings=tally.total,
        suppressed=tally.suppressed,
        counts=tally.counts,
        counts_by_category=tally.by_category,
    )
    written, found = saved.findings + saved.suppressed, tally.total + tally.suppressed
    if saved.status is Status.COMPLETED and found < written:
        reason = f"the log holds {found} of the {written} findings that the scan had"
        return replace(counted, status=Status.FAILED, reason=reason, required=True)
    return counted
