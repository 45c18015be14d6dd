"""`scanrun cache`: the databases that scanners must have before they scan."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from scanrun.cache import Cache, Held
from scanrun.cache_copy import restore, save
from scanrun.cli.session import CommandContext, gather, must_exist
from scanrun.config.models import ScannerSettings
from scanrun.contracts import HasDatabases, HasSecrets, KeepsThings, Scanner
from scanrun.engines import Engines, engine_settings
from scanrun.errors import CacheError, EngineError, ExitCode, ScanError, UsageError
from scanrun.model import Database, Need, Snapshot, Step, Target
from scanrun.nearest import nearest
from scanrun.quantity import size, span
from scanrun.sarif.mask import Masker, clean_text
from scanrun.scratch import scratch_folder
from scanrun.secrets import with_sealed
from scanrun.stages.plan import configured
from scanrun.stages.update import called, fetch


@dataclass(frozen=True, slots=True)
class Wanted:
    """A database, and the scanner whose configuration says where it comes from."""

    scanner: Scanner
    database: Database
    step: Step
    engine: str | None
    needs: tuple[Need, ...]


@click.group(short_help="Update, show, save and restore scanners' databases.")
def command() -> None:
    """Keep the databases that scanners need, so that a scan itself needs no network."""


_config = click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_config
@click.option("--engine", metavar="NAME", help="Engine that runs the download.")
@click.option("--offline", is_flag=True, help="Refuse to use the network.")
@click.option("--force", is_flag=True, help="Fetch again what is still fresh.")
@click.option("--trust-config", is_flag=True, help="Let the tree's own configuration run programs.")
def update(  # noqa: PLR0917 - click's options
    names: tuple[str, ...],
    config: Path | None,
    engine: str | None,
    offline: bool,  # noqa: FBT001 - click's flag
    force: bool,  # noqa: FBT001 - click's flag
    trust_config: bool,  # noqa: FBT001 - click's flag
) -> int:
    """Fetch the databases NAME (all of them by default) where newer ones are due."""
    flags = {"scan.engine": engine, "scan.offline": offline or None}
    here = gather(Path(), config=config, flags=flags, trusted=trust_config)
    if here.loaded.settings.scan.offline:
        raise UsageError(
            "an update needs the network, and this run is offline",
            hint="bring databases along with `scanrun cache save` and `scanrun cache restore`",
        )
    cache, wanted = _cache(), _named(_wanted(here), names)
    request = here.request()
    masker = Masker(request.secrets)
    secrets = request.secrets_by_name(masker.learn)
    with _engines(here) as engines:
        for each in wanted.values():
            if not names and _has_no_program(engines, each):
                click.echo(f"{each.database.name} can't be fetched on this engine", err=True)
            elif force or cache.due(each.database, datetime.now(UTC)):
                values = {need.name: secrets.value(need) for need in each.needs}
                sealed = replace(each, step=with_sealed(each.step, values))
                run_update = fetcher(cache, engines, sealed, masker)
                limit = each.step.timeout_s
                held = cache.update(each.database, run_update, force=force, limit=limit)
                click.echo(f"updated {_line(each.database, held)}")
            else:
                click.echo(f"{each.database.name} is fresh")
    return ExitCode.PASSED


@command.command()
@_config
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(config: Path | None, as_json: bool) -> int:  # noqa: FBT001 - click's flag
    """Show each database: age, size, format, and when a newer one is due."""
    cache = _cache()
    rows = [
        _row(cache, each.database)
        for each in _wanted(gather(Path(), config=config, trusted=True)).values()
    ]
    if as_json:
        click.echo(json.dumps({"folder": str(cache.root), "databases": rows}, indent=2))
        return ExitCode.PASSED
    for row in rows:
        click.echo(
            "  ".join(
                f"{clean_text(str(value), 60):<{width}}" for value, width in _columns(row)
            ).rstrip()
        )
    return ExitCode.PASSED


@command.command(name="save")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@_config
def save_command(directory: Path, config: Path | None) -> int:
    """Copy the databases to DIRECTORY, for a machine without a network."""
    databases = _databases(gather(Path(), config=config, trusted=True))
    for name in save(_cache(), databases, directory):
        click.echo(f"saved {name}")
    return ExitCode.PASSED


@command.command(name="restore")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@_config
def restore_command(directory: Path, config: Path | None) -> int:
    """Take the databases in DIRECTORY, which `cache save` has written."""
    must_exist(directory, hint="name the folder that `cache save` has written")
    databases = {
        each.name: each for each in _databases(gather(Path(), config=config, trusted=True))
    }
    for name, held in restore(_cache(), databases.values(), directory).items():
        click.echo(f"restored {_line(databases[name], held)}")
    return ExitCode.PASSED


@command.command()
@_config
def clear(config: Path | None) -> int:
    """Remove all databases, and what engines keep of them between runs."""
    here = gather(Path(), config=config, trusted=True)
    removed = [f"removed {name}" for name in _cache().clear()]
    with _engines(here, begin=False) as engines:
        for name in here.plugins.engines:
            removed.extend(_clear_engine(engines, name))
    for line in removed or ["the cache is empty"]:
        click.echo(clean_text(line, 200))
    return ExitCode.PASSED


def _clear_engine(engines: Engines, name: str) -> Sequence[str]:
    try:
        session = engines.session(name)
    except EngineError as error:
        return (f"engine {name} not cleared: {error}",)
    return session.clear() if isinstance(session, KeepsThings) else ()


def _cache() -> Cache:
    return Cache.of(os.environ)


def _wanted(here: CommandContext) -> Mapping[str, Wanted]:
    """Return every database that a scanner has, whether or not this tree needs it."""
    found: dict[str, Wanted] = {}
    for name, scanner in here.scanners.items():
        settings = here.loaded.settings.scanner.get(name) or ScannerSettings()
        if not isinstance(scanner, HasDatabases):
            continue
        target = Target(
            snapshot=Snapshot(root=Path()),
            options=settings.options,
            configured_image=settings.image or "",
        )
        needs = scanner.secrets(target) if isinstance(scanner, HasSecrets) else ()
        for database in scanner.databases(target):
            step = configured(database.update, settings)
            found.setdefault(database.name, Wanted(scanner, database, step, settings.engine, needs))
    return found


def _databases(here: CommandContext) -> list[Database]:
    return [each.database for each in _wanted(here).values()]


def _named(wanted: Mapping[str, Wanted], names: tuple[str, ...]) -> Mapping[str, Wanted]:
    for name in names:
        if name not in wanted:
            raise UsageError(f"no database {name!r}", hint=nearest(name, wanted))
    return {name: wanted[name] for name in names or wanted}


@contextmanager
def _engines(here: CommandContext, *, begin: bool = True) -> Iterator[Engines]:
    request = here.request()
    choice, known = here.loaded.settings.scan.engine, here.plugins.engines
    with scratch_folder(request.run_id) as scratch, ExitStack() as stack:
        settings = engine_settings(request, scratch)
        engines = Engines(known, choice, settings, Snapshot(root=here.path), {}, stack)
        if begin:
            engines.begin()
        yield engines


def _has_no_program(engines: Engines, wanted: Wanted) -> bool:
    """Say whether no installation could make the engine run the download: it is images only."""
    if wanted.step.executable:
        return False
    name, _ = engines.place(wanted.step, wanted.engine)
    return name in engines.known and engines.known[name].runs == "executable"


def fetcher(
    cache: Cache, engines: Engines, wanted: Wanted, masker: Masker
) -> Callable[[Path], Path]:
    """Return what runs the update step, once its turn has come. Its log is kept in the cache."""
    kept = cache.root / f"{wanted.database.name}.log"

    def run_update(folder: Path) -> Path:
        click.echo(f"fetching {called(wanted.database, cache.held(wanted.database))} …", err=True)
        engine, located = engines.place(wanted.step, wanted.engine)
        if located.problem:
            raise CacheError(located.problem, hint=located.hint)
        log = engines.settings.scratch / kept.name
        try:
            return fetch(
                engines.session(engine),
                wanted.scanner,
                wanted.database,
                wanted.step,
                folder=folder,
                held=cache.held(wanted.database),
                cancel=threading.Event(),
                log=log,
                kept=str(kept),
                masker=masker,
                say=lambda text: click.echo(f"  {text}", err=True),
            )
        except ScanError as error:
            # it may quote what the step printed
            raise CacheError(masker.text(str(error)), hint=error.hint) from error
        finally:
            if log.exists():
                masker.file(log, kept)

    return run_update


def _row(cache: Cache, database: Database) -> dict[str, Any]:
    row: dict[str, Any] = {"name": database.name, "title": database.title, "state": "absent"}
    try:
        held = cache.current(database)
    except CacheError as error:
        return {**row, "state": "damaged", "problem": str(error)}
    if held is None:
        return row
    now, edition = datetime.now(UTC), held.edition
    following = edition.next_update or edition.updated + database.refresh
    return {
        **row,
        "state": "due" if cache.due(database, now) else "fresh",
        "updated": edition.updated.isoformat(timespec="seconds"),
        "age_s": int((now - edition.updated).total_seconds()),
        "next_update": following.isoformat(timespec="seconds"),
        "size": held.size,
        "version": edition.version,
        "path": str(held.path),
    }


def _columns(row: Mapping[str, Any]) -> Iterator[tuple[object, int]]:
    yield row["name"], 18
    yield row["state"], 8
    if "age_s" in row:
        yield f"{span(timedelta(seconds=row['age_s']))} old", 12
        yield size(row["size"]), 11
        yield row["version"], 9
        yield f"next update {row['next_update']}", 1
    elif "problem" in row:
        yield row["problem"], 1


def _line(database: Database, held: Held) -> str:
    age = span(datetime.now(UTC) - held.edition.updated)
    return f"{database.name}: {age} old, {size(held.size)}"
