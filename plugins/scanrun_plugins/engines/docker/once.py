"""How is a job done once, while others wait for what comes of it?"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, TypeVar

from scanrun.api import InterruptedRunError

POLL_S = 0.2

T = TypeVar("T")


class Once:
    """Does each job once. Those who ask for it meanwhile, or later, get its result or its error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[object, Future[Any]] = {}

    def get(self, key: object, job: Callable[[], T], cancel: threading.Event) -> T:
        """Return what `job` returns."""
        with self._lock:
            first = key not in self._done
            future: Future[T] = self._done.setdefault(key, Future())
        if first:
            _do(job, future)
        return _await(future, cancel)


def _do(job: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(job())
    except BaseException as error:  # noqa: BLE001 - raised again by everybody who waits
        future.set_exception(error)


def _await(future: Future[T], cancel: threading.Event) -> T:
    while not future.done():
        check_cancelled(cancel)
        try:
            return future.result(POLL_S)
        except NotYet:
            continue
    return future.result()


def check_cancelled(cancel: threading.Event) -> None:
    """Raise when the run was asked to stop."""
    if cancel.is_set():
        raise InterruptedRunError("the run was asked to stop")
