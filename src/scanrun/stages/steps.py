"""How a scanner's steps are run, on an engine or in this process: the verb is `run_steps`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from scanrun.clock import Clock
from scanrun.context import Context
from scanrun.contracts import ResolvesImages, Running
from scanrun.deadline import within
from scanrun.errors import (
    EngineLostError,
    InterruptedRunError,
    MissingToolError,
    ScanError,
    StepError,
)
from scanrun.model import STEP_LOG, Category, Located, Outputs, Role, Step, StepOutcome, Task
from scanrun.secrets import with_sealed
from scanrun.stages.desk import TaskDesk
from scanrun.stages.plan import configured_steps
from scanrun.stages.select import Entry
from scanrun.stages.update import append_log, failure_of, last_words
from scanrun.web.probe import BEFORE, answer_of, read_answer
from scanrun.web.reach import check_reached

Outcomes = list[tuple[Step | Task, StepOutcome]]


@dataclass(frozen=True, slots=True)
class Beside:
    """What the steps of one scanner find beside them."""

    caches: Mapping[str, Path]
    running: Mapping[str, Running]
    secrets: dict[str, str] = field(repr=False)


def run_steps(
    context: Context, entry: Entry, beside: Beside, clock: Clock
) -> tuple[Outcomes, Located]:
    """Run all of a scanner's steps, one after the other; return how they ended, and what ran.

    Raises:
        ScanError: one of them did not end with an answer.
    """
    run = context.cancel
    context = replace(context, cancel=context.services.stop(entry.services, run))
    entry = _with_archive(context, entry)
    outcomes: Outcomes = []
    located = entry.located or Located("")
    for number, step in enumerate(entry.steps, 1):
        context.services.check(entry.services)
        which = f", step {number} of {len(entry.steps)}" if len(entry.steps) > 1 else ""
        try:
            if isinstance(step, Task):
                context.tell(entry.name, f"{step.name}{which}")
                outcome = _run_task(context, entry, step, beside, outcomes)
            else:
                found = _prepared(context, entry, step, located)
                # what ran is the tool; a probe is, too, where it is run by the same image
                if step.role is entry.tool.role or found.reference == located.reference:
                    located = found
                context.tell(entry.name, f"{_doing(entry, step)}{which}")
                outcome = _run_step(context, entry, step, beside, found)
                _judge_probe(entry, step, outcome)
        except EngineLostError:
            raise
        except InterruptedRunError:
            if not run.is_set():
                context.services.check(entry.services)
            raise
        except ScanError:
            # a server that died says so itself, better than who asked it in vain
            context.services.check(entry.services)
            raise
        outcomes.append((step, outcome))
        clock.lap(step.name)
    context.services.check(entry.services)
    return outcomes, located


def _prepared(context: Context, entry: Entry, step: Step, located: Located) -> Located:
    """Return what runs the step, pulled where it has to be."""
    if located.to_pull:
        context.tell(entry.name, f"pulling {located.reference}")
    return context.engines.session(entry.engine).prepare(step, context.cancel)


def _judge_probe(entry: Entry, step: Step, outcome: StepOutcome) -> None:
    """Go no further where there is no application to be scanned, or another one.

    Raises:
        ScanError: what came instead.
    """
    app = entry.target.app
    if app is not None and step.role is Role.PROBE and answer_of(BEFORE) in step.outputs:
        check_reached(read_answer(Outputs(outcome.outputs), BEFORE), app)


def _doing(entry: Entry, step: Step) -> str:
    asks = step.role is Role.PROBE and entry.scanner.category is Category.DAST
    return "asking the application" if asks else "running"


def _run_task(
    context: Context, entry: Entry, task: Task, beside: Beside, before: Outcomes
) -> StepOutcome:
    """Run what the plugin does in this process, held to its deadline."""
    folder = context.folder / entry.name / task.name
    folder.mkdir(parents=True)
    log = folder / STEP_LOG
    log.touch()
    earlier = outputs_of(context, entry, before)
    desk = TaskDesk(
        task=task,
        folder=folder,
        outputs=dict(earlier),
        exit_code=earlier.exit_code,
        cancel=context.cancel,
        log=context.log(entry.name),
        running={name: beside.running[name] for name in task.services},
        secrets=beside.secrets,
        learn=context.masker.learn,
        tell=partial(context.tell, entry.name),
    )
    started = datetime.now(UTC)
    what = f"task {task.name!r} of {entry.name!r}"
    within(task.timeout_s, partial(task.run, desk), what=what, cancel=context.cancel)
    return StepOutcome(
        exit_code=0, outputs=desk.left(), log=log, started=started, ended=datetime.now(UTC)
    )


def _run_step(
    context: Context, entry: Entry, step: Step, beside: Beside, located: Located
) -> StepOutcome:
    folder = context.folder / entry.name / step.name
    folder.mkdir(parents=True)
    outcome = context.engines.session(entry.engine).run(
        with_sealed(step, beside.secrets),
        name=entry.name,
        caches=beside.caches,
        folder=folder,
        cancel=context.cancel,
        beside=[beside.running[name] for name in step.services],
    )
    append_log(context.log(entry.name), step, outcome)
    if outcome.exit_code not in step.ok_exit_codes:
        if meant := failure_of(entry.scanner, step, outcome):
            raise meant
        listed = ", ".join(str(code) for code in sorted(step.ok_exit_codes))
        raise StepError(
            f"step {step.name!r} ended with exit code {outcome.exit_code} (an answer is {listed})"
            + last_words(context.masker, outcome.log),
            hint=_what_to_do(outcome, located),
        )
    if outcome.oom_killed:
        raise StepError(
            f"a process of step {step.name!r} was killed for its memory"
            f" ({step.limits.memory_mb} MB), so its answer may be partial",
            hint=f"raise `memory` in [scanner.{entry.name}]",
        )
    return outcome


def _what_to_do(outcome: StepOutcome, located: Located) -> str:
    if outcome.oom_killed:
        return "killed for its memory: raise `memory`"
    if located.foreign:
        return f"its image is {located.foreign}: name one for that in `image`"
    return "see its log"


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


def outputs_of(context: Context, entry: Entry, outcomes: Outcomes) -> Outputs:
    """Return what the steps have left, as a converter is given it."""
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
        app=entry.target.app,
    )
