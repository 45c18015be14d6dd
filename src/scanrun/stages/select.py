"""Which scanners are asked for, and which of them apply: the verb is `select`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from scanrun.application import application
from scanrun.cache import Held
from scanrun.config import ScannerSettings
from scanrun.contracts import HasCanary, HasPlace, HasRewrites, Scanner
from scanrun.deadline import PATIENCE_S, within
from scanrun.errors import ScanError, UsageError
from scanrun.model import (
    CANARY_DIR,
    App,
    Applies,
    Canary,
    Category,
    Database,
    Decision,
    Located,
    Need,
    Rewrite,
    Role,
    Service,
    Snapshot,
    Step,
    Target,
    Task,
)
from scanrun.nearest import nearest
from scanrun.request import Request

T = TypeVar("T")

_MEND = "mend or uninstall the plugin"


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
    gap: str = ""
    """What nobody checks because this scanner can't be had."""
    required: bool = False
    """Named on the command line or in `[scan] required`."""
    engine: str = ""
    steps: tuple[Step | Task, ...] = ()
    services: tuple[Service, ...] = ()
    needs: tuple[Need, ...] = ()
    """Secrets that it reads."""
    located: Located | None = None
    databases: tuple[DatabasePlan, ...] = ()
    canary: Canary | None = None

    @property
    def name(self) -> str:
        """Return the scanner's name."""
        return self.scanner.name

    @property
    def tools(self) -> tuple[Step, ...]:
        """Return the steps that an engine runs."""
        return tuple(step for step in self.steps if isinstance(step, Step))

    @property
    def tool(self) -> Step:
        """Return the step that the scanner is known by: the first that scans."""
        return next((step for step in self.tools if step.role is Role.SCAN), self.tools[0])

    @property
    def memory_mb(self) -> int:
        """Return what its services and the largest of its steps may use together."""
        updates = [each.database.update for each in self.databases if each.due]
        limits = [
            *(step.limits for step in self.tools),
            *(step.limits.with_memory(self.settings.memory) for step in updates),
        ]
        steps = max((each.memory_mb for each in limits), default=0)
        return steps + sum(service.limits.memory_mb for service in self.services)


def select(
    request: Request, scanners: Mapping[str, Scanner], snapshot: Snapshot
) -> tuple[Entry, ...]:
    """Return an entry for each scanner that is asked for: which apply, and which do not.

    Raises:
        UsageError: a name that no scanner has, or an image that none of them looks at.
    """
    settings = request.settings
    asked = (*request.names, *settings.scan.required, *settings.scan.skip)
    for name in asked:
        _check_name(name, scanners)
    required = frozenset((*request.names, *settings.scan.required))
    app = application(settings.app, request.root, trusted=request.loaded.trusted)
    entries = tuple(
        _select_one(request, scanner, snapshot, required, app)
        for name, scanner in scanners.items()
        if _asked_for(request, scanner, required)
    )
    if request.image is not None:
        _check_image(request.image, scanners, entries)
    return entries


def could_run(request: Request, scanners: Mapping[str, Scanner]) -> Iterator[Scanner]:
    """Yield the scanners that are asked for and not to be skipped, applying or not."""
    required = frozenset((*request.names, *request.settings.scan.required))
    for name, scanner in scanners.items():
        if name not in request.settings.scan.skip and _asked_for(request, scanner, required):
            yield scanner


def _check_image(image: str, scanners: Mapping[str, Scanner], entries: Iterable[Entry]) -> None:
    """Refuse an image that would silently not be looked at.

    Raises:
        UsageError: no scanner that takes images will run, or is owed.
    """
    owed = {Decision.RUN, Decision.UNAVAILABLE}
    if not any(_takes_images(each.scanner) and each.decision in owed for each in entries):
        takers = ", ".join(name for name, each in scanners.items() if _takes_images(each))
        raise UsageError(
            f"no scanner of this run looks at the image {image!r}",
            hint=f"name one that does, and don't skip it: {takers}" if takers else "",
        )


def _takes_images(scanner: Scanner) -> bool:
    return scanner.category is Category.CONTAINER


