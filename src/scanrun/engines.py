"""Which engines a run uses, and which of them a step is for."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from scanrun.contracts import Engine, EngineSettings, Session
from scanrun.errors import EngineError, ScanrunError, UsageError
from scanrun.model import Located, Snapshot, Step
from scanrun.nearest import nearest
from scanrun.request import Request

AUTO = "auto"


@dataclass(slots=True)
class Engines:
    """The sessions of one run, opened when first asked for and closed together."""

    known: Mapping[str, Engine]
    choice: str
    settings: EngineSettings
    snapshot: Snapshot
    extra: Mapping[str, bytes]
    stack: ExitStack
    open: dict[str, Session] = field(default_factory=dict)

    def session(self, name: str) -> Session:
        """Return the session of an engine.

        Raises:
            EngineError: it can't be had.
            UsageError: there is no engine of that name.
        """
        if name not in self.known:
            raise UsageError(f"no engine {name!r}", hint=nearest(name, (AUTO, *self.known)))
        if name not in self.open:
            scratch = self.settings.scratch / name
            scratch.mkdir()
            self.open[name] = self._opened(name, replace(self.settings, scratch=scratch))
        return self.open[name]

    def _opened(self, name: str, settings: EngineSettings) -> Session:
        try:
            session = self.stack.enter_context(self.known[name].open(settings))
            session.share(self.snapshot, self.extra)
        except ScanrunError:
            raise
        except (Exception, SystemExit) as error:
            raise EngineError(
                f"the plugin of engine {name!r} failed: {type(error).__name__}: {error}",
                hint="mend it, or choose another engine with --engine",
            ) from error
        return session

    def place(self, step: Step, choice: str | None = None) -> tuple[str, Located]:
        """Return the engine a step is for, and what would run it there.

        With `auto`, containers come first; a step that has no image, or one that nobody built,
        goes to an engine that runs executables.
        """
        choice = choice or self.choice
        if choice != AUTO:
            return choice, self.session(choice).locate(step)
        container = self._first("image")
        located = self.session(container).locate(step) if step.image else Located("")
        if step.image and (not located.problem or step.pulled):
            return container, located
        host = self._first("executable")
        beside = self.session(host).locate(step)
        if step.image and beside.problem:
            return container, located
        return host, replace(beside, note=beside.note or "no image: runs on this host")

    def _first(self, runs: str) -> str:
        """Return the first engine that runs images (or executables)."""
        names = [name for name, engine in self.known.items() if engine.runs == runs]
        if not names:
            raise EngineError(f"no engine here runs {runs}s", hint="install scanrun's own plugins")
        return names[0]

    def begin(self) -> None:
        """Open the engine that the run begins with.

        Raises:
            EngineError: it can't be had.
        """
        if self.choice != AUTO:
            self.session(self.choice)
            return
        try:
            self.session(self._first("image"))
        except EngineError as error:
            hosts = [name for name, engine in self.known.items() if engine.runs == "executable"]
            alone = [f"use --engine {name}, which runs what is installed here" for name in hosts]
            raise EngineError(
                str(error), hint="; or ".join(filter(None, (error.hint, *alone[:1])))
            ) from error


@contextmanager
def opened_engines(
    known: Mapping[str, Engine],
    choice: str,
    settings: EngineSettings,
    snapshot: Snapshot,
    extra: Mapping[str, bytes],
) -> Iterator[Engines]:
    """Open the engine that `choice` names; close all that were opened, on every way out."""
    with ExitStack() as stack:
        engines = Engines(known, choice, settings, snapshot, extra, stack)
        engines.begin()
        yield engines


def engine_settings(request: Request, scratch: Path) -> EngineSettings:
    """Return what the request's engines are opened with."""
    scan = request.settings.scan
    return EngineSettings(
        run_id=request.run_id,
        scratch=scratch,
        pull=scan.pull,
        offline=scan.offline,
        mirror=scan.mirror,
        digests=request.lock,
        environment=request.environment,
    )
