"""How a database is fetched, in a scan and by `scanrun cache update`: the verb is `fetch`."""

import re
import threading
from pathlib import Path

from scanrun.contracts import Session
from scanrun.errors import CacheError
from scanrun.model import Database, Step, StepOutcome
from scanrun.sarif.mask import Masker, clean_text

_LOG_TAIL = 8000
_TELLING = re.compile(r"(?i)\b(?:fatal|error|panic|denied|failed|cannot|no such)\b")
"""What says more of a failure than the end of a stack trace."""


def fetch(
    session: Session,
    database: Database,
    step: Step,
    *,
    name: str,
    folder: Path,
    cancel: threading.Event,
    log: Path,
    kept: str = "its log",
    masker: Masker,
) -> Path:
    """Run the update `step` of the scanner `name`; return the folder of the edition it brought.

    What it prints is appended to `log`; `kept` is what a user finds that by.

    Raises:
        CacheError: the step failed.
    """
    session.prepare(step, cancel)
    outcome = session.run(step, name=name, caches={}, folder=folder, cancel=cancel)
    append_log(log, step, outcome)
    if outcome.exit_code not in step.ok_exit_codes:
        raise CacheError(
            f"the update of {database.title} ended with exit code {outcome.exit_code}"
            + last_words(masker, outcome.log),
            hint=f"see {kept}; behind a firewall, name a mirror or use `scanrun cache restore`",
        )
    return outcome.outputs[step.outputs[0]]


def append_log(log: Path, step: Step, outcome: StepOutcome) -> None:
    """Append what a step printed to `log`."""
    with log.open("ab") as taken, outcome.log.open("rb") as printed:
        taken.write(f"--- {step.name}: exit code {outcome.exit_code}\n".encode())
        while block := printed.read(1 << 20):
            taken.write(block)


def last_words(masker: Masker, log: Path) -> str:
    """Return the last line of a step's log that says something of a failure."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LOG_TAIL))
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    telling = [line for line in lines if _TELLING.search(line)] or lines
    return f": {masker.text(clean_text(telling[-1], 300))}" if telling else ""
