"""`scanrun all` and `scanrun scan`: one run, shown as it goes."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from scanrun.cli.earlier import known_reports, output_folder, take_back
from scanrun.cli.listing import Listing
from scanrun.cli.session import CommandContext, gather
from scanrun.cli.terminal import Terminal, Verbosity
from scanrun.config.values import FailOn, Pull
from scanrun.errors import ExitCode
from scanrun.model import Outcome
from scanrun.output import LOG
from scanrun.pipeline import Watcher, plan_only, run
from scanrun.stages.report import shown_findings

F = TypeVar("F", bound=Callable[..., Any])


class _Word(click.Choice[str]):
    """A choice to help and complete: the configuration checks it, once an old verdict is gone."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,  # noqa: ARG002 - as above
        ctx: click.Context | None,  # noqa: ARG002 - as above
    ) -> str:
        return str(value)


_OPTIONS = (
    click.option(
        "--fail-on", type=_Word(get_args(FailOn)), help="Lowest severity that fails [high]."
    ),
    click.option("--engine", metavar="NAME", help="auto, docker or local [auto]."),
    click.option("--config", type=click.Path(path_type=Path), help="Configuration file."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these files out."),
    click.option("--skip", multiple=True, metavar="NAME", help="Leave this scanner out."),
    click.option("--image", metavar="REF|FILE", help="Container image, or its archive, to scan."),
    click.option("--output", metavar="DIR", help="Folder for the run's files [.scanrun]."),
    click.option("--dry-run", is_flag=True, help="Show the plan and stop."),
    click.option("--offline", is_flag=True, default=None, help="Never use the network."),
    click.option("--pull", type=_Word(get_args(Pull)), help="When to pull images [missing]."),
    click.option(
        "--memory-budget", metavar="SIZE", help="Memory for all of it: 6g [the engine's]."
    ),
    click.option(
        "--sonar",
        type=_Word(["ephemeral", "keep", "external"]),
        help="Which SonarQube server: one of the run's own, one kept for later runs, or yours.",
    ),
    click.option(
        "--app-url", metavar="URL", help="Running application to scan: http://host:port/."
    ),
    click.option(
        "--allow-target",
        multiple=True,
        metavar="HOST:PORT",
        help="Address outside the run's own networks that may be sent requests.",
    ),
    click.option("--timeout", metavar="TIME", help="Deadline of each scanner: 900, 15m."),
    click.option(
        "--plugin", multiple=True, type=click.Path(path_type=Path), help="Load a local plugin."
    ),
    click.option(
        "--trust-config", is_flag=True, help="Let the tree's own configuration run programs."
    ),
    click.option(
        "--json", "as_json", is_flag=True, help="Print verdict.json (the plan) on stdout."
    ),
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
    here = (_gather if options["dry_run"] else _gather_or_take_back)(path, options)
    request = here.request(names=names, image=options["image"])
    verbosity = Verbosity.of(quiet=options["quiet"], verbose=options["verbose"])
    terminal = Terminal(verbosity, as_json=options["as_json"], secrets=request.secrets)
    if options["dry_run"]:
        terminal.dry_run(plan_only(request, here.plugins, here.scanners))
        return ExitCode.PASSED
    # what a plugin prints must not get between the lines of `--json`
    with terminal.live(), redirect_stdout(sys.stderr):
        verdict = run(
            request, here.plugins, here.scanners, Watcher(terminal.plan, terminal.progress)
        )
    log = request.output / LOG
    # a run that has failed says so even where there was no room for its log
    lost = verdict.status is Outcome.FAILED and not log.exists()
    found = () if options["quiet"] or lost else shown_findings(log, verdict)
    terminal.verdict(verdict, Listing.of(found, terminal.limit), where=str(log))
    return verdict.exit_code


def _gather_or_take_back(path: Path, options: dict[str, Any]) -> CommandContext:
    """Return what the run works with. Whether or not it can begin, no old verdict is left."""
    folder = output_folder(
        path,
        flag=_flags(options)["output.dir"],
        config=options["config"],
        trusted=options["trust_config"],
    )
    take_back(path, folder)
    try:
        here = _gather(path, options)
    except BaseException:
        take_back(path, folder, known_reports(path))
        raise
    reports = [reporter.filename for reporter in here.plugins.reporters.values()]
    take_back(path, here.loaded.settings.output.dir, reports)
    return here


def _gather(path: Path, options: dict[str, Any]) -> CommandContext:
    return gather(
        path,
        config=options["config"],
        flags=_flags(options),
        plugins=options["plugin"],
        trusted=options["trust_config"],
    )


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
        "scan.memory_budget": options["memory_budget"],
        "scanner.sonar.server": options["sonar"],
        "app.url": options["app_url"],
        "app.allowed_targets": options["allow_target"],
    }
