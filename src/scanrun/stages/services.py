"""Servers beside scanners: started when first needed, shared, stopped after the last use."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from scanrun.contracts import HasAdvice, Running, RunsServices, Session
from scanrun.deadline import within
from scanrun.errors import (
    DeadlineError,
    InterruptedRunError,
    NotReadyError,
    ScanError,
    StepError,
)
from scanrun.model import Service
from scanrun.sarif.mask import clean_text
from scanrun.stages.watch import Stop, Watch

_POLL_S = 0.25
_ASK_S = 25.0
"""How long one question whether it is ready may take: more than the 20 s that a page may take."""

_PATIENCE = "[app] health is the path that is asked, start_deadline how long"
"""What to set where the application is not ready."""

_LOG = "its log is kept with the raw reports"

_NO_SECRETS: Mapping[str, str] = MappingProxyType({})

Say = Callable[[str], None]


@dataclass(slots=True)
class Shared:
    """One service of a run. `users` have not ended yet, or not begun."""

    service: Service
    users: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    running: Running | None = None
    watch: Watch | None = None
    error: ScanError | None = None


class Services:
    """All services of a run. Equal ones are the same."""

    def __init__(self, wanted: Iterable[Service]) -> None:
        self._shared: list[Shared] = []
        self._lock = threading.Lock()
        for service in wanted:
            found = self._find(service)
            if found is None:
                self._shared.append(Shared(service, 1))
            else:
                found.users += 1

    def start(
        self,
        service: Service,
        session: Session,
        *,
        name: str,
        cancel: threading.Event,
        say: Say,
        log: Path,
        secrets: Mapping[str, str] = _NO_SECRETS,
    ) -> Running:
        """Return the service when it is ready; started by whoever asks first.

        What it printed is kept in `log` where it does not become ready.

        Raises:
            ScanError: it can't be started, ended, or never became ready.
            InterruptedRunError: `cancel` was set.
        """
        shared = self._of(service)
        with shared.lock:
            if shared.error is not None:
                raise shared.error
            if shared.running is None:
                try:
                    shared.running = _started(service, session, name, cancel, say, log, secrets)
                except ScanError as error:
                    shared.error = error
                    raise
                if service.watched:
                    shared.watch = Watch.of(service, shared.running)
            return shared.running

    def check(self, services: Iterable[Service]) -> None:
        """Refuse to go on with a service that has ended, or did not answer for a while.

        Raises:
            StepError: it says how.
        """
        for service in services:
            shared = self._of(service)
            if shared.running is not None:
                _check(service, shared.running)
            if shared.watch is not None and (problem := shared.watch.problem()):
                raise StepError(
                    f"service {service.name!r} was not there all the time: {problem}",
                    hint=_hint(service),
                )

    def stop(self, services: Iterable[Service], run: threading.Event) -> threading.Event:
        """Return what is set with `run`, and as soon as one that is watched has a problem."""
        watches = [each.watch for each in map(self._of, services) if each.watch is not None]
        return Stop(run, watches) if watches else run

    def leave(self, service: Service, log: Path) -> None:
        """Say that a user has ended: after the last one it is stopped. Its log is kept in `log`."""
        shared = self._of(service)
        with self._lock:
            shared.users -= 1
            last = shared.users == 0
        if shared.running is None:
            return
        if last and shared.watch is not None:
            shared.watch.stop()
        try:
            _keep_log(shared.running, log)
        finally:
            if last:
                shared.running.stop()

    def _of(self, service: Service) -> Shared:
        found = self._find(service)
        if found is None:
            raise StepError(f"service {service.name!r} was not in the plan")
        return found

    def _find(self, service: Service) -> Shared | None:
        return next((each for each in self._shared if each.service == service), None)


def _check(service: Service, running: Running) -> None:
    """Refuse to go on with a service that has ended.

    Raises:
        StepError: it says how.
    """
    if problem := running.problem():
        how = "was lost" if service.remote else "ended"
        raise StepError(
            f"service {service.name!r} {how}: {clean_text(problem)}", hint=_hint(service)
        )


def _hint(service: Service) -> str:
    if service.remote:
        return (
            "see its own log, where it runs: did it end, or were so many requests too much for it?"
        )
    return "its log is kept with the raw reports; it may need more memory"


def _started(  # noqa: PLR0917 - as `Services.start`
    service: Service,
    session: Session,
    name: str,
    cancel: threading.Event,
    say: Say,
    log: Path,
    secrets: Mapping[str, str],
) -> Running:
    if not isinstance(session, RunsServices):
        raise StepError(
            f"the engine runs no services, and {service.name!r} is one", hint="use containers"
        )
    say(f"starting {service.name}")
    running = session.serve(service, name=name, cancel=cancel, secrets=secrets, say=say, log=log)
    try:
        _await(service, running, cancel)
        _seed(service, running, cancel)
    except BaseException:
        try:
            _keep_log(running, log)
        finally:
            running.remove()
        raise
    return running


def _seed(service: Service, running: Running, cancel: threading.Event) -> None:
    """Run the service's own command that fills it.

    Raises:
        StepError: it did not end well: what it should have filled may be empty.
    """
    if not service.seed:
        return
    code, words = running.execute(service.seed, timeout_s=service.start_s, cancel=cancel)
    if code:
        raise StepError(
            f"the seed command of {service.name!r} ended with exit code {code}:"
            f" {clean_text(words)}",
            hint="run it by hand in a container of that image",
        )


def _keep_log(running: Running, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    running.write_log(log)


def _await(service: Service, running: Running, cancel: threading.Event) -> None:
    """Return when the service says that it is ready."""
    until = time.monotonic() + service.start_s
    said: NotReadyError | None = None
    while True:
        if cancel.is_set():
            raise InterruptedRunError(f"service {service.name!r} was starting")
        _check(service, running)
        try:
            if _is_ready(service, running, cancel, until):
                return
        except NotReadyError as error:
            said = error
        if time.monotonic() > until:
            raise _too_late(service, running, said)
        cancel.wait(_POLL_S)


def _too_late(service: Service, running: Running, said: NotReadyError | None) -> DeadlineError:
    """Return the error of a service that was not ready in time; `said` is its last answer."""
    answer = clean_text(str(said)) if said else ""
    hints = [said.hint if said else "", _PATIENCE if service.watched else "", _LOG]
    return DeadlineError(
        f"service {service.name!r} was not ready after {service.start_s:g} s"
        f"{_why(answer, _advice(running))}",
        hint="; ".join(filter(None, hints)),
    )


def _advice(running: Running) -> str:
    return clean_text(running.advice()) if isinstance(running, HasAdvice) else ""


def _why(*words: str) -> str:
    found = "; ".join(filter(None, words))
    return f": {found}" if found else ""


def _is_ready(service: Service, running: Running, cancel: threading.Event, until: float) -> bool:
    """Ask once, and not beyond the start's own deadline."""
    ask = partial(service.ready, running.address)
    left = min(_ASK_S, until - time.monotonic())
    try:
        return within(left, ask, what=f"asking {service.name!r}", cancel=cancel)
    except DeadlineError:
        return False  # a server that starts may accept and say nothing
