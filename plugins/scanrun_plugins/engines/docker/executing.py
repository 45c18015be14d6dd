"""How is a command run beside a service, in the service's own container?

No engine can kill what it was asked to run there. Where that has to end before it does, its
container is killed: nobody goes on with a service whose command hung.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from scanrun.api import DeadlineError
from scanrun_plugins.engines.docker.attached import Attached
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.failures import engine_errors
from scanrun_plugins.engines.docker.once import check_cancelled

KEPT = 1 << 16
"""How much of what it prints is kept: the end of it."""
_POLL_S = 0.1
_JOIN_S = 5


def execute(
    containers: Containers,
    container: str,
    argv: Sequence[str],
    *,
    timeout_s: float,
    cancel: threading.Event,
) -> tuple[int, bytes]:
    """Run it, and return its exit code and the end of what it printed.

    Of a program that is not there, the engine prints so, and the code is 126 or 127.

    Raises:
        DeadlineError: its time was over; the container is killed.
        InterruptedRunError: `cancel` was set; the container is killed.
        StepError: the engine refused.
    """
    api = containers.api
    with engine_errors("running a command beside the service"):
        process = api.exec_create(container, list(argv))["Id"]
        hearing = _Hearing(Attached(api.exec_start(process, socket=True)))
    hearing.start()
    try:
        code = _waited(hearing, lambda: _code(api, process), argv[0], timeout_s, cancel)
    except BaseException:
        containers.kill(container)
        raise
    finally:
        hearing.join(_JOIN_S)
        hearing.leave()
    return code, bytes(hearing.printed)


def _waited(
    hearing: "_Hearing",
    code: Callable[[], int | None],
    what: str,
    timeout_s: float,
    cancel: threading.Event,
) -> int:
    """Return the exit code as soon as there is one and nothing more can be heard."""
    deadline = time.monotonic() + timeout_s
    while True:
        if not hearing.is_alive():
            hearing.check()
            if (ended := code()) is not None:
                return ended
        check_cancelled(cancel)
        if time.monotonic() > deadline:
            raise DeadlineError(f"{what!r} was stopped: it ran longer than {timeout_s:g} s")
        hearing.join(_POLL_S)


def _code(api: Any, process: str) -> int | None:  # noqa: ANN401 - partly untyped
    with engine_errors("running a command beside the service"):
        found = api.exec_inspect(process)
    return None if found["Running"] else int(found["ExitCode"])


class _Hearing(threading.Thread):
    """Reads what the command prints, so that the other thread can look at the clock."""

    def __init__(self, source: Attached) -> None:
        super().__init__(name="execute", daemon=True)
        self.printed = bytearray()
        self._source = source
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            for _, chunk in self._source.frames:
                self.printed += chunk
                del self.printed[:-KEPT]
        except Exception as error:  # noqa: BLE001 - raised again on the thread that waits
            self._error = error

    def check(self) -> None:
        """Raise what broke the connection off."""
        if self._error is not None:
            with engine_errors("listening to a command beside the service"):
                raise self._error

    def leave(self) -> None:
        """Close the connection."""
        self._source.close()
