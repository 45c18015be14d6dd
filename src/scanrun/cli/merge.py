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
from scanrun.sarif.mask import Masker, clean_text
from scanrun.sarif.read import SavedRun, read_mixed_runs
from scanrun.sarif.writer import write_log
from scanrun.stages.adopt import adopt_run
from scanrun.stages.copy import copy_run
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
        runs = list(_runs(reports, Path(folder), triage, Masker(here.secrets)))
        if output is None:
            write_log(sys.stdout.buffer, runs)
        else:
            with written(output) as stream:
                write_log(stream, runs)


def _runs(
    reports: tuple[Path, ...], folder: Path, triage: Triage, masker: Masker
) -> Iterator[Path]:
    """Write each run of each report to a file of its own, and yield it."""
    taken: set[str] = set()
    for report in reports:
        try:
            for run in read_mixed_runs(report, (str(Path.cwd()), "/src")):
                path = folder / f"{len(taken)}.json"
                own_id = _own_id(run.head, taken, masker)
                if isinstance(run, SavedRun):
                    copy_run(run, path, masker, automation_id=own_id)
                else:
                    adopt_run(run, path, triage, masker, run_id=_RUN_ID, automation_id=own_id)
                yield path
        except ConversionError as error:
            # a name alone may be that of several reports
            raise ConversionError(f"{str(report)!r}: {error}", hint=error.hint) from error


def _own_id(head: dict[str, Any], taken: set[str], masker: Masker) -> str:
    """Return an id for the run whose category, all before the last `/`, no other run has."""
    told = _map(head.get("automationDetails")).get("id")
    tool = _map(_map(head.get("tool")).get("driver")).get("name")
    known = clean_text(told, 1000) if isinstance(told, str) and told else ""
    given = masker.clean(known or f"scanrun/{tool}/{_RUN_ID}")
    category, slash, rest = given.rpartition("/")
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
