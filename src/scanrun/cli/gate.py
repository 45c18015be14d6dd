"""`scanrun gate`: judge saved SARIF again, without scanning."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from scanrun.cli.session import gather
from scanrun.errors import ConversionError
from scanrun.model import Outcome, ScanResult, Status, Verdict
from scanrun.sarif.read import SavedRun, read_runs
from scanrun.sarif.run import run_id_of, saved_result
from scanrun.sarif.view import Finding
from scanrun.stages.gate import Tally, judge
from scanrun.stages.report import verdict_json
from scanrun.stages.triage import Triage

FAIL_ON = ("critical", "high", "medium", "low", "info", "never")
_COLOURS = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.INCOMPLETE: "yellow"}


@click.command(short_help="Judge saved SARIF logs again, without scanning.")
@click.argument(
    "reports", metavar="REPORT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Lowest severity that fails [high].")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
def command(
    reports: tuple[Path, ...],
    fail_on: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001 - click's flag
) -> int:
    """Judge the SARIF logs REPORT..., scanrun's own or any other tool's.

    The waivers, severities and limits of the configuration at hand count. A scanner that did not
    complete when the log was written still makes the verdict incomplete.

    Exit codes: 0 passed, 1 gate failed, 2 usage or configuration, 3 incomplete or unreadable.
    """
    started = datetime.now(UTC)
    # nothing is run here, so there is nothing that the tree's own file could make us run
    here = gather(Path(), config=config, flags={"gate.fail_on": fail_on}, trusted=True)
    settings = here.loaded.settings
    triage = Triage(settings, started.date())
    ids: set[str] = set()
    results = [each for report in reports for each in _results(report, triage, ids)]
    verdict = judge(
        results,
        settings.gate.policy(),
        run_id=",".join(sorted(ids)),
        required=settings.scan.required,
        told=(*here.loaded.told, *triage.told()),
        started=started,
        ended=datetime.now(UTC),
    )
    _show(verdict, as_json=as_json)
    return verdict.exit_code


def _results(report: Path, triage: Triage, ids: set[str]) -> Iterator[ScanResult]:
    """Yield how each scanner of a report ended; a report that can't be read did not complete."""
    try:
        for run in read_runs(report):
            ids.update(run_id_of(run.head))
            yield _result(run, triage)
    except ConversionError as error:
        yield ScanResult(name=str(report), category="", status=Status.FAILED, reason=str(error))


def _result(run: SavedRun, triage: Triage) -> ScanResult:
    saved = saved_result(run.head)
    tally = Tally()
    for result in run.results:
        judged = triage.apply(result, saved.name)
        tally.add(Finding.of(judged, run.rules, scanner=saved.name, category=saved.category))
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


def _show(verdict: Verdict, *, as_json: bool) -> None:
    for line in verdict.told:
        click.echo(f"note: {line}", err=True)
    click.secho(verdict.reason, err=True, fg=_COLOURS.get(verdict.status))
    if as_json:
        document: dict[str, Any] = verdict_json(verdict)
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
