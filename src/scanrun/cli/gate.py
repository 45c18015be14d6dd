"""`scanrun gate`: judge saved SARIF again, without scanning."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
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
from scanrun.sarif.read import SavedRun, read_runs
from scanrun.sarif.run import run_id_of, saved_result, unread_of
from scanrun.sarif.view import Finding
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
    triage = Triage(settings, started.date())
    terminal = Terminal(Verbosity.of(quiet=quiet, verbose=verbose), as_json=as_json)
    ids: set[str] = set()
    unread: dict[str, None] = {}
    distinct, again = _distinct(reports)
    listing = Listing(terminal.limit)
    results = [
        each for report in distinct for each in _results(report, triage, ids, unread, listing)
    ]
    verdict = judge(
        results,
        settings.gate.policy(),
        run_id=",".join(sorted(ids)),
        required=settings.scan.required,
        unread=unread,
        told=(*here.loaded.told, *again, *triage.told()),
        started=started,
        ended=datetime.now(UTC),
    )
    terminal.verdict(verdict, listing, where=", ".join(map(str, distinct)))
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


def _results(
    report: Path, triage: Triage, ids: set[str], unread: dict[str, None], listing: Listing
) -> Iterator[ScanResult]:
    """Yield how each scanner of a report ended; a report that can't be read did not complete."""
    try:
        for run in read_runs(report):
            ids.update(run_id_of(run.head))
            unread.update(dict.fromkeys(unread_of(run.head)))
            yield _result(run, triage, listing)
    except ConversionError as error:
        yield ScanResult(name=str(report), category="", status=Status.FAILED, reason=str(error))


def _result(run: SavedRun, triage: Triage, listing: Listing) -> ScanResult:
    saved = saved_result(run.head)
    tally = Tally()
    for result in run.results:
        judged = triage.apply(result, saved.name)
        finding = Finding.of(judged, run.rules, scanner=saved.name, category=saved.category)
        tally.add(finding)
        listing.add(finding)
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
