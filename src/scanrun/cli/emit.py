"""`scanrun emit`: the file with which a CI system calls scanrun."""

from dataclasses import replace
from pathlib import Path

import click

from scanrun import __version__
from scanrun.cli.session import gather
from scanrun.config import Loaded, Settings
from scanrun.errors import ConfigError, UsageError
from scanrun.files import written
from scanrun.invocation import Invocation
from scanrun.nearest import nearest


@click.command("emit", short_help="Print the file with which a CI system calls scanrun.")
@click.argument("system")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option(
    "--fail-on", metavar="LEVEL", help="Lowest severity that fails [the configuration's]."
)
@click.option("--engine", metavar="NAME", help="auto, docker or local [the configuration's].")
@click.option(
    "--plugin", multiple=True, type=click.Path(path_type=Path), help="Load a local plugin."
)
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path), help="File to write [stdout]."
)
def command(
    system: str,
    path: Path,
    *,
    config: Path | None,
    fail_on: str | None,
    engine: str | None,
    plugin: tuple[Path, ...],
    file: Path | None,
) -> None:
    """Print the file for SYSTEM (codebuild, gitlab, jenkins, ...) that fits the folder PATH.

    PATH is the root of the repository: there the file belongs. `scanrun plugins` lists all systems.
    """
    flags = {"gate.fail_on": fail_on, "scan.engine": engine}
    # nothing is run here, so emitting needs no trust
    here = gather(path, config=config, flags=flags, plugins=plugin, trusted=True)
    if system not in here.plugins.ci_emitters:
        hint = nearest(system, here.plugins.ci_emitters)
        raise UsageError(f"no CI system {system!r}", hint=hint)
    invocation = replace(
        invocation_of(here.loaded.settings),
        config=_from_root(config, here.root) if config else "",
        fail_on_configured=_is_configured(here.loaded, config),
    )
    text = here.plugins.ci_emitters[system].emit(invocation)
    if file is None:
        click.echo(text, nl=False)
        return
    with written(file) as stream:
        stream.write(text.encode())


def invocation_of(settings: Settings) -> Invocation:
    """Return what an emitter has to know of the settings."""
    return Invocation(
        fail_on=settings.gate.policy().fail_on,
        output=settings.output.dir,
        formats=settings.report.formats,
        engine=settings.scan.engine,
        version=__version__,
    )


def _from_root(config: Path, root: Path) -> str:
    """Return the path by which the CI machine's copy of the tree has the configuration."""
    file, tree = config.resolve(), root.resolve()
    if not file.is_relative_to(tree):
        raise ConfigError(
            f"configuration file {str(config)!r} is not in the tree, and so not on the CI machine",
            hint="put it into the tree, or name it there with SCANRUN_CONFIG",
        )
    return file.relative_to(tree).as_posix()


def _is_configured(loaded: Loaded, config: Path | None) -> bool:
    """Say whether the CI machine finds the threshold in a file: one of its own is not known yet."""
    found_there = loaded.from_tree or config is not None
    return found_there and loaded.origin["gate.fail_on"].startswith("file ")
