"""What one scanner does in a run, from its databases to its SARIF run: the verb is `scan`."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from scanrun.cache import Held
from scanrun.clock import Clock
from scanrun.context import Context
from scanrun.contracts import (
    HasProof,
    HasReach,
    HasVersion,
    Running,
    Scanner,
)
from scanrun.deadline import within
from scanrun.errors import InterruptedRunError
from scanrun.model import (
    Category,
    Condition,
    Evidence,
    Located,
    Outputs,
    Reached,
    Role,
    ScanResult,
    Service,
    StepOutcome,
)
from scanrun.sarif.writer import RunWriter
from scanrun.stages.convert import Converted, convert_outputs, shown_conditions
from scanrun.stages.evidence import UsedDatabase, weigh
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.outcome import completed, finish
from scanrun.stages.select import DatabasePlan, Entry, canaries
from scanrun.stages.steps import Beside, Outcomes, outputs_of, run_steps
from scanrun.stages.update import up_to_date
from scanrun.web.reach import reach_of

_WAITED_S = 0.5
"""Less than this nobody has waited."""


def scan(context: Context, entry: Entry, started: datetime, clock: Clock) -> ScanResult:
    """Run the scanner's steps, convert what they leave, weigh it, and write its SARIF run.

    `clock` has the parts that it came to, even where it fails.

    Raises:
        ScanError: it did not complete.
    """
    if context.cancel.is_set():
        raise InterruptedRunError("it had not begun")
    with context.budget.taken(
        _memory(context, entry), cancel=context.cancel, waiting=partial(context.tell, entry.name)
    ):
        clock.lap("waiting for memory", at_least_s=_WAITED_S)
        databases, outcomes, located = _run(context, entry, clock)
    outcomes = [(step, _told_cleanly(context, outcome)) for step, outcome in outcomes]
    outputs = outputs_of(context, entry, outcomes)
    lost = tuple(text for _, outcome in outcomes for text in outcome.lost)
    context.tell(entry.name, "reading its report")
    with RunWriter(context.run_file(entry.name)) as writer:
        seen, evidence, conditions, version = within(
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
        clock.lap("reading its report")
        result = replace(
            result,
            version=version,
            run_file=context.run_file(entry.name),
            phases=tuple(clock.phases),
            conditions=conditions,
            raw={**result.raw, **_service_logs(context, entry)},
        )
        finish(writer, context, entry, result, seen.cwes)
    return result


def _told_cleanly(context: Context, outcome: StepOutcome) -> StepOutcome:
    """Return the outcome with an engine's words as they may be shown: they name the tree's files.

    Here, as later they go three ways: into the evidence, the log and the verdict.
    """
    clean = context.masker.clean
    return replace(
        outcome, notes=tuple(map(clean, outcome.notes)), lost=tuple(map(clean, outcome.lost))
    )


def _read(  # noqa: PLR0917 - all of them, once
    context: Context,
    entry: Entry,
    databases: Iterable[tuple[DatabasePlan, Held]],
    outputs: Outputs,
    located: Located,
    lost: tuple[str, ...],
    writer: RunWriter,
) -> tuple[Converted, Evidence, tuple[Condition, ...], str]:
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
        reached=_reached(context, entry, outputs),
        planted=planted,
        lower=context.request.settings.evidence.lower.get(entry.name, ()),
    )
    conditions = shown_conditions(entry.scanner, outputs, context.masker)
    return seen, evidence, conditions, _version(entry, outputs, located)


def _reached(context: Context, entry: Entry, outputs: Outputs) -> Reached | None:
    """Return what the scanner saw of the application, in words that may be shown.

    One that can't say what it saw itself has seen nothing, whether or not it has it probed.
    """
    app, dast = entry.target.app, entry.scanner.category is Category.DAST
    if isinstance(entry.scanner, HasReach):
        found = entry.scanner.reached(outputs)
    elif dast and any(step.role is Role.PROBE for step in entry.tools):
        found = reach_of(outputs, pages=0)
    elif app is not None and dast:
        told = "it has no proof that it reached the application"
        found = Reached(url=app.url, pages=0, problems=(told,))
    else:
        return None
    if not isinstance(found, Reached):
        raise TypeError(f"{found!r:.80} is not what was reached")
    clean = context.masker.clean
    return replace(
        found,
        url=clean(found.url),
        before=clean(found.before),
        after=clean(found.after),
        others=tuple(map(clean, found.others)),
        problems=tuple(map(clean, found.problems)),
    )


def _planted(context: Context, entry: Entry) -> frozenset[str]:
    """Return the paths of the canaries in what the scanner was given: of an image, none."""
    given = any(step.source is not None for step in entry.tools)
    return frozenset(canaries(context.plan.entries) if given else ())


def _canary_found(scanner: Scanner, outputs: Outputs, seen: Converted) -> frozenset[str]:
    if isinstance(scanner, HasProof):
        return scanner.proven(outputs)
    return frozenset(seen.canary_found)


def _memory(context: Context, entry: Entry) -> int:
    """Return what the scanner waits for. A limit alone is no need; a server's memory is one."""
    if entry.services or context.budget.total_mb is None:
        return entry.memory_mb
    return min(entry.memory_mb, context.budget.total_mb)


def _run(
    context: Context, entry: Entry, clock: Clock
) -> tuple[tuple[tuple[DatabasePlan, Held], ...], Outcomes, Located]:
    """Run what the scanner needs beside it, and its steps; leave nothing running behind."""
    running: dict[str, Running] = {}
    with ExitStack() as leaving:
        for service in entry.services:  # also those that it never comes to: others may share them
            log = _service_log(context, entry, service)
            leaving.callback(context.services.leave, service, log)
        secrets = {need.name: context.secrets.value(need) for need in entry.needs}
        databases = tuple(up_to_date(context, entry, plan, secrets) for plan in entry.databases)
        if databases:
            clock.lap("databases")
        session = context.engines.session(entry.engine)
        for service in entry.services:
            running[service.name] = context.services.start(
                service,
                session,
                name=entry.name,
                cancel=context.cancel,
                say=partial(context.tell, entry.name),
                log=_service_log(context, entry, service),
                secrets={name: secrets[secret] for name, secret in service.secrets.items()},
            )
            clock.lap(f"starting {service.name}")
        caches = {plan.database.name: held.path for plan, held in databases}
        outcomes, located = run_steps(context, entry, Beside(caches, running, secrets), clock)
    return databases, outcomes, located


def _service_log(context: Context, entry: Entry, service: Service) -> Path:
    return context.folder / entry.name / "services" / f"{service.name}.log"


def _service_logs(context: Context, entry: Entry) -> dict[str, Path]:
    """Return what its services have printed: an incomplete answer may be explained there."""
    logs = ((each.name, _service_log(context, entry, each)) for each in entry.services)
    return {f"services/{name}.log": log for name, log in logs if log.is_file()}


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


def _version(entry: Entry, outputs: Outputs, located: Located) -> str:
    told = entry.scanner.version(outputs) if isinstance(entry.scanner, HasVersion) else ""
    return told or located.version
