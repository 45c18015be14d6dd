"""What a scanner's end is called: the results of scans that ended, failed or never began."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from scanrun.context import Context
from scanrun.contracts import Driver, HasDriver
from scanrun.errors import OutputError
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
    Task,
)
from scanrun.sarif.run import run_head
from scanrun.sarif.writer import RunWriter
from scanrun.stages.convert import Converted
from scanrun.stages.plan import ScanPlan
from scanrun.stages.select import Entry

_WARNINGS_SHOWN = 10
_IDLE_SHOWN = 20
_NO_CODE = frozenset({"git's own data", "scanrun's own output"})


def completed(
    entry: Entry,
    outputs: Outputs,
    *,
    outcomes: Iterable[tuple[Step | Task, StepOutcome]],
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
        notifications=(*_as_weighed(seen.notifications, evidence), *notes),
        log=outputs.log,
        raw=dict(outputs),
    )


def _as_weighed(notes: Iterable[Notification], evidence: Evidence) -> Iterator[Notification]:
    """Yield the notifications; what the configuration lives with is no error in the log either."""
    for note in notes:
        lowered = note.level == "error" and note.text not in evidence.problems
        yield replace(note, level="note") if lowered else note


def reserve(context: Context, entry: Entry) -> None:
    """Put a run away that says "did not complete", while there is room for it.

    It stands in the log where the disk is too full for a better one: a log without the run would
    pass a gate.

    Raises:
        OutputError: there is no room even for that.
    """
    try:
        _write(context, entry, replace(_result(entry, None), reason="did not complete", ended=None))
    except OSError as error:
        raise OutputError(
            f"the scratch folder {str(context.folder)!r} can't be used: {error.strerror or error}",
            hint="make room there, or name another folder in TMPDIR",
        ) from error


def failed(
    context: Context, entry: Entry, started: datetime | None, reason: str, hint: str
) -> ScanResult:
    """Return the result of a scan that did not complete, with a run that says so."""
    reason = context.masker.clean(reason)
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
        reason=reason,
        hint=context.masker.clean(hint),
        log=log if log.exists() else None,
        raw=raw,
        notifications=(Notification(reason, "error"),),
    )
    try:
        return _write(context, entry, result)
    except OSError:
        return replace(result, run_file=context.run_file(entry.name))  # as `reserve` left it


def not_run(context: Context, entry: Entry) -> ScanResult:
    """Return the result of a scanner that the plan does not run."""
    status = {
        Decision.NOT_APPLICABLE: Status.NOT_APPLICABLE,
        Decision.SKIPPED: Status.SKIPPED,
        Decision.UNAVAILABLE: Status.FAILED,
    }[entry.decision]
    reason = context.masker.clean(entry.reason)
    result = replace(
        _result(entry, None),
        status=status,
        reason=reason,
        hint=context.masker.clean(entry.hint),
        gap=entry.gap,
        ended=None,
    )
    if status is not Status.FAILED:
        return result
    return _write(context, entry, replace(result, notifications=(Notification(reason, "error"),)))


def _write(context: Context, entry: Entry, result: ScanResult) -> ScanResult:
    """Put an empty run away that tells how the scanner ended."""
    path = context.run_file(entry.name)
    result = replace(result, run_file=path)
    with RunWriter(path) as writer:
        finish(writer, context, entry, result)
    return result


def finish(
    writer: RunWriter,
    context: Context,
    entry: Entry,
    result: ScanResult,
    cwes: Iterable[int] = (),
) -> None:
    """End the scanner's run with what is to be said of it."""
    plan = context.plan
    head = run_head(result, _driver(entry), run_id=plan.run_id, snapshot=plan.snapshot, cwes=cwes)
    writer.finish(head)


def idle(plan: ScanPlan) -> str:
    """Return why there would be nothing to do for any scanner."""
    if plan.snapshot.files:
        return "; ".join(f"{each.name}: {each.reason}" for each in plan.entries[:_IDLE_SHOWN])
    rules = sorted({each.rule for each in plan.snapshot.left_out} - _NO_CODE)
    if not rules:
        return "the tree has no files"
    if rules == ["git ignore"]:
        return "every file is ignored by git"
    return f"every file is left out ({', '.join(rules)})"


def _result(entry: Entry, started: datetime | None) -> ScanResult:
    image = entry.tools[0].image if entry.tools else ""
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


def _driver(entry: Entry) -> Driver:
    return entry.scanner.driver if isinstance(entry.scanner, HasDriver) else Driver(entry.name)


def warnings_of(results: Iterable[ScanResult]) -> tuple[str, ...]:
    """Return what a reader of the verdict should know of what scanners left out, or met."""
    return tuple(line for result in results for line in _warnings(result))


def _warnings(result: ScanResult) -> Iterator[str]:
    told = [each.text for each in result.notifications if each.level == "warning"]
    texts = list(dict.fromkeys(told))
    yield from (f"{result.name}: {text}" for text in texts[:_WARNINGS_SHOWN])
    if len(texts) > _WARNINGS_SHOWN:
        yield f"{result.name}: {len(texts) - _WARNINGS_SHOWN} more warnings stand in the log"
