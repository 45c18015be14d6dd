"""`scanrun init`: the first configuration of a tree."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from scanrun.config.source import FILE, find
from scanrun.config.starter import Candidate, starter
from scanrun.contracts import HasPlace, Scanner
from scanrun.errors import ConfigError, UsageError
from scanrun.files import written
from scanrun.model import Snapshot, Target
from scanrun.plugins import load_plugins
from scanrun.snapshot import take_snapshot


@click.command("init", short_help="Write a commented scanrun.toml that fits this tree.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--force", is_flag=True, help="Replace a scanrun.toml that is there.")
def command(path: Path, force: bool) -> None:  # noqa: FBT001 - click's flag
    """Write a commented scanrun.toml that fits what lies in the folder PATH."""
    if not path.is_dir():
        raise UsageError(f"{str(path)!r} is no folder", hint="name the folder to be scanned")
    file = path / FILE
    _refuse_to_replace(file, force=force)
    snapshot = take_snapshot(path, environment=os.environ)
    scanners = load_plugins(scanned=path).scanners
    text = starter(snapshot.files, _candidates(scanners, snapshot))
    with written(file) as stream:
        stream.write(text.encode())
    _next_steps(file)


def _refuse_to_replace(file: Path, *, force: bool) -> None:
    if os.path.lexists(file) and not force:
        raise UsageError(f"{str(file)!r} is there already", hint="replace it with --force")
    if os.path.lexists(file):
        return  # it may be the very thing that is broken
    found = find(file.parent)
    if found and found.path.parent == file.parent.resolve():
        raise ConfigError(
            f"[tool.scanrun] in {found.path} configures this folder already",
            hint="change it there, or remove it first",
        )
    if found:
        click.echo(f"note: {found.path} no longer counts for what lies in here", err=True)


def _candidates(scanners: Mapping[str, Scanner], snapshot: Snapshot) -> Iterator[Candidate]:
    target = Target(snapshot=snapshot)
    for name, scanner in sorted(scanners.items()):
        applies = scanner.applies(target)
        on_request = isinstance(scanner, HasPlace) and scanner.on_request
        yield Candidate(name, applies.yes, applies.reason, on_request)


def _next_steps(file: Path) -> None:
    click.echo(
        f"wrote {file}\n\n"
        "next:\n"
        "  scanrun doctor                 what is missing to run it here\n"
        "  scanrun all --dry-run          what would be run, and on what\n"
        "  scanrun all                    run it\n"
        "  scanrun emit SYSTEM            the file for your pipeline (systems: scanrun plugins)",
        err=True,
    )
