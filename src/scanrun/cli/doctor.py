"""`scanrun doctor`: what works here, what doesn't, and what to do about it."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scanrun.cache import Cache
from scanrun.cli.session import CommandContext, gather, must_exist
from scanrun.context import Progress
from scanrun.contracts import Check, ResolvesImages, Session
from scanrun.engines import Engines, engine_settings
from scanrun.errors import EngineError, ScanError, ScanrunError
from scanrun.model import Decision, ScanResult, Snapshot, Status
from scanrun.prove import prove
from scanrun.quantity import counted, span
from scanrun.request import Request
from scanrun.sarif.mask import clean_text
from scanrun.scratch import scratch_folder
from scanrun.snapshot import take_snapshot
from scanrun.stages.evidence import UsedDatabase, age_problems
from scanrun.stages.plan import place
from scanrun.stages.select import DatabasePlan, Entry, select

_MARKS = {True: "ok     ", False: "problem", None: "note   "}


@click.command(short_help="Check engine, images, databases and configuration.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--engine", metavar="NAME", help="Look at this engine alone.")
@click.option("--images", is_flag=True, help="Ask registries for images that are not here.")
@click.option("--prove", "proof", is_flag=True, help="Run each scanner on its canary alone.")
@click.option("--trust-config", is_flag=True, help="Let the tree's own configuration run programs.")
@click.option("-q", "--quiet", is_flag=True, help="Print problems alone.")
def command(path: Path, config: Path | None, engine: str | None, quiet: bool, **asked: bool) -> int:  # noqa: FBT001 - click's flags
    """Check what a run on PATH would need. Exit code 0: nothing is wrong; 1: something is."""
    must_exist(path, hint="name a folder or a file to scan")
    problems = 0
    for check in _checks(path, config, engine, **asked):
        problems += check.ok is False
        if quiet and check.ok is not False:
            continue
        click.echo(f"{_MARKS[check.ok]}  {check.name}: {clean_text(check.detail, 500)}")
        if check.hint and check.ok is not True:
            click.echo(f"         try: {clean_text(check.hint, 500)}")
    if not quiet:
        click.echo(counted(problems, "problem") if problems else "no problems")
    return 1 if problems else 0


def _checks(
    path: Path,
    config: Path | None,
    engine: str | None,
    *,
    images: bool,
    proof: bool,
    trust_config: bool,
) -> Iterator[Check]:
    try:
        here = gather(path, config=config, flags={"scan.engine": engine}, trusted=trust_config)
        request = here.request()
    except ScanrunError as error:
        yield Check("configuration", ok=False, detail=str(error), hint=error.hint)
        return
    file = here.loaded.file
    yield Check("configuration", ok=True, detail=str(file) if file else "none: defaults")
    for text in here.loaded.told:
        yield Check("configuration", ok=None, detail=text)
    with scratch_folder(request.run_id) as scratch:
        broken = []
        for check in _engine_checks(here, request, scratch):
            broken += [check.detail] if check.ok is False else []
            yield check
        yield from _scanner_checks(here, request, scratch, images=images, broken=broken)
    if proof:
        yield from _proofs(here, request)


def _engine_checks(here: CommandContext, request: Request, scratch: Path) -> Iterator[Check]:
    choice = request.settings.scan.engine
    folder = scratch / "diagnosis"
    folder.mkdir()
    for name, engine in here.plugins.engines.items():
        if choice not in ("auto", name):
            continue
        for check in engine.diagnose(engine_settings(request, folder)):
            what = check.name.removeprefix(name).removeprefix("engine").strip()
            yield replace(check, name=f"engine {name}, {what}" if what else f"engine {name}")


def _scanner_checks(
    here: CommandContext, request: Request, scratch: Path, *, images: bool, broken: Collection[str]
) -> Iterator[Check]:
    """Check what each scanner needs. `broken` are the engines' problems, told already."""
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
        except EngineError as error:
            yield _no_engine(error, broken)
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


def _no_engine(error: EngineError, broken: Collection[str]) -> Check:
    if str(error) in broken:
        return Check("scanners", ok=None, detail="not looked at without an engine", hint=error.hint)
    return Check("engine", ok=False, detail=str(error), hint=error.hint)


def _engines(
    here: CommandContext, request: Request, scratch: Path, snapshot: Snapshot, stack: ExitStack
) -> Engines:
    settings = engine_settings(request, scratch)
    choice = request.settings.scan.engine
    return Engines(here.plugins.engines, choice, settings, snapshot, {}, stack)


def _proofs(here: CommandContext, request: Request) -> Iterator[Check]:
    """Say of each scanner whether it could find anything at all today."""

    def see(event: Progress) -> None:
        if event.result is None:
            click.echo(f"{event.scanner}: {clean_text(event.text, 200)}", err=True)

    proving = replace(request, run_id=here.request().run_id)
    try:
        results = prove(proving, here.plugins, here.scanners, see)
    except ScanrunError as error:
        yield Check("proof", ok=False, detail=str(error), hint=error.hint)
        return
    for result in results:
        yield Check(f"proof of {result.name}", **_proof(result))


def _proof(result: ScanResult) -> dict[str, Any]:
    if result.status is Status.COMPLETED:
        detail = f"{result.evidence.summary}, {result.duration_s:.1f} s"
        return {"ok": result.evidence.canary == "found", "detail": detail}
    broken = result.status is Status.FAILED
    reason = f"could find nothing: {result.reason}" if broken else f"not proven: {result.reason}"
    return {"ok": False if broken else None, "detail": reason, "hint": result.hint}


def _tool_check(entry: Entry, engines: Engines, *, images: bool) -> Check:
    name = f"scanner {entry.name}"
    located = entry.located
    if located is None or entry.decision is not Decision.RUN:
        wrong = False if entry.decision is Decision.UNAVAILABLE else None
        return Check(name, ok=wrong, detail=entry.reason, hint=entry.hint)
    note = f" ({located.note})" if located.note else ""
    detail = f"{entry.engine}: {located.reference} {located.version}{note}"
    if images and located.to_pull:
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
    now, edition = datetime.now(UTC), plan.held.edition
    limit = request.settings.evidence.limit(database.name, database.max_age)
    problems = [*age_problems([UsedDatabase(database, edition, limit)], now)]
    fresh = f"{span(now - edition.updated)} old; {span(limit)} is the most it may be"
    return Check(
        f"database {database.name}",
        ok=not problems,
        detail=" ".join(problems) or fresh,
        hint="scanrun cache update",
    )
