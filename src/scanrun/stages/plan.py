"""What a run will do and why: the verb is `make_plan`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scanrun.cache import Cache, Held
from scanrun.config import ScannerSettings
from scanrun.contracts import HasCanary, HasDatabases, HasPlace, Isolation, Scanner
from scanrun.engines import Engines
from scanrun.errors import CacheError, UsageError
from scanrun.model import (
    CANARY_DIR,
    Applies,
    Database,
    Decision,
    Located,
    Role,
    Snapshot,
    Step,
    Target,
)
from scanrun.request import Request


@dataclass(frozen=True, slots=True)
class DatabasePlan:
    """A database that a scanner needs: what is held of it, and whether it is to be updated."""

    database: Database
    held: Held | None
    due: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the plan does with one scanner."""

    scanner: Scanner
    target: Target
    settings: ScannerSettings
    decision: Decision
    reason: str
    hint: str = ""
    required: bool = False
    """Named on the command line or in `[scan] required`."""
    engine: str = ""
    steps: tuple[Step, ...] = ()
    located: Located | None = None
    databases: tuple[DatabasePlan, ...] = ()

    @property
    def name(self) -> str:
        """Return the scanner's name."""
        return self.scanner.name


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


def select(
    request: Request, scanners: Mapping[str, Scanner], snapshot: Snapshot
) -> tuple[Entry, ...]:
    """Return an entry for each scanner that is asked for: which apply, and which do not.

    Raises:
        UsageError: a name that no scanner has.
    """
    settings = request.settings
    asked = (*request.names, *settings.scan.required, *settings.scan.skip)
    for name in asked:
        _check_name(name, scanners)
    required = frozenset((*request.names, *settings.scan.required))
    return tuple(
        _select_one(request, scanner, snapshot, required)
        for name, scanner in scanners.items()
        if _asked_for(request, scanner, required)
    )


def canaries(entries: Iterable[Entry]) -> dict[str, bytes]:
    """Return path -> content of the canaries that lie in the scanned copy."""
    return {
        f"{CANARY_DIR}/{entry.name}/{name}": content
        for entry in entries
        if entry.decision is Decision.RUN and isinstance(entry.scanner, HasCanary)
        for name, content in entry.scanner.canary().files.items()
    }


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
    return ScanPlan(
        run_id=request.run_id,
        snapshot=snapshot,
        entries=placed,
        engines=tuple(
            EngineUse(name, session.endpoint, session.version, session.isolation)
            for name, session in engines.open.items()
        ),
        told=(*request.loaded.told, *snapshot.notes, *_tells(snapshot)),
    )


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


def _check_name(name: str, scanners: Mapping[str, Scanner]) -> None:
    if name in scanners:
        return
    from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

    near = get_close_matches(name, scanners, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(scanners)}"
    raise UsageError(f"no scanner {name!r}", hint=hint)


def _asked_for(request: Request, scanner: Scanner, required: frozenset[str]) -> bool:
    if request.names:
        return scanner.name in required
    on_request = isinstance(scanner, HasPlace) and scanner.on_request
    return scanner.name in required or not on_request


def _select_one(
    request: Request, scanner: Scanner, snapshot: Snapshot, required: frozenset[str]
) -> Entry:
    settings = request.settings.scanner.get(scanner.name, ScannerSettings())
    archive = Path(request.image) if request.image and Path(request.image).is_file() else None
    target = Target(
        snapshot=snapshot,
        image=request.image,
        archive=archive.absolute() if archive else None,
        options=settings.options,
        args=settings.args,
        memory_mb=settings.memory,
        offline=request.settings.scan.offline,
    )
    entry = Entry(
        scanner=scanner,
        target=target,
        settings=settings,
        decision=Decision.RUN,
        reason="",
        required=scanner.name in required,
    )
    if scanner.name in request.settings.scan.skip:
        return replace(
            entry, decision=Decision.SKIPPED, reason="skipped by configuration or --skip"
        )
    applies: Applies = scanner.applies(target)
    if applies.yes:
        return replace(entry, reason=applies.reason)
    must = scanner.name in request.settings.scan.required
    decision = Decision.UNAVAILABLE if must else Decision.NOT_APPLICABLE
    reason = f"required, but does not apply: {applies.reason}" if must else applies.reason
    return replace(entry, decision=decision, reason=reason)


def place(request: Request, entry: Entry, engines: Engines, cache: Cache) -> Entry:
    """Return the entry with its engine, its steps, what would run them, and its databases."""
    settings = entry.settings
    steps = configured_steps(entry.scanner, entry.target, settings)
    engine, located = engines.place(steps[0], settings.engine)
    for step in steps[1:]:
        if not located.problem:
            other = engines.session(engine).locate(step)
            located = other if other.problem else located
    entry = replace(entry, engine=engine, steps=steps, located=located)
    if located.problem:
        return _unavailable(entry, engines, located)
    return replace(entry, databases=_databases(entry, cache, offline=request.settings.scan.offline))


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
    reason = located.problem if owed else f"{located.problem}: {_GAPS[entry.scanner.category]}"
    decision = Decision.UNAVAILABLE if owed else Decision.SKIPPED
    return replace(entry, decision=decision, reason=reason, hint=located.hint)


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


def _tells(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(
        f"{tell.path!r} is kept from {tell.scanner}: it {tell.effect}" for tell in snapshot.tells
    )
