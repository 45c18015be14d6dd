"""How a database is fetched, in a scan and by `scanrun cache update`: the verb is `fetch`."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from scanrun.cache import Held
from scanrun.context import Context
from scanrun.contracts import HasFailures, Scanner, Session
from scanrun.errors import CacheError, ScanError
from scanrun.model import STEP_LOG, Database, Step, StepOutcome
from scanrun.sarif.mask import Masker, clean_text, one_line
from scanrun.secrets import with_sealed
from scanrun.stages.plan import configured
from scanrun.stages.select import DatabasePlan, Entry

FOLLOW_S = 15.0
_LINE = 160
_LOG_TAIL = 8000
_TELLING = re.compile(r"(?i)\b(?:fatal|error|panic|denied|failed|cannot|no such)\b")
"""What says more of a failure than the end of a stack trace."""


def up_to_date(
    context: Context, entry: Entry, plan: DatabasePlan, secrets: Mapping[str, str]
) -> tuple[DatabasePlan, Held]:
    """Return the database in the state that the scan reads, updated first where that is due.

    A failed update costs nothing while an edition is held: its age is judged afterwards.

    Raises:
        CacheError: there is none.
    """
    database = plan.database
    if not plan.due:
        if plan.held is None:
            context.cache.current(database)  # says so where there is one, and it is damaged
            raise CacheError(
                f"{database.title} is not in the cache, and the run is offline",
                hint="run `scanrun cache update` where there is a network, or `cache restore`",
            )
        return plan, plan.held
    step = with_sealed(configured(database.update, entry.settings), secrets)

    def update(folder: Path) -> Path:
        context.tell(entry.name, f"updating {called(database, context.cache.held(database))}")
        return fetch(
            context.engines.session(entry.engine),
            entry.scanner,
            database,
            step,
            folder=folder,
            held=context.cache.held(database),
            cancel=context.cancel,
            log=context.log(entry.name),
            masker=context.masker,
            say=lambda text: context.tell(entry.name, f"updating {database.title}: {text}"),
        )

    try:
        return plan, context.cache.update(
            database, update, cancel=context.cancel, limit=step.timeout_s
        )
    except ScanError as error:
        if plan.held is None:
            raise
        context.tell(entry.name, f"update failed ({error}); going on with the edition held")
        return plan, plan.held


def fetch(
    session: Session,
    scanner: Scanner,
    database: Database,
    step: Step,
    *,
    folder: Path,
    held: Held | None,
    cancel: threading.Event,
    log: Path,
    kept: str = "its log",
    masker: Masker,
    say: Callable[[str], None],
) -> Path:
    """Run the scanner's update `step`; return the folder of the edition it brought.

    What it prints is appended to `log`; `kept` is what a user finds that by. `say` is told now and
    then how far it has come, on a thread of its own.

    Raises:
        CacheError: the step failed.
    """
    session.prepare(step, cancel)
    if database.grows and held is not None:
        step = _going_on_from(held, step)
    with followed(folder / STEP_LOG, lambda line: say(clean_text(masker.text(line), _LINE))):
        outcome = session.run(step, name=scanner.name, caches={}, folder=folder, cancel=cancel)
    append_log(log, step, outcome)
    if outcome.oom_killed:
        raise CacheError(
            f"the update of {database.title} was killed for its memory"
            f" ({step.limits.memory_mb} MB)",
            hint=f"raise `memory` in [scanner.{scanner.name}]",
        )
    if outcome.exit_code not in step.ok_exit_codes:
        if meant := failure_of(scanner, step, outcome):
            raise CacheError(f"the update of {database.title} failed: {meant}", hint=meant.hint)
        raise CacheError(
            f"the update of {database.title} ended with exit code {outcome.exit_code}"
            + last_words(masker, outcome.log),
            hint=f"see {kept}; behind a firewall, name a mirror or use `scanrun cache restore`",
        )
    return outcome.outputs[step.outputs[0]]


def called(database: Database, held: Held | None) -> str:
    """Return how it is called while it is fetched; the first time, with what to know of that."""
    return f"{database.title} ({database.note})" if database.note and not held else database.title


@contextmanager
def followed(log: Path, say: Callable[[str], None], *, every_s: float = FOLLOW_S) -> Iterator[None]:
    """Tell the last line of a log that grows, every `every_s` seconds in which it is another."""
    ended = threading.Event()

    def follow() -> None:
        told = ""
        while not ended.wait(every_s):
            line = _last_line(log)
            if line not in ("", told):
                told = line
                say(line)

    thread = threading.Thread(target=follow, name="follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            start = max(0, log.stat().st_size - _LOG_TAIL)
            stream.seek(start)
            lines = stream.read().decode("utf-8", "replace").split("\n")[:-1]
    except OSError:
        return ""  # there may be none yet, or none ever: an engine need not write one
    # whole lines only: of a secret that is cut in two nobody knows the halves
    whole = lines[1:] if start else lines
    return one_line(whole[-1]) if whole else ""


def _going_on_from(held: Held, step: Step) -> Step:
    """Return the step with a copy of the edition that is held in its output folder."""
    place = step.outputs[0].rstrip("/")
    files = {
        f"{place}/{path.relative_to(held.path).as_posix()}": path
        for path in held.path.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    return replace(step, host_files={**step.host_files, **files})


def failure_of(scanner: Scanner, step: Step, outcome: StepOutcome) -> ScanError | None:
    """Return what the scanner itself says of an exit code; None where it has nothing to say."""
    if outcome.oom_killed or not isinstance(scanner, HasFailures):
        return None
    return scanner.failure(step, outcome.exit_code, outcome.log)


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
    # masked first: a secret that is cut in two is not known for one
    return f": {clean_text(masker.clean(telling[-1]), 300)}" if telling else ""
