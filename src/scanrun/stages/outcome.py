"""What a scanner's end is called: the results of scans that ended, failed or never began."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from scanrun.context import Context
from scanrun.contracts import Driver, HasDriver
from scanrun.model import (
    Decision,
    Evidence,
    Located,
    Notification,
    Outputs,
    ScanResult,
    Status,
    Step,
    StepOutcome,
)
from scanrun.sarif.run import run_head
from scanrun.sarif.writer import RunWriter
from scanrun.stages.convert import Converted
from scanrun.stages.plan import Entry


def completed(
    entry: Entry,
    outputs: Outputs,
    *,
    outcomes: Iterable[tuple[Step, StepOutcome]],
    located: Located,
    evidence: Evidence,
    seen: Converted,
    started: datetime,
) -> ScanResult:
    """Return the result of a scan that ended; without enough evidence it has not completed."""
    notes = tuple(Notification(text) for _, outcome in outcomes for text in outcome.notes)
    return replace(
        _result(entry, started),
        status=Status.FAILED if evidence.problems else Status.COMPLETED,
        reason="; ".join(evidence.problems) or entry.reason,
        hint="its log and its raw report tell more" if evidence.problems else "",
        digest=located.digest,
        exit_code=outputs.exit_code,
        findings=seen.tally.total,
        suppressed=seen.tally.suppressed,
        counts=seen.tally.counts,
        counts_by_category=seen.tally.by_category,
        evidence=evidence,
        notifications=(*seen.notifications, *notes),
        log=outputs.log,
        raw=dict(outputs),
    )


def failed(context: Context, entry: Entry, started: datetime, reason: str, hint: str) -> ScanResult:
    """Return the result of a scan that did not complete, with a run that says so."""
    log = context.log(entry.name)
    folder = context.folder / entry.name
    raw = (
        {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        if folder.exists()
        else {}
    )
    result = replace(
        _result(entry, started),
        status=Status.FAILED,
        reason=context.masker.text(reason),
        hint=hint,
        log=log if log.exists() else None,
        raw=raw,
        notifications=(Notification(context.masker.text(reason), "error"),),
    )
    return _written(context, entry, result)


def not_run(context: Context, entry: Entry) -> ScanResult:
    """Return the result of a scanner that the plan does not run."""
    status = {
        Decision.NOT_APPLICABLE: Status.NOT_APPLICABLE,
        Decision.SKIPPED: Status.SKIPPED,
        Decision.UNAVAILABLE: Status.FAILED,
    }[entry.decision]
    result = replace(
        _result(entry, None), status=status, reason=entry.reason, hint=entry.hint, ended=None
    )
    if status is not Status.FAILED:
        return result
    return _written(
        context, entry, replace(result, notifications=(Notification(entry.reason, "error"),))
    )


def _written(context: Context, entry: Entry, result: ScanResult) -> ScanResult:
    """Put an empty run away that tells how the scanner ended."""
    path = context.run_file(entry.name)
    result = replace(result, run_file=path)
    with RunWriter(path) as writer:
        writer.finish(
            run_head(
                result,
                driver(entry),
                run_id=context.plan.run_id,
                snapshot=context.plan.snapshot,
                cwes=(),
            )
        )
    return result


def _result(entry: Entry, started: datetime | None) -> ScanResult:
    image = entry.steps[0].image if entry.steps else ""
    located = entry.located or Located("")
    on_image = bool(image) and not located.reference.startswith("/")
    return ScanResult(
        name=entry.name,
        category=entry.scanner.category.value,
        status=Status.FAILED,
        engine=entry.engine,
        image=located.reference if on_image else "",
        digest=located.digest,
        executable="" if on_image else located.reference,
        version=located.version,
        started=started,
        ended=datetime.now(UTC),
        required=entry.decision in (Decision.RUN, Decision.UNAVAILABLE),
    )


def driver(entry: Entry) -> Driver:
    """Return how the log names the scanner."""
    return entry.scanner.driver if isinstance(entry.scanner, HasDriver) else Driver(entry.name)
