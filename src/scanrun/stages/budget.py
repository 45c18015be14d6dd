"""Memory that scanners share: who needs more than is left waits, in the order of asking."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scanrun.errors import InterruptedRunError, ScanError

_POLL_S = 0.2


class Budget:
    """So many megabytes for all; None: as many as anybody asks for."""

    def __init__(self, total_mb: int | None) -> None:
        self.total_mb = total_mb
        self._free = total_mb or 0
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def taken(
        self, need_mb: int, *, cancel: threading.Event, waiting: Callable[[str], None]
    ) -> Iterator[None]:
        """Hold `need_mb`; waits for it first, and says so once.

        Raises:
            ScanError: it is more than there is in all.
            InterruptedRunError: `cancel` was set.
        """
        if self.total_mb is None:
            yield
            return
        if need_mb > self.total_mb:
            raise ScanError(
                f"it needs {need_mb} MB of memory, and there are {self.total_mb} MB for all",
                hint="raise --memory-budget where the engine has more, or lower its `memory`",
            )
        self._take(need_mb, cancel, waiting)
        try:
            yield
        finally:
            with self._changed:
                self._free += need_mb
                self._changed.notify_all()

    def _take(self, need_mb: int, cancel: threading.Event, waiting: Callable[[str], None]) -> None:
        """Take the memory when all who asked earlier have had theirs."""
        ticket = object()
        said = False
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or self._free < need_mb:
                    if cancel.is_set():
                        raise InterruptedRunError("it waited for memory")
                    if not said:
                        waiting(f"waiting for memory: {need_mb} MB, {self._free} MB are free")
                        said = True
                    self._changed.wait(_POLL_S)
                self._free -= need_mb
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
