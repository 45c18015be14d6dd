"""`scanrun doctor`: what works here, what doesn't, and what to do about it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from scanrun.cache import Cache
from scanrun.cli.scan import new_run_id
from scanrun.cli.session import CommandContext, gather
from scanrun.contracts import Check, ResolvesImages, Session
from scanrun.engines import Engines, lock_folder
from scanrun.errors import EngineError, ScanError, ScanrunError
from scanrun.lockfile import read_lock
from scanrun.model import Decision, Snapshot
from scanrun.pipeline import engine_settings
from scanrun.request import Request
from scanrun.sarif.mask import clean_text
from scanrun.scratch import scratch_folder
from scanrun.snapshot import take_snapshot
from scanrun.stages.plan import DatabasePlan, Entry, place, select

_MARKS = {True: "ok     ", False: "problem", None: "note   "}


@click.command(short_help="Check engine, images, databases and configuration.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--engine", metavar="NAME", help="Look at this engine alone.")
@click.option("--images", is_flag=True, help="Ask registries for images that are not here.")
@click.option("-q", "--quiet", is_flag=True, help="Print problems alone.")
def command(path: Path, config: Path | None, engine: str | None, images: bool, quiet: bool) -> int:  # noqa: FBT001 - click's flags
    """Check what a run on PATH would need. Exit code 0: nothing is wrong; 1: something is."""
    problems = 0
    for check in _checks(path, config, engine, images=images):
        problems += check.ok is False
        if quiet and check.ok is not False:
            continue
        click.echo(f"{_MARKS[check.ok]}  {check.name}: {clean_text(check.detail, 500)}")
        if check.hint and check.ok is not True:
            click.echo(f"         try: {clean_text(check.hint, 500)}")
    if not quiet:
        click.echo(f"{problems or 'no'} problem{'' if problems == 1 else 's'}")
    return 1 if problems else 0


def _checks(
    path: Path, config: Path | None, engine: str | None, *, images: bool
) -> Iterator[Check]:
    try:
        here = gather(path, config=config, flags={"scan.engine": engine})
    except ScanrunError as error:
        yield Check("configuration", ok=False, detail=str(error), hint=error.hint)
        return
    file = here.loaded.file
    yield Check("configuration", ok=True, detail=str(file) if file else "none: defaults")
    for text in here.loaded.told:
        yield Check("configuration", ok=None, detail=text)
    root = path if path.is_dir() else path.parent
    request = Request(
        run_id=new_run_id(),
        path=path,
        loaded=here.loaded,
        lock=read_lock(lock_folder(root, file)),
        environment=dict(os.environ),
    )
    with scratch_folder(request.run_id) as scratch:
        yield from _engine_checks(here, request, scratch)
        yield from _scanner_checks(here, request, scratch, images=images)


def _engine_checks(here: CommandContext, request: Request, scratch: Path) -> Iterator[Check]:
    choice = request.settings.scan.engine
    folder = scratch / "diagnosis"
    folder.mkdir()
    for name, engine in here.plugins.engines.items():
        if choice not in ("auto", name):
            continue
        for check in engine.diagnose(engine_settings(request, folder)):
            yield replace(check, name=f"engine {name}, {check.name}")


def _scanner_checks(
    here: CommandContext, request: Request, scratch: Path, *, images: bool
) -> Iterator[Check]:
    snapshot = take_snapshot(
        request.path,
        exclude=request.settings.scan.exclude,
        output_dir=request.settings.output.dir,
        environment=request.environment,
    )
    with ExitStack() as stack:
        engines = _engines(here, request, scratch, snapshot, stack)
        try:
            engines.begin()
        except ScanrunError as error:
            yield Check("engine", ok=False, detail=str(error), hint=error.hint)
            return
        cache = Cache.of(request.environment)
        for entry in select(request, here.scanners, snapshot):
            if entry.decision is not Decision.RUN:
                yield Check(f"scanner {entry.name}", ok=None, detail=f"not used: {entry.reason}")
                continue
            placed = place(request, entry, engines, cache)
            yield _tool_check(placed, engines, images=images)
            for plan in placed.databases:
                yield _database_check(request, plan)


def _engines(
    here: CommandContext, request: Request, scratch: Path, snapshot: Snapshot, stack: ExitStack
) -> Engines:
    settings = engine_settings(request, scratch)
    choice = request.settings.scan.engine
    return Engines(here.plugins.engines, choice, settings, snapshot, {}, stack)


def _tool_check(entry: Entry, engines: Engines, *, images: bool) -> Check:
    name = f"scanner {entry.name}"
    located = entry.located
    if located is None or entry.decision is not Decision.RUN:
        wrong = False if entry.decision is Decision.UNAVAILABLE else None
        return Check(name, ok=wrong, detail=entry.reason, hint=entry.hint)
    note = f" ({located.note})" if located.note else ""
    detail = f"{entry.engine}: {located.reference} {located.version}{note}"
    if images and located.note:
        return _registry_check(name, detail, located.reference, engines.session(entry.engine))
    return Check(name, ok=True, detail=detail)


def _registry_check(name: str, detail: str, reference: str, session: Session) -> Check:
    """Ask the registry for an image that would have to be pulled."""
    if not isinstance(session, ResolvesImages):
        return Check(name, ok=True, detail=detail)
    try:
        return Check(name, ok=True, detail=f"{detail}, {session.digest(reference)}")
    except (ScanError, EngineError) as error:
        return Check(name, ok=False, detail=str(error), hint=error.hint)


def _database_check(request: Request, plan: DatabasePlan) -> Check:
    database = plan.database
    if plan.held is None:
        return Check(
            f"database {database.name}",
            ok=None,
            detail="not in the cache; the next run downloads it",
            hint="scanrun cache update",
        )
    age = datetime.now(UTC) - plan.held.edition.updated
    limit = request.settings.evidence.limit(database.name, database.max_age)
    hours = age.total_seconds() / 3600
    return Check(
        f"database {database.name}",
        ok=age <= limit,
        detail=f"{hours:.0f} h old; {limit.total_seconds() / 3600:.0f} h is the most it may be",
        hint="scanrun cache update",
    )
