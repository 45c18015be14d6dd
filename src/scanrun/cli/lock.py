"""`scanrun lock`: resolve the scanners' images to digests, so that every run uses the same."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from scanrun.cli.session import CommandContext, gather
from scanrun.contracts import Engine, HasDatabases, HasPlace, HasServices, ResolvesImages, Scanner
from scanrun.engines import engine_settings
from scanrun.errors import ExitCode, UsageError
from scanrun.lockfile import LOCK_NAME, read_lock, write_lock
from scanrun.model import Snapshot, Step, Target
from scanrun.quantity import counted
from scanrun.scratch import scratch_folder
from scanrun.stages.plan import as_step, configured, configured_steps


@click.command(short_help="Resolve images to digests and write scanrun.lock.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if it would change.")
@click.option(
    "--plugin", multiple=True, type=click.Path(path_type=Path), help="Load a local plugin."
)
@click.option("--trust-config", is_flag=True, help="Let the tree's own configuration run programs.")
def command(
    path: Path,
    config: Path | None,
    check: bool,  # noqa: FBT001 - click's flag
    plugin: tuple[Path, ...],
    trust_config: bool,  # noqa: FBT001 - click's flag
) -> int:
    """Ask the registries which image each reference means now, and write it down.

    The file lies beside the configuration file, or in PATH. Exit codes: 0 done, 1 with --check
    when it would change, 2 usage or configuration, 3 an image can't be resolved.
    """
    here = gather(path, config=config, plugins=plugin, trusted=trust_config)
    old = read_lock(here.lock_folder)
    new = resolve(here, locked_references(here))
    changes = tuple(changed(old, new))
    for line in changes:
        click.echo(line, err=True)
    if check:
        click.echo(f"{LOCK_NAME} {'is out of date' if changes else 'is up to date'}", err=True)
        return ExitCode.FAILED if changes else ExitCode.PASSED
    where = write_lock(here.lock_folder, new)
    click.echo(f"{where}: {counted(len(new), 'image')}", err=True)
    return ExitCode.PASSED


def locked_references(here: CommandContext) -> tuple[str, ...]:
    """Return the images of all scanners that the configuration would use, sorted.

    What the tree holds makes no difference: a file added tomorrow must not call for an image that
    nobody has locked. Images that no registry has can't be locked.
    """
    steps = (
        step
        for scanner in here.scanners.values()
        if _used(scanner, here)
        for step in _steps(scanner, here)
    )
    return tuple(sorted({step.image for step in steps if step.image and step.pulled}))


def resolve(here: CommandContext, references: tuple[str, ...]) -> dict[str, str]:
    """Return reference -> digest.

    Raises:
        EngineError: no engine that could look at a registry.
        MissingToolError: an image that its registry does not know.
    """
    # no lock: what is asked for is what the registry has now
    request = replace(here.request(), lock={})
    with (
        scratch_folder(request.run_id) as scratch,
        _engine(here).open(engine_settings(request, scratch)) as session,
    ):
        if not isinstance(session, ResolvesImages):
            raise UsageError(f"engine {session.endpoint!r} can't look up images")
        return {reference: session.digest(reference) for reference in references}


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each image that is new, gone or another one."""
    for reference in sorted({*old, *new}):
        before, after = old.get(reference), new.get(reference)
        if before != after:
            yield f"{reference}: {before or 'not locked'} -> {after or 'no longer used'}"


def _used(scanner: Scanner, here: CommandContext) -> bool:
    scan = here.loaded.settings.scan
    if scanner.name in scan.skip:
        return False
    on_request = isinstance(scanner, HasPlace) and scanner.on_request
    named = scanner.name in scan.required or scanner.name in here.loaded.settings.scanner
    return named or not on_request


def _steps(scanner: Scanner, here: CommandContext) -> Iterator[Step]:
    settings = here.loaded.settings.for_scanner(scanner.name)
    target = Target(snapshot=Snapshot(root=here.root), options=settings.options, args=settings.args)
    if not scanner.applies(target).configured:
        return
    steps = configured_steps(scanner, target, settings)
    yield from (step for step in steps if isinstance(step, Step))
    if isinstance(scanner, HasServices):
        yield from map(as_step, scanner.services(target))
    if isinstance(scanner, HasDatabases):
        yield from (configured(each.update, settings) for each in scanner.databases(target))


def _engine(here: CommandContext) -> Engine:
    """Return the engine that the configuration names, else the first that runs images."""
    engines = here.plugins.engines
    asked = here.loaded.settings.scan.engine
    if asked in engines and engines[asked].runs == "image":
        return engines[asked]
    for engine in engines.values():
        if engine.runs == "image":
            return engine
    raise UsageError("no engine here runs images", hint="install scanrun's own plugins")
