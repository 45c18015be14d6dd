"""What one scanner does in a run, from its databases to its SARIF run: the verb is `scan`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from scanrun.cache import Held
from scanrun.context import Context
from scanrun.contracts import HasProof, HasVersion, ResolvesImages, Scanner
from scanrun.deadline import within
from scanrun.errors import CacheError, InterruptedRunError, MissingToolError, ScanError, StepError
from scanrun.model import (
    Category,
    Evidence,
    Located,
    Outputs,
    Role,
    ScanResult,
    Step,
    StepOutcome,
)
from scanrun.sarif.writer import RunWriter
from scanrun.stages.convert import Converted, convert_outputs
from scanrun.stages.evidence import UsedDatabase, weigh
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.outcome import completed, finish
from scanrun.stages.plan import configured, configured_steps
from scanrun.stages.select import DatabasePlan, Entry, canaries
from scanrun.stages.update import append_log, fetch, last_words


def scan(context: Context, entry: Entry, started: datetime) -> ScanResult:
    """Run the scanner's steps, convert what they leave, weigh it, and write its SARIF run.

    Raises:
        ScanError: it did not complete.
    """
    if context.cancel.is_set():
        raise InterruptedRunError("it had not begun")
    databases = tuple(_database(context, entry, plan) for plan in entry.databases)
    outcomes, located = _run_steps(context, entry, databases)
    outputs = _outputs(context, entry, outcomes)
    lost = tuple(text for _, outcome in outcomes for text in outcome.lost)
    context.tell(entry.name, "reading its report")
    with RunWriter(context.run_file(entry.name)) as writer:
        seen, evidence, version = within(
            max(step.timeout_s for step in entry.steps),
            partial(_read, context, entry, databases, outputs, located, lost, writer),
            what="reading its report",
            cancel=context.cancel,
            hint="raise its `timeout`, or exclude what makes the report so large",
        )
        result = completed(
            entry,
            outputs,
            outcomes=outcomes,
            located=located,
            evidence=evidence,
            seen=seen,
            started=started,
        )
        result = replace(result, version=version, run_file=context.run_file(entry.name))
        finish(writer, context, entry, result, seen.cwes)
    return result


def _read(  # noqa: PLR0917 - all of them, once
    context: Context,
    entry: Entry,
    databases: Iterable[tuple[DatabasePlan, Held]],
    outputs: Outputs,
    located: Located,
    lost: tuple[str, ...],
    writer: RunWriter,
) -> tuple[Converted, Evidence, str]:
    """Return what the plugin reads in the outputs. All of it is the plugin's code, or waits for it.

    One that is too late goes on in vain: its writer is closed by then.
    """
    planted = _planted(context, entry)
    seen = convert_outputs(
        entry.scanner,
        outputs,
        writer,
        fingerprinter=Fingerprinter(context.plan.snapshot),
        triage=context.triage,
        masker=context.masker,
        planted=planted,
    )
    evidence = weigh(
        entry.scanner,
        entry.target,
        outputs,
        canary_found=_canary_found(entry.scanner, outputs, seen),
        databases=_used(context, databases),
        notifications=seen.notifications,
        lost=lost,
        planted=planted,
        lower=context.request.settings.evidence.lower.get(entry.name, ()),
    )
    return seen, evidence, _version(entry, outputs, located)


def _planted(context: Context, entry: Entry) -> frozenset[str]:
    """Return the paths of the canaries in what the scanner was given: of an image, none."""
    given = any(step.source is not None for step in entry.steps)
    return frozenset(canaries(context.plan.entries) if given else ())


def _canary_found(scanner: Scanner, outputs: Outputs, seen: Converted) -> frozenset[str]:
    if isinstance(scanner, HasProof):
        return scanner.proven(outputs)
    return frozenset(seen.canary_found)


def _run_steps(
    context: Context, entry: Entry, databases: Iterable[tuple[DatabasePlan, Held]]
) -> tuple[list[tuple[Step, StepOutcome]], Located]:
    session = context.engines.session(entry.engine)
    entry = _with_archive(context, entry)
    caches = {plan.database.name: held.path for plan, held in databases}
    outcomes: list[tuple[Step, StepOutcome]] = []
    located = entry.located or Located("")
    for number, step in enumerate(entry.steps, 1):
        if located.to_pull:
            context.tell(entry.name, f"pulling {located.reference}")
        located = session.prepare(step, context.cancel)
        which = f", step {number} of {len(entry.steps)}" if len(entry.steps) > 1 else ""
        context.tell(entry.name, f"running{which}")
        outcomes.append((step, _run_step(context, entry, step, caches)))
    return outcomes, located


def _run_step(
    context: Context, entry: Entry, step: Step, caches: Mapping[str, Path]
) -> StepOutcome:
    folder = context.folder / entry.name / step.name
    folder.mkdir(parents=True)
    outcome = context.engines.session(entry.engine).run(
        step, name=entry.name, caches=caches, folder=folder, cancel=context.cancel
    )
    append_log(context.log(entry.name), step, outcome)
    if outcome.exit_code not in step.ok_exit_codes:
        listed = ", ".join(str(code) for code in sorted(step.ok_exit_codes))
        raise StepError(
            f"step {step.name!r} ended with exit code {outcome.exit_code} (an answer is {listed})"
            + last_words(context.masker, outcome.log),
            hint="killed for its memory: raise `memory`" if outcome.oom_killed else "see its log",
        )
    if outcome.oom_killed:
        raise StepError(
            f"a process of step {step.name!r} was killed for its memory"
            f" ({step.limits.memory_mb} MB), so its answer may be partial",
            hint=f"raise `memory` in [scanner.{entry.name}]",
        )
    return outcome


def _with_archive(context: Context, entry: Entry) -> Entry:
    """Return the entry with its image as an archive, where one is named and not there yet."""
    if entry.target.image is None or entry.target.archive is not None:
        return entry
    if entry.scanner.category is not Category.CONTAINER:
        return entry
    session = context.engines.session(entry.engine)
    if not isinstance(session, ResolvesImages):
        raise MissingToolError(
            f"engine {entry.engine!r} has no images",
            hint="save the image to an archive and name that: --image FILE.tar",
        )
    context.tell(entry.name, f"exporting {entry.target.image}")
    archive = context.folder / f"{entry.name}.image.tar"
    session.export(entry.target.image, archive)
    target = replace(entry.target, archive=archive)
    return replace(
        entry, target=target, steps=configured_steps(entry.scanner, target, entry.settings)
    )


def _database(context: Context, entry: Entry, plan: DatabasePlan) -> tuple[DatabasePlan, Held]:
    """Return the database in the state that the scan reads, updated first where that is due.

    A failed update costs nothing while an edition is held: its age is judged afterwards.
    """
    database = plan.database
    if not plan.due:
        if plan.held is None:
            context.cache.current(database)  # says so where there is one, and it is damaged
            raise CacheError(
                f"{database.title} is not in the cache, and the run is offline",
                hint="run `scanrun cache update` where there is a network, or `cache restore`",
            )
        return plan, plan.held
    step = configured(database.update, entry.settings)

    def update(folder: Path) -> Path:
        context.tell(entry.name, f"updating {database.title}")
        return fetch(
            context.engines.session(entry.engine),
            database,
            step,
            name=entry.name,
            folder=folder,
            cancel=context.cancel,
            log=context.log(entry.name),
            masker=context.masker,
        )

    try:
        return plan, context.cache.update(
            database, update, cancel=context.cancel, limit=step.timeout_s
        )
    except ScanError as error:
        if plan.held is None:
            raise
        context.tell(entry.name, f"update failed ({error}); going on with the edition held")
        return plan, plan.held


def _used(
    context: Context, databases: Iterable[tuple[DatabasePlan, Held]]
) -> tuple[UsedDatabase, ...]:
    limits = context.request.settings.evidence
    return tuple(
        UsedDatabase(
            plan.database, held.edition, limits.limit(plan.database.name, plan.database.max_age)
        )
        for plan, held in databases
    )


def _outputs(
    context: Context, entry: Entry, outcomes: Iterable[tuple[Step, StepOutcome]]
) -> Outputs:
    paths: dict[str, Path] = {}
    exit_code = 0
    for step, outcome in outcomes:
        paths.update(outcome.outputs)
        if step.role is Role.SCAN:
            exit_code = outcome.exit_code
    return Outputs(
        paths,
        log=context.log(entry.name),
        exit_code=exit_code,
        snapshot=context.plan.snapshot,
        options=entry.target.options,
    )


def _version(entry: Entry, outputs: Outputs, located: Located) -> str:
    told = entry.scanner.version(outputs) if isinstance(entry.scanner, HasVersion) else ""
    return told or located.version
