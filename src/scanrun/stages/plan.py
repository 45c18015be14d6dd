"""What a run will do and why: the verb is `make_plan`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from scanrun.cache import Cache, Held
from scanrun.config import ScannerSettings
from scanrun.contracts import (
    HasDatabases,
    HasPlace,
    Isolation,
    Scanner,
)
from scanrun.engines import Engines
from scanrun.errors import CacheError, ScanError
from scanrun.lockfile import LOCK_NAME
from scanrun.model import (
    Database,
    Decision,
    Located,
    Role,
    Snapshot,
    Step,
    Target,
)
from scanrun.request import Request
from scanrun.stages.select import DatabasePlan, Entry, asked
from scanrun.stages.tells import tell_influences


@dataclass(frozen=True, slots=True)
class EngineUse:
    """An engine that the run uses, for the plan."""

    name: str
    endpoint: str
    version: str
    isolation: Isolation


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPlan:
    """All that a run will do."""

    run_id: str
    snapshot: Snapshot
    entries: tuple[Entry, ...]
    engines: tuple[EngineUse, ...]
    told: tuple[str, ...] = ()

    @property
    def to_run(self) -> tuple[Entry, ...]:
        """Return the entries that will run."""
        return tuple(entry for entry in self.entries if entry.decision is Decision.RUN)


def make_plan(
    request: Request,
    snapshot: Snapshot,
    entries: Iterable[Entry],
    engines: Engines,
    cache: Cache,
) -> ScanPlan:
    """Find for each entry what would run it, and what it must know before."""
    placed = tuple(
        place(request, entry, engines, cache) if entry.decision is Decision.RUN else entry
        for entry in entries
    )
    running = [each.scanner for each in placed if each.decision is Decision.RUN]
    tells = tell_influences(snapshot, running, request.environment)
    return ScanPlan(
        run_id=request.run_id,
        snapshot=snapshot,
        entries=placed,
        engines=tuple(
            EngineUse(name, session.endpoint, session.version, session.isolation)
            for name, session in engines.open.items()
        ),
        told=(*request.loaded.told, *_lock_told(request), *snapshot.notes, *tells),
    )


def _lock_told(request: Request) -> Iterator[str]:
    """Tell of the tree's own lock file: who may change the tree chooses the images with it."""
    if request.lock and (request.loaded.from_tree or request.loaded.file is None):
        yield f"{LOCK_NAME} of the scanned tree says which images {len(request.lock)} names mean"


def configured_steps(
    scanner: Scanner, target: Target, settings: ScannerSettings
) -> tuple[Step, ...]:
    """Return the scanner's steps with what the configuration changes of them."""
    return tuple(configured(step, settings) for step in scanner.steps(target))


def configured(step: Step, settings: ScannerSettings) -> Step:
    """Return `step` with the configured image, deadline and memory."""
    if settings.image and step.image:
        step = replace(step, image=settings.image, pulled=True)
    if settings.timeout and step.role is not Role.UPDATE:
        step = replace(step, timeout_s=settings.timeout)
    return replace(step, limits=step.limits.with_memory(settings.memory))


def place(request: Request, entry: Entry, engines: Engines, cache: Cache) -> Entry:
    """Return the entry with its engine, its steps, what would run them, and its databases."""
    settings = entry.settings
    try:
        steps = asked(entry.scanner, "steps", partial(_steps, entry))
    except ScanError as error:
        return replace(entry, decision=Decision.UNAVAILABLE, reason=str(error), hint=error.hint)
    engine, located = engines.place(steps[0], settings.engine)
    for step in steps[1:]:
        if not located.problem:
            other = engines.session(engine).locate(step)
            located = other if other.problem else located
    entry = replace(entry, engine=engine, steps=steps, located=located)
    if located.problem:
        return _unavailable(entry, engines, located)
    databases = partial(_databases, entry, cache, offline=request.settings.scan.offline)
    try:
        return replace(entry, databases=asked(entry.scanner, "databases", databases))
    except ScanError as error:
        return replace(entry, decision=Decision.UNAVAILABLE, reason=str(error), hint=error.hint)


def _steps(entry: Entry) -> tuple[Step, ...]:
    steps = configured_steps(entry.scanner, entry.target, entry.settings)
    if not steps:
        raise TypeError("it has no steps")
    return steps


def _unavailable(entry: Entry, engines: Engines, located: Located) -> Entry:
    """Say that the scanner can't run, and whether the verdict hangs on it.

    On an engine that runs executables only what comes with scanrun itself is owed; the others
    are told, and are owed where somebody asked for them.
    """
    host = (
        engines.known[engines.choice].runs == "executable"
        if engines.choice in engines.known
        else False
    )
    embedded = isinstance(entry.scanner, HasPlace) and entry.scanner.embedded
    owed = entry.required or embedded or not host
    if owed:
        return replace(
            entry, decision=Decision.UNAVAILABLE, reason=located.problem, hint=located.hint
        )
    gap = _GAPS[entry.scanner.category]
    reason = f"{located.problem}: {gap}"
    return replace(entry, decision=Decision.SKIPPED, reason=reason, hint=located.hint, gap=gap)


_GAPS = {
    "sast": "code not checked by it",
    "sca": "dependencies not checked",
    "dast": "the running application not checked",
    "container": "the image not checked",
    "secret": "secrets not checked by it",
    "iac": "configuration not checked by it",
}


def _databases(entry: Entry, cache: Cache, *, offline: bool) -> tuple[DatabasePlan, ...]:
    if not isinstance(entry.scanner, HasDatabases):
        return ()
    now = datetime.now(UTC)
    return tuple(
        DatabasePlan(database, held, due=not offline and (held is None or cache.due(database, now)))
        for database in entry.scanner.databases(entry.target)
        for held in (_held(cache, database),)
    )


def _held(cache: Cache, database: Database) -> Held | None:
    """Return what is held; a damaged edition counts as none, and is then fetched anew."""
    try:
        return cache.current(database)
    except CacheError:
        return None
