"""`scanrun all` and `scanrun scan`: one run, shown as it goes."""

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from scanrun.cli.session import gather
from scanrun.cli.terminal import Terminal, Verbosity
from scanrun.engines import lock_folder
from scanrun.errors import ExitCode
from scanrun.lockfile import read_lock
from scanrun.pipeline import Watcher, plan_only, run
from scanrun.request import Request

F = TypeVar("F", bound=Callable[..., Any])

FAIL_ON = ("critical", "high", "medium", "low", "info", "never")
PULL = ("missing", "never", "always")

_OPTIONS = (
    click.option(
        "--fail-on", type=click.Choice(FAIL_ON), help="Lowest severity that fails [high]."
    ),
    click.option("--engine", metavar="NAME", help="auto, docker or local [auto]."),
    click.option("--config", type=click.Path(path_type=Path), help="Configuration file."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these files out."),
    click.option("--skip", multiple=True, metavar="NAME", help="Leave this scanner out."),
    click.option("--image", metavar="REF|FILE", help="Container image, or its archive, to scan."),
    click.option("--output", metavar="DIR", help="Folder for the run's files [.scanrun]."),
    click.option("--dry-run", is_flag=True, help="Show the plan and stop."),
    click.option("--offline", is_flag=True, default=None, help="Never use the network."),
    click.option("--pull", type=click.Choice(PULL), help="When to pull images [missing]."),
    click.option("--timeout", metavar="TIME", help="Deadline of each scanner: 900, 15m."),
    click.option(
        "--plugin", multiple=True, type=click.Path(path_type=Path), help="Load a local plugin."
    ),
    click.option(
        "--trust-config", is_flag=True, help="Let the tree's own configuration run programs."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout."),
    click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone."),
    click.option("-v", "--verbose", is_flag=True, help="Print all there is to know."),
)


def _options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("all", short_help="Run every scanner that applies, and gate on what they find.")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@_options
def all_(path: Path, **options: Any) -> int:  # noqa: ANN401 - click's options
    """Run every scanner that applies to PATH, and gate on what they find.

    Exit codes: 0 passed, 1 gate failed, 2 usage or configuration, 3 incomplete, 130 interrupted.
    """
    return _scan(path, (), options)


@click.command("scan", short_help="Run the named scanners, and gate on what they find.")
@click.argument("names", metavar="NAME[,NAME...]")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@_options
def scan(names: str, path: Path, **options: Any) -> int:  # noqa: ANN401 - click's options
    """Run the named scanners on PATH, and gate on what they find."""
    asked = tuple(dict.fromkeys(part.strip() for part in names.split(",") if part.strip()))
    if not asked:
        raise click.UsageError("no scanner named")
    return _scan(path, asked, options)


commands = {"all": all_, "scan": scan}


def _scan(path: Path, names: tuple[str, ...], options: dict[str, Any]) -> int:
    here = gather(
        path,
        config=options["config"],
        flags=_flags(options),
        plugins=options["plugin"],
        trusted=options["trust_config"],
    )
    root = path if path.is_dir() else path.parent
    request = Request(
        run_id=new_run_id(),
        path=path,
        loaded=here.loaded,
        names=names,
        image=options["image"],
        lock=read_lock(lock_folder(root, here.loaded.file)),
        environment=dict(os.environ),
    )
    terminal = Terminal(_verbosity(options), as_json=options["as_json"])
    if options["dry_run"]:
        terminal.plan(plan_only(request, here.plugins, here.scanners))
        return ExitCode.PASSED
    with terminal.live():
        verdict = run(
            request, here.plugins, here.scanners, Watcher(terminal.plan, terminal.progress)
        )
    terminal.verdict(verdict, request.output)
    return verdict.exit_code


def _flags(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are configuration, by their dotted keys."""
    return {
        "gate.fail_on": options["fail_on"],
        "scan.engine": options["engine"],
        "scan.exclude": options["exclude"],
        "scan.skip": options["skip"],
        # as any other path on a command line, it counts from where the user is
        "output.dir": str(Path(options["output"]).absolute()) if options["output"] else None,
        "scan.offline": options["offline"] or None,
        "scan.pull": options["pull"],
        "scan.timeout": options["timeout"],
    }


def _verbosity(options: dict[str, Any]) -> Verbosity:
    if options["quiet"]:
        return Verbosity.QUIET
    return Verbosity.VERBOSE if options["verbose"] else Verbosity.NORMAL


def new_run_id() -> str:
    """Return an id that sorts by time and is no two runs'."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
