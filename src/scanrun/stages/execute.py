"""Runs what the plan says, scanners side by side: the verb is `execute`.

One thread a scanner. Whatever goes wrong with one of them, a plugin's bug included, costs that
scanner only. The threads are daemons: one that nothing can stop does not keep the run from ending.
"""

import errno
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from scanrun.clock import Clock
from scanrun.context import Context, Progress
from scanrun.errors import InterruptedRunError, ScanrunError
from scanrun.model import Decision, ScanResult
from scanrun.stages.outcome import failed, not_run, reserve
from scanrun.stages.scan import scan
from scanrun.stages.select import Entry

STOP_S = 60.0
"""How long the scanners have to end after the run was asked to stop."""
_JOIN_S = 3.0
"""The same, when it was asked a second time."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

See = Callable[[Progress], None]


def execute(context: Context, see: See) -> tuple[ScanResult, ...]:
    """Run the plan and return one result for each of its entries, in the plan's order.

    `see` is called on this thread. When `context.cancel` is set, what runs is stopped and what
    had completed is kept.
    """
    entries = context.plan.entries
    done: dict[str, ScanResult] = {
        entry.name: not_run(context, entry)
        for entry in entries
        if entry.decision is not Decision.RUN
    }
    for entry in context.plan.to_run:
        reserve(context, entry)
    workers = _started(context)
    try:
        _follow(context, see, done, workers)
    except KeyboardInterrupt:
        _join(workers)
        raise
    for entry in context.plan.to_run:
        if entry.name not in done:
            done[entry.name] = failed(context, entry, None, "interrupted: it did not stop", "")
    return tuple(done[entry.name] for entry in entries)


def _follow(
    context: Context, see: See, done: dict[str, ScanResult], workers: Iterable["_Worker"]
) -> None:
    """Hand on what the workers tell, until all have ended or had their time to stop."""
    until = float("inf")
    while len(done) < len(context.plan.entries) and time.monotonic() < until:
        _drain(context, see, done)
        for worker in workers:
            if worker.error is not None:
                raise worker.error
        if context.cancel.is_set():
            until = min(until, time.monotonic() + STOP_S)


def _drain(context: Context, see: See, done: dict[str, ScanResult]) -> None:
    """Hand on what is queued; waits a moment for the first, so that signals get their turn."""
    timeout: float | None = 0.2
    while True:
        try:
            event = context.events.get(timeout=timeout) if timeout else context.events.get_nowait()
        except queue.Empty:
            return
        timeout = None
        if event.result is not None:
            done[event.scanner] = event.result
        see(event)


class _Worker(threading.Thread):
    """Runs one entry after the other. An `error` of its own is a bug, and ends the run."""

    def __init__(self, context: Context, todo: "queue.SimpleQueue[Entry]") -> None:
        super().__init__(name="scanner", daemon=True)
        self.error: BaseException | None = None
        self._context = context
        self._todo = todo

    def run(self) -> None:
        try:
            with suppress(queue.Empty):
                while True:
                    _run_entry(self._context, self._todo.get_nowait())
        except BaseException as error:  # noqa: BLE001 - raised again on the main thread
            self.error = error


def _started(context: Context) -> list[_Worker]:
    todo: queue.SimpleQueue[Entry] = queue.SimpleQueue()
    for entry in context.plan.to_run:
        todo.put(entry)
    jobs = context.request.settings.scan.jobs or todo.qsize()
    workers = [_Worker(context, todo) for _ in range(min(jobs, todo.qsize()))]
    for worker in workers:
        worker.start()
    return workers


def _join(workers: Iterable[_Worker]) -> None:
    """Let them remove what they have on an engine, before the engine is left."""
    until = time.monotonic() + _JOIN_S
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))


def _run_entry(context: Context, entry: Entry) -> None:
    """Run one scanner, whatever happens, and queue its result."""
    started, clock = datetime.now(UTC), Clock()
    try:
        result = scan(context, entry, started, clock)
    except InterruptedRunError as error:
        result = failed(context, entry, started, f"interrupted: {error}", "")
    except ScanrunError as error:
        result = failed(context, entry, started, str(error), error.hint)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's bug costs only its own part
        result = _broken(context, entry, started, error)
    if not result.phases:
        clock.lap("until it failed")
        result = replace(result, phases=tuple(clock.phases))
    context.events.put(Progress(entry.name, result.status.value, datetime.now(UTC), result))


def _broken(context: Context, entry: Entry, started: datetime, error: BaseException) -> ScanResult:
    if isinstance(error, OSError) and error.errno in _FULL:
        reason = f"no room in the scratch folder {str(context.folder)!r}: {error.strerror}"
        return failed(context, entry, started, reason, "make room, or name another in TMPDIR")
    _log_bug(context, entry)
    reason = f"the plugin failed: {type(error).__name__}: {error}"
    return failed(context, entry, started, reason, "its log has the traceback")


def _log_bug(context: Context, entry: Entry) -> None:
    path = context.log(entry.name)
    with suppress(OSError), path.open("a", encoding="utf-8", errors="replace") as log:
        traceback.print_exc(file=log)