def canaries(entries: Iterable[Entry]) -> dict[str, bytes]:
    """Return path -> content of the canaries that lie in the scanned copy."""
    return {
        f"{CANARY_DIR}/{entry.name}/{name}": content
        for entry in entries
        if entry.canary is not None  # one that turns out not to run has its canaries there, too
        for name, content in entry.canary.files.items()
    }


def rewrites(entries: Iterable[Entry]) -> tuple[Rewrite, ...]:
    """Return what reads otherwise in the scanned copy."""
    return tuple(
        each
        for entry in entries
        if entry.decision is Decision.RUN and isinstance(entry.scanner, HasRewrites)
        for each in entry.scanner.rewrites
    )


def _check_name(name: str, scanners: Mapping[str, Scanner]) -> None:
    if name in scanners:
        return
    raise UsageError(f"no scanner {name!r}", hint=nearest(name, scanners))


def _asked_for(request: Request, scanner: Scanner, required: frozenset[str]) -> bool:
    if request.names:
        return scanner.name in required
    on_request = isinstance(scanner, HasPlace) and scanner.on_request
    return scanner.name in required or not on_request


def _select_one(
    request: Request,
    scanner: Scanner,
    snapshot: Snapshot,
    required: frozenset[str],
    app: App | None,
) -> Entry:
    settings = request.settings.scanner.get(scanner.name, ScannerSettings())
    if settings.timeout is None:
        settings = settings.model_copy(update={"timeout": request.settings.scan.timeout})
    archive = Path(request.image) if request.image and Path(request.image).is_file() else None
    target = Target(
        snapshot=snapshot,
        image=request.image,
        archive=archive.absolute() if archive else None,
        app=app,
        options=settings.options,
        args=settings.args,
        configured_image=settings.image or "",
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
    try:
        if request.prove:
            return _to_prove(entry)
        applies = asked(scanner, "applies", lambda: _applies(scanner, target))
        if applies.yes:
            canary = asked(scanner, "canary", lambda: _canary(scanner))
            # `--image` asks for those that look at it, as much as their names would
            owed = entry.required or (request.image is not None and _takes_images(scanner))
            return replace(entry, reason=applies.reason, canary=canary, required=owed)
    except ScanError as error:
        return replace(
            entry, decision=Decision.UNAVAILABLE, reason=str(error), hint=error.hint, required=True
        )
    must = scanner.name in request.settings.scan.required
    decision = Decision.UNAVAILABLE if must else Decision.NOT_APPLICABLE
    reason = f"required, but does not apply: {applies.reason}" if must else applies.reason
    return replace(entry, decision=decision, reason=reason)


def _to_prove(entry: Entry) -> Entry:
    canary = asked(entry.scanner, "canary", lambda: _canary(entry.scanner))
    if canary is None:
        reason = "it has no canary, so there is nothing to prove it by"
        return replace(entry, decision=Decision.SKIPPED, reason=reason)
    return replace(entry, reason="its canary", canary=canary)


def _applies(scanner: Scanner, target: Target) -> Applies:
    applies = scanner.applies(target)
    if not isinstance(applies, Applies):
        raise TypeError(f"{applies!r:.80} is no answer")
    return applies


def _canary(scanner: Scanner) -> Canary | None:
    if not isinstance(scanner, HasCanary):
        return None
    canary = scanner.canary()
    if not all(isinstance(content, bytes) for content in canary.files.values()):
        raise TypeError("a canary's files are bytes")
    return canary


def asked(scanner: Scanner, what: str, ask: Callable[[], T]) -> T:
    """Return what a plugin answers while the plan is made; whatever goes wrong costs only it.

    Raises:
        ScanError: it raised, exited, answered nonsense, or did not answer.
    """
    what = f"{what} of the plugin {scanner.name!r}"
    try:
        return within(PATIENCE_S, ask, what=what, hint=_MEND)
    except ScanError:
        raise
    except (Exception, SystemExit) as error:
        raise ScanError(f"{what} failed: {type(error).__name__}: {error}", hint=_MEND) from error
