"""How is a job done once, or beside another one, while others wait for what comes of it?"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, Generic, TypeVar

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


class Beside(Generic[T]):
    """Does a job on a thread of its own, from now on."""

    def __init__(self, job: Callable[[], T]) -> None:
        self._future: Future[T] = Future()
        threading.Thread(target=_do, args=(job, self._future), daemon=True).start()

    def wait(self) -> None:
        """Return when it is done, or has failed."""
        self._future.exception()

    def result(self) -> T:
        """Return what came of it, or raise its error."""
        return self._future.result()

    def unless(self, cancel: threading.Event) -> T:
        """Do the same, but leave it alone once the run is asked to stop."""
        return _await(self._future, cancel)


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
