"""An engine in memory, which answers each step with what a test gave it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from scanrun.contracts import Check, EngineSettings, Isolation, Running, Session
from scanrun.errors import InterruptedRunError, MissingToolError, StepError
from scanrun.model import Address, Located, Service, Snapshot, Step, StepOutcome

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When every fake step starts and ends: nothing in a test hangs on a clock."""
IN_MEMORY = Isolation(network=True, limits=True, summary="in memory")
_TICK_S = 0.02
_NOWHERE = Address("127.0.0.1", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a fake engine answers one step."""

    outputs: Mapping[str, bytes] = field(default_factory=dict)
    """Container path -> content; a key below an output folder (`/out/db/x`) lies in it."""
    log: bytes = b""
    exit_code: int = 0
    oom_killed: bool = False
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    wait: threading.Event | None = None
    """The step ends when this is set, or when the run is cancelled."""
    error: Exception | None = None
    """Raised instead."""


@dataclass(slots=True)
class FakeEngine:
    """Implements `Engine`. `replies`: scanner's name, or `NAME/STEP`, -> `Reply`.

    A scanner without a reply fails its step, so that nothing passes by being forgotten.
    `problems` maps an image or executable to why it can't be had.
    """

    replies: Mapping[str, Reply] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    name: str = "fake"
    runs: str = "image"
    unavailable: Exception | None = None
    """Raised by `open`."""
    isolation: Isolation = IN_MEMORY
    version: str = "1.0"
    ran: list[tuple[str, Step]] = field(default_factory=list)
    """Scanner and step, in the order in which they were started."""
    shared: list[tuple[Snapshot, Mapping[str, bytes]]] = field(default_factory=list)
    caches: list[Mapping[str, Path]] = field(default_factory=list)
    beside: list[tuple[Running, ...]] = field(default_factory=list)
    services: Mapping[str, "FakeService"] = field(default_factory=dict)
    """By name; what is asked for and not there is an ordinary one."""
    served: list[Service] = field(default_factory=list)
    memory_mb: int = 64_000
    opened: list[EngineSettings] = field(default_factory=list)
    closed: int = 0
    started: threading.Event = field(default_factory=threading.Event)
    """Set as soon as any step runs."""

    def open(self, settings: EngineSettings) -> Session:
        """Return a session that reports back here."""
        if self.unavailable is not None:
            raise self.unavailable
        self.opened.append(settings)
        return FakeSession(self)

    def diagnose(self, settings: EngineSettings) -> Iterator[Check]:  # noqa: ARG002 - the contract's
        """Yield one line."""
        yield Check(self.name, ok=self.unavailable is None, detail=self.isolation.summary)

    def reply(self, scanner: str, step: Step) -> Reply:
        """Return the answer to a step."""
        for key in (f"{scanner}/{step.name}", scanner):
            if key in self.replies:
                return self.replies[key]
        raise StepError(f"the fake engine has no reply for {scanner}/{step.name}")


@dataclass(slots=True)
class FakeService:
    """Implements `Running`."""

    address: Address = _NOWHERE
    ended: str = ""
    """How it ended, where it has."""
    error: Exception | None = None
    """Raised instead of a start."""
    stopped: int = 0
    executed: list[tuple[str, ...]] = field(default_factory=list)
    """The commands that were run beside it."""
    answer: tuple[int, str] = (0, "")
    """What each of them came to."""

    def problem(self) -> str:
        """Say how it ended."""
        return self.ended

    def write_log(self, path: Path) -> None:
        """Append a line."""
        with path.open("a") as log:
            log.write("the service's own log\n")

    def execute(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,  # noqa: ARG002 - the contract's
        cancel: threading.Event,  # noqa: ARG002
    ) -> tuple[int, str]:
        """Record the command, and return the test's answer."""
        self.executed.append(tuple(argv))
        return self.answer

    def stop(self) -> None:
        """Count it."""
        self.stopped += 1

    def remove(self) -> None:
        """Count it as well."""
        self.stopped += 1


class FakeSession:
    """Implements `Session` and `RunsServices`."""

    endpoint = "memory"

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.version = engine.version
        self.isolation = engine.isolation
        self.memory_mb = engine.memory_mb

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def locate(self, step: Step) -> Located:
        """Return the step's own words, with the problem the test gave."""
        words = (step.image, step.executable)
        reference = words[self._engine.runs == "executable"]
        problem = self._engine.problems.get(reference, "" if reference else "runs elsewhere only")
        tag = reference.rpartition(":")[2] if ":" in reference.rpartition("/")[2] else ""
        return Located(reference, version=tag, problem=problem, hint="ask the test")

    def prepare(self, step: Step, cancel: threading.Event) -> Located:  # noqa: ARG002 - as above
        """Return it, or raise its problem."""
        located = self.locate(step)
        if located.problem:
            raise MissingToolError(located.problem, hint=located.hint)
        return located

    def share(self, snapshot: Snapshot, extra: Mapping[str, bytes]) -> None:
        """Record what is shared."""
        self._engine.shared.append((snapshot, extra))

    def run(
        self,
        step: Step,
        *,
        name: str,
        caches: Mapping[str, Path],
        folder: Path,
        cancel: threading.Event,
        beside: Sequence[Running] = (),
    ) -> StepOutcome:
        """Record the step, wait, and answer."""
        self._engine.ran.append((name, step))
        self._engine.beside.append(tuple(beside))
        self._engine.caches.append(caches)
        self._engine.started.set()
        reply = self._engine.reply(name, step)
        while reply.wait is not None and not reply.wait.wait(_TICK_S):
            if cancel.is_set():
                raise InterruptedRunError("interrupted")
        if reply.error is not None:
            raise reply.error
        (folder / "log").write_bytes(reply.log)
        return StepOutcome(
            exit_code=reply.exit_code,
            outputs=_written(step, reply, folder),
            log=folder / "log",
            started=START,
            ended=START,
            oom_killed=reply.oom_killed,
            notes=reply.notes,
            lost=reply.lost,
        )

    def serve(
        self,
        service: Service,
        *,
        name: str,  # noqa: ARG002 - the contract's
        cancel: threading.Event,  # noqa: ARG002
        secrets: Mapping[str, str] = MappingProxyType({}),  # noqa: ARG002
        say: Callable[[str], None] = print,  # noqa: ARG002
        log: Path | None = None,  # noqa: ARG002
    ) -> Running:
        """Record the service, and return the test's."""
        self._engine.served.append(service)
        running = self._engine.services.get(service.name, FakeService())
        if running.error is not None:
            raise running.error
        return running

    def close(self) -> None:
        """Count it."""
        self._engine.closed += 1


def _written(step: Step, reply: Reply, folder: Path) -> dict[str, Path]:
    """Write the outputs the step asks for.

    Raises:
        StepError: the reply lacks one, as an engine does.
    """
    wanted = (*step.outputs, *([step.stdout] if step.stdout else []), *step.optional_outputs)
    for path, content in reply.outputs.items():
        place = _place(folder, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    found = {path: _place(folder, path) for path in wanted if _place(folder, path).exists()}
    missing = [path for path in wanted if path not in (*found, *step.optional_outputs)]
    if missing and reply.exit_code in step.ok_exit_codes:
        raise StepError(f"it left no {missing[0]!r}")
    return found


def _place(folder: Path, path: str) -> Path:
    return folder / "outputs" / path.strip("/")
