"""What an earlier run has said, and how it is taken back before this one can go wrong."""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from scanrun.cli.session import new_run_id
from scanrun.config.environment import CONFIG
from scanrun.config.models import OutputSettings
from scanrun.config.source import find, read
from scanrun.config.trust import leads_out
from scanrun.errors import ConfigError, ScanrunError
from scanrun.output import forget
from scanrun.plugins import load_plugins
from scanrun.request import root_of
from scanrun.stages.report import NOT_BEGUN, running_json


def output_folder(path: Path, *, flag: str | None, config: Path | None, trusted: bool) -> str:
    """Return where a run on `path` leaves its files, as far as anybody knows before it begins.

    The usual folder stands for one that the configuration does not say, or may not.
    """
    if named := flag or os.environ.get("SCANRUN_OUTPUT", "").strip():
        return named
    chosen = config or os.environ.get(CONFIG, "").strip()
    usual = OutputSettings().dir
    try:
        source = read(Path(chosen)) if chosen else find(path)
    except ConfigError:
        return usual
    table = source.data.get("output") if source else None
    folder = table.get("dir") if isinstance(table, dict) else None
    if not isinstance(folder, str) or (leads_out(folder) and not (chosen or trusted)):
        return usual
    return folder


def take_back(path: Path, folder: str, reports: Iterable[str] = ()) -> None:
    """Leave no old "passed" behind if this run can't even begin.

    `reports` are the names of files that an earlier run may have left beside its log.
    """
    if path.exists():
        root = root_of(path)
        verdict = running_json(new_run_id(), datetime.now(UTC), NOT_BEGUN)
        forget(root / folder, verdict, scanned=root, reports=reports)


def known_reports(path: Path) -> tuple[str, ...]:
    """Return the names of the reports that the installed plugins write, if they can be loaded."""
    with suppress(ScanrunError):
        reporters = load_plugins(scanned=root_of(path)).reporters
        return tuple(reporter.filename for reporter in reporters.values())
    return ()
