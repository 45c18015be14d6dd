"""What one scanner does in a run, from its databases to its SARIF run: the verb is `scan`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from scanrun.cache import Held
from scanrun.context import Context
from scanrun.contracts import HasVersion, ResolvesImages
from scanrun.errors import CacheError, MissingToolError, ScanError, StepError
from scanrun.model import (
    Category,
    Located,
    Outputs,
    Role,
    ScanResult,
    Step,
    StepOutcome,
)
from scanrun.sarif.mask import Masker, clean_text
from scanrun.sarif.run import run_head
from scanrun.sarif.writer import RunWriter
from scanrun.stages.convert import convert_outputs
from scanrun.stages.evidence import UsedDatabase, weigh
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.outcome import completed, driver
from scanrun.stages.plan import DatabasePlan, Entry, configured, configured_steps

_LOG_TAIL = 8000
_TELLING = re.compile(r"(?i)\b(?:fatal|error|panic|denied|failed|cannot|no such)\b")
"""What says more of a failure than the end of a stack trace."""


def scan(context: Context, entry: Entry, started: datetime) -> ScanResult:
    """Run the scanner's steps, convert what they leave, weigh it, and write its SARIF run.

    Raises:
        ScanError: it did not complete.
    """
    databases = tuple(_database(context, entry, plan) for plan in entry.databases)
    outcomes, located = _run_steps(context, entry, databases)
    outputs = _outputs(context, entry, outcomes)
    context.tell(entry.name, "reading its report")
    version = _version(entry, outputs, located)
    with RunWriter(context.run_file(entry.name)) as writer:
        seen = convert_outputs(
            entry.scanner,
            outputs,
            writer,
            fingerprinter=Fingerprinter(context.plan.snapshot),
            triage=context.triage,
            masker=context.masker,
        )
        evidence = weigh(
            entry.scanner,
            entry.target,
            outputs,
            canary_found=frozenset(seen.canary_found),
            databases=_used(context, databases),
            notifications=seen.notifications,
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
        writer.finish(
            run_head(
                result,
                driver(entry),
                run_id=context.plan.run_id,
                snapshot=context.plan.snapshot,
                cwes=seen.cwes,
            )
        )
    return result


def _run_steps(
    context: Context, entry: Entry, databases: Iterable[tuple[DatabasePlan, Held]]
) -> tuple[list[tuple[Step, StepOutcome]], Located]:
    session = context.engines.session(entry.engine)
    entry = _with_archive(context, entry)
    caches = {plan.database.name: held.path for plan, held in databases}
    outcomes: list[tuple[Step, StepOutcome]] = []
    located = entry.located or Located("")
    for step in entry.steps:
        if located.note:
            context.tell(entry.name, f"{located.note}: {located.reference}")
        located = session.prepare(step, context.cancel)
        context.tell(entry.name, f"{step.name} running" if step.name != "scan" else "running")
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
    _append_log(context, entry, step, outcome)
    if outcome.exit_code not in step.ok_exit_codes:
        listed = ", ".join(str(code) for code in sorted(step.ok_exit_codes))
        raise StepError(
            f"step {step.name!r} ended with exit code {outcome.exit_code} (an answer is {listed})"
            + _last_words(context.masker, outcome.log),
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
            raise CacheError(
                f"{database.title} is not in the cache, and the run is offline",
                hint="run `scanrun cache update` where there is a network, or `cache restore`",
            )
        return plan, plan.held
    step = configured(database.update, entry.settings)

    def update(folder: Path) -> Path:
        context.tell(entry.name, f"updating {database.title}")
        session = context.engines.session(entry.engine)
        session.prepare(step, context.cancel)
        outcome = session.run(
            step, name=entry.name, caches={}, folder=folder, cancel=context.cancel
        )
        _append_log(context, entry, step, outcome)
        if outcome.exit_code not in step.ok_exit_codes:
            raise CacheError(
                f"the update of {database.title} ended with exit code {outcome.exit_code}"
                + _last_words(context.masker, outcome.log),
                hint="see its log; behind a firewall, name a mirror or use `scanrun cache restore`",
            )
        return outcome.outputs[step.outputs[0]]

    try:
        return plan, context.cache.update(database, update)
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


def _append_log(context: Context, entry: Entry, step: Step, outcome: StepOutcome) -> None:
    with context.log(entry.name).open("ab") as log, outcome.log.open("rb") as printed:
        log.write(f"--- {step.name}: exit code {outcome.exit_code}\n".encode())
        while block := printed.read(1 << 20):
            log.write(block)


def _last_words(masker: Masker, log: Path) -> str:
    """Return the last line of a step's log that says something of a failure."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LOG_TAIL))
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    telling = [line for line in lines if _TELLING.search(line)] or lines
    return f": {masker.text(clean_text(telling[-1], 300))}" if telling else ""
