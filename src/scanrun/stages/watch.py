"""Whether a service answers all the time: the verb is `watch`."""

import ipaddress
import socket
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from scanrun.contracts import Running
from scanrun.model import Address, Service
from scanrun.sarif.mask import clean_text

_EVERY_S = 1.0
_AGAIN_S = 0.3
"""After a refusal: a program that begins anew may be back soon."""
_CONNECT_S = 2.0
_BREAK_S = 1.0
"""How long a connection may take to be broken off."""
_IN_A_ROW = 2
"""One refusal may be a moment's; so many are none."""
_POLL_S = 0.25


class Watch:
    """Asks every few seconds how a service fares, and whether it takes connections."""

    def __init__(self, service: Service, running: Running, *, every_s: float = _EVERY_S) -> None:
        self._name = service.name
        self._running = running
        self._every_s = every_s
        self._good = datetime.now(UTC)
        self._refused = 0
        self._unwell = 0
        self._problem = ""
        self._stopped = threading.Event()
        self._asks = service.remote is not None or not _passed_on(running.address)
        self._between = service.remote is None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @classmethod
    def of(cls, service: Service, running: Running) -> "Watch":
        """Return a watch that has begun."""
        watch = cls(service, running)
        watch.start()
        return watch

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End: what comes from now on is no problem."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_CONNECT_S + _BREAK_S + self._every_s)

    def problem(self) -> str:
        """Say what was wrong at any time; empty where nothing was."""
        return self._problem

    def _run(self) -> None:
        while not self._stopped.wait(_AGAIN_S if self._refused else self._every_s):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - an engine's bug: else nobody looks any more
                self._blame(f"it can't be watched: {type(error).__name__}: {error}")
                return

    def look(self) -> None:
        """Ask once."""
        self._look_at_it()
        self._knock()

    def _look_at_it(self) -> None:
        problem = self._running.problem()
        self._unwell = self._unwell + 1 if problem else 0
        if self._unwell >= _IN_A_ROW:
            self._blame(problem)

    def _knock(self) -> None:
        now = datetime.now(UTC)
        if self._asks and _refuses(self._running.address, between=self._between):
            self._refused += 1
        elif self._refused < _IN_A_ROW:
            self._refused, self._good = 0, now
        if self._refused >= _IN_A_ROW:
            self._blame(f"it did not answer between {self._good:%H:%M:%S} and {now:%H:%M:%S} UTC")

    def _blame(self, problem: str) -> None:
        if not self._problem and not self._stopped.is_set():
            self._problem = clean_text(problem)


class Stop(threading.Event):
    """Set when the run is asked to stop, or what is watched has a problem: why go on then?"""

    def __init__(self, run: threading.Event, watches: Sequence[Watch]) -> None:
        super().__init__()
        self._run = run
        self._watches = watches

    def is_set(self) -> bool:
        """Say whether there is any reason to stop."""
        return (
            super().is_set()
            or self._run.is_set()
            or any(watch.problem() for watch in self._watches)
        )

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for one."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _POLL_S if until is None else min(_POLL_S, until - time.monotonic())
            if left <= 0:
                return False
            self._run.wait(left)
        return True


def _refuses(address: Address, *, between: bool) -> bool:
    """Say whether nobody listens. Slow is another matter: a scanner keeps it busy.

    What stands `between` takes a connection, and breaks it off where the service takes none.
    """
    try:
        with socket.create_connection((address.host, address.port), timeout=_CONNECT_S) as asked:
            if between:
                # who is told that nothing will be asked has to wait for nothing, and ends it
                asked.shutdown(socket.SHUT_WR)
                asked.settimeout(_BREAK_S)
                asked.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def _passed_on(address: Address) -> bool:
    """Say whether an engine's forwarder takes the connections, and says nothing of the service."""
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return address.host == "localhost"
