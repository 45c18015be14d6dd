"""How a plugin's own code is called so that it can hold nothing up: the verb is `within`.

Python can't end a thread. One that is too late is left alone, as a daemon: it doesn't keep the
program from ending either.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from scanrun.errors import DeadlineError, InterruptedRunError

PATIENCE_S = 60.0
"""For what a plugin has to say off-hand: whether it applies, what it would run."""
GRACE_S = 5.0
"""What is left to it when the run is asked to stop."""
_POLL_S = 0.2

T = TypeVar("T")


def within(
    seconds: float,
    work: Callable[[], T],
    *,
    what: str,
    cancel: threading.Event | None = None,
    hint: str = "",
) -> T:
    """Return what `work` returns, or raise what it raises.

    Raises:
        DeadlineError: it did not end in time.
        InterruptedRunError: `cancel` was set, and it did not end soon after.
    """
    call = _Call(work)
    call.start()
    end = time.monotonic() + seconds
    stopped = False
    while not call.ended.wait(_POLL_S):
        if cancel is not None and cancel.is_set() and not stopped:
            stopped, end = True, min(end, time.monotonic() + GRACE_S)
        if time.monotonic() < end:
            continue
        if stopped:
            raise InterruptedRunError(f"{what} did not stop")
        raise DeadlineError(f"{what} took longer than {seconds:g} s", hint=hint)
    return call.result()


class _Call(threading.Thread, Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(name="plugin", daemon=True)
        self.ended = threading.Event()
        self._work = work
        self._value: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
            self._error = error
        finally:
            self.ended.set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value[0]
