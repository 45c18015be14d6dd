"""What a run will do and why: the verb is `make_plan`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from scanrun.cache import Cache
from scanrun.config import ScannerSettings
from scanrun.contracts import (
    HasDatabases,
    HasPlace,
    HasSecrets,
    HasServices,
    Isolation,
    RunsServices,
    Scanner,
)
from scanrun.engines import Engines
from scanrun.errors import ScanError
from scanrun.lockfile import LOCK_NAME
from scanrun.model import (
    App,
    Category,
    Decision,
    Located,
    Need,
    Role,
    Service,
    Snapshot,
    Step,
    Target,
    Task,
)
from scanrun.request import Request
from scanrun.secrets import where_to_say
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
    memory_mb: int | None = None
    """What all scanners and services together may use; None: nobody counts it."""
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
    running = [each for each in placed if each.decision is Decision.RUN]
    memory_mb = request.settings.scan.memory_budget or _memory(engines)
    tells = tell_influences(
        snapshot,
        [each.scanner for each in running],
        _no_secrets(request, placed),
        {each.name: each.target.options for each in running},
    )
    return ScanPlan(
        run_id=request.run_id,
        snapshot=snapshot,
        entries=placed,
        engines=tuple(
            EngineUse(name, session.endpoint, session.version, session.isolation)
            for name, session in engines.open.items()
        ),
        memory_mb=memory_mb,
        told=(
            *request.loaded.told,
            *_lock_told(request),
            *_app_told(placed),
            *snapshot.notes,
            *tells,
        ),
    )


def _memory(engines: Engines) -> int | None:
    """Return what the containers of an engine can use; on the host itself nothing is held to it."""
    known = [each.memory_mb for each in engines.open.values() if isinstance(each, RunsServices)]
    return min(known, default=None)


def _lock_told(request: Request) -> Iterator[str]:
    """Tell of the tree's own lock file: who may change the tree chooses the images with it."""
    if request.lock and (request.loaded.from_tree or request.loaded.file is None):
        yield f"{LOCK_NAME} of the scanned tree says which images {len(request.lock)} names mean"


def _app_told(entries: Iterable[Entry]) -> Iterator[str]:
    """Tell where a scan of a running application is less fenced than it could be."""
    running = [each for each in entries if each.decision is Decision.RUN]
    if any(service.open for each in running for service in each.services):
        yield "the application has a way out of its network (app.network = 'open')"
    for each in running:
        dast = each.scanner.category is Category.DAST
        if dast and each.target.app and not each.target.app.service:
            yield (
                f"{each.name} runs on this host, where nothing is fenced: only its own settings"
                f" keep its requests to {each.target.app.origin}"
            )


def configured_steps(
    scanner: Scanner, target: Target, settings: ScannerSettings
) -> tuple[Step | Task, ...]:
    """Return the scanner's steps with what the configuration changes of them."""
    return tuple(
        replace(step, timeout_s=settings.timeout or step.timeout_s)
        if isinstance(step, Task)
        else configured(step, settings)
        for step in scanner.steps(target)
    )


def configured(step: Step, settings: ScannerSettings) -> Step:
    """Return `step` with the configured image, deadline and memory."""
    if settings.image and step.image:
        step = replace(step, image=settings.image, pulled=True)
    if settings.timeout and step.role is not Role.UPDATE:
        step = replace(step, timeout_s=settings.timeout)
    return replace(step, limits=step.limits.with_memory(settings.memory))


def _no_secrets(request: Request, entries: Iterable[Entry]) -> Mapping[str, str]:
    """Return the environment but for what scanners are given of it as their secrets."""
    secrets = request.secrets_by_name()
    used = {secrets.variable(need.name) for entry in entries for need in entry.needs}
    return {name: value for name, value in request.environment.items() if name not in used}


