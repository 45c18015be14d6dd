"""`scanrun merge`: several SARIF logs become one."""

import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scanrun.cli.session import gather
from scanrun.errors import ConversionError
from scanrun.files import written
from scanrun.sarif.mask import clean_text
from scanrun.sarif.read import SavedRun, ToolRun, read_mixed_runs
from scanrun.sarif.writer import RunWriter, write_log
from scanrun.stages.adopt import adopt_run
from scanrun.stages.triage import Triage

_RUN_ID = "merge"
"""Of each run that another tool wrote: the same reports give the same bytes."""


@click.command(short_help="Put several SARIF logs into one.")
@click.argument(
    "reports", metavar="REPORT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [stdout].")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
def command(reports: tuple[Path, ...], output: Path | None, config: Path | None) -> None:
    """Put the SARIF logs REPORT..., scanrun's own or any other tool's, into one log.

    Each run stays one of its own; its category is made unique in the order of the reports, for a
    log with two runs of one tool and category is refused by GitHub.

    Exit codes: 0 merged, 2 usage or configuration, 3 a report can't be read.
    """
    here = gather(Path(), config=config, trusted=True)  # reports are read, nothing is run
    triage = Triage(here.loaded.settings, datetime.now(UTC).date())
    with tempfile.TemporaryDirectory(prefix="scanrun-") as folder:
        runs = list(_runs(reports, Path(folder), triage))
        if output is None:
            write_log(sys.stdout.buffer, runs)
        else:
            with written(output) as stream:
                write_log(stream, runs)


def _runs(reports: tuple[Path, ...], folder: Path, triage: Triage) -> Iterator[Path]:
    """Write each run of each report to a file of its own, and yield it."""
    taken: set[str] = set()
    for report in reports:
        for run in _read(report):
            path = folder / f"{len(taken)}.json"
            run_id = _own_id(run.head, taken)
            if isinstance(run, SavedRun):
                _copy(run, path, run_id)
            else:
                adopt_run(run, path, triage, run_id=_RUN_ID, automation_id=run_id)
            yield path


def _read(report: Path) -> Iterator[SavedRun | ToolRun]:
    """Yield the runs of a report, named by its whole path where it can't be read."""
    try:
        yield from read_mixed_runs(report, (str(Path.cwd()), "/src"))
    except ConversionError as error:
        raise ConversionError(f"{str(report)!r}: {error}", hint=error.hint) from error


def _copy(run: SavedRun, path: Path, automation_id: str) -> None:
    with RunWriter(path) as writer:
        for rule in run.rules.values():
            writer.rule(rule)
        for result in run.results:
            writer.result(result)
        details = {**_map(run.head.get("automationDetails")), "id": automation_id}
        writer.finish({**run.head, "automationDetails": details})


def _own_id(head: dict[str, Any], taken: set[str]) -> str:
    """Return an id for the run whose category, all before the last `/`, no other run has."""
    told = _map(head.get("automationDetails")).get("id")
    tool = _map(_map(head.get("tool")).get("driver")).get("name")
    known = clean_text(told, 1000) if isinstance(told, str) and told else ""
    category, slash, rest = (known or f"scanrun/{tool}/{_RUN_ID}").rpartition("/")
    if not slash:
        category, rest = rest, ""
    own, number = category, 1
    while own in taken:
        number += 1
        own = f"{category}/{number}"
    taken.add(own)
    return f"{own}/{rest}"


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