def place(request: Request, entry: Entry, engines: Engines, cache: Cache) -> Entry:
    """Return the entry with its engine, its steps, what would run them, and its databases."""
    settings = entry.settings
    databases = partial(_databases, cache=cache, offline=request.settings.scan.offline)
    try:
        entry = replace(entry, steps=asked(entry.scanner, "steps", partial(_steps, entry)))
        engine, located = engines.place(entry.tool, settings.engine)
        entry = replace(entry, engine=engine)
        on_host = engines.known[engine].runs == "executable"
        if on_host and entry.target.app and _asks_it(entry, entry.target.app):
            entry = _on_host(entry, entry.target.app)
        entry = replace(
            entry,
            services=asked(entry.scanner, "services", partial(_services, entry)),
            databases=asked(entry.scanner, "databases", partial(databases, entry)),
        )
        entry = replace(entry, needs=asked(entry.scanner, "secrets", partial(_needs, entry)))
    except ScanError as error:
        return replace(entry, decision=Decision.UNAVAILABLE, reason=str(error), hint=error.hint)
    served = (as_step(service) for service in entry.services if service.image)
    for step in (*(each for each in entry.tools if each is not entry.tool), *served):
        if not located.problem:
            other = engines.session(engine).locate(step)
            located = other if other.problem else located
    entry = replace(entry, located=located)
    return (
        _unavailable(entry, engines, located) if located.problem else _with_secrets(request, entry)
    )


def _asks_it(entry: Entry, app: App) -> bool:
    """Say whether the scanner has to do with the application: those of files have not."""
    named = {name for step in entry.steps for name in step.services}
    return entry.scanner.category is Category.DAST or not named.isdisjoint(app.names)


def _on_host(entry: Entry, app: App) -> Entry:
    """Return the entry with steps that reach the application as this host itself does.

    Raises:
        ScanError: the application would have to be started.
    """
    if not app.own_url:
        raise ScanError(
            "the application is started in a container, and this scanner would run on this host",
            hint="use `--engine docker`, or name an application that runs already ([app] url)",
        )
    entry = replace(entry, target=replace(entry.target, app=app.on_host()))
    return replace(entry, steps=asked(entry.scanner, "steps", partial(_steps, entry)))


def _steps(entry: Entry) -> tuple[Step | Task, ...]:
    steps = configured_steps(entry.scanner, entry.target, entry.settings)
    if not any(isinstance(step, Step) for step in steps):
        raise TypeError("it has no steps that run anything")
    return steps


def _services(entry: Entry) -> tuple[Service, ...]:
    if not isinstance(entry.scanner, HasServices):
        return ()
    return entry.scanner.services(entry.target)


def _needs(entry: Entry) -> tuple[Need, ...]:
    """Return the secrets that the scanner reads, and those of its services."""
    own = entry.scanner.secrets(entry.target) if isinstance(entry.scanner, HasSecrets) else ()
    of_services = (
        Need(secret, f"{variable} of {service.name}")
        for service in entry.services
        for variable, secret in service.secrets.items()
    )
    return tuple({each.name: each for each in (*of_services, *_sign_in(entry), *own)}.values())


def _sign_in(entry: Entry) -> Iterator[Need]:
    """Yield the secret that the probes read."""
    app = entry.target.app
    probes = [step for step in entry.tools if step.role is Role.PROBE]
    if app and app.sign_in and probes and entry.scanner.category is Category.DAST:
        yield Need(app.sign_in.secret, f"{app.sign_in.header} that signs scanners in")


def as_step(service: Service) -> Step:
    """Return a step with the service's image: an engine looks for both in the same way."""
    return Step(role=Role.SERVICE, name=service.name, image=service.image, source=None)


def _with_secrets(request: Request, entry: Entry) -> Entry:
    """Return the entry; unavailable where a secret that it must have is plainly not there."""
    secrets = request.secrets_by_name()
    for need in entry.needs:
        if reason := secrets.problem(need):
            hint = where_to_say(need)
            return replace(entry, decision=Decision.UNAVAILABLE, reason=reason, hint=hint)
    return entry


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


def _databases(entry: Entry, *, cache: Cache, offline: bool) -> tuple[DatabasePlan, ...]:
    if not isinstance(entry.scanner, HasDatabases):
        return ()
    now = datetime.now(UTC)
    return tuple(
        DatabasePlan(database, held, due=not offline and (held is None or cache.due(database, now)))
        for database in entry.scanner.databases(entry.target)
        for held in (cache.held(database),)
    )
