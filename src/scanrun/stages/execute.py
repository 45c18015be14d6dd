"""Runs what the plan says, scanners side by side: the verb is `execute`.

One thread a scanner. Whatever goes wrong with one of them, a plugin's bug included, costs that
scanner only.
"""

import queue
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from scanrun.context import Context, Progress
from scanrun.errors import InterruptedRunError, ScanError
from scanrun.model import Decision, ScanResult
from scanrun.stages.outcome import failed, not_run
from scanrun.stages.plan import Entry
from scanrun.stages.scan import scan


def execute(context: Context, see: Callable[[Progress], None]) -> tuple[ScanResult, ...]:
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
    running = context.plan.to_run
    jobs = context.request.settings.scan.jobs or max(len(running), 1)
    with ThreadPoolExecutor(jobs, thread_name_prefix="scanrun") as pool:
        futures: dict[str, Future[ScanResult]] = {
            entry.name: pool.submit(_run_entry, context, entry) for entry in running
        }
        while len(done) < len(entries):
            _drain(context, see, done)
            crashed = [f for name, f in futures.items() if name not in done and f.done()]
            for future in crashed:
                future.result()
                _drain(context, see, done)
    return tuple(done[entry.name] for entry in entries)


def _drain(context: Context, see: Callable[[Progress], None], done: dict[str, ScanResult]) -> None:
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


def _run_entry(context: Context, entry: Entry) -> ScanResult:
    """Run one scanner, whatever happens, and queue its result."""
    started = datetime.now(UTC)
    try:
        result = scan(context, entry, started)
    except ScanError as error:
        result = failed(context, entry, started, str(error), error.hint)
    except InterruptedRunError as error:
        result = failed(context, entry, started, f"interrupted: {error}", "")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's bug costs only its own part
        _log_bug(context, entry)
        reason = f"the plugin failed: {type(error).__name__}: {error}"
        result = failed(context, entry, started, reason, "its log has the traceback")
    context.events.put(Progress(entry.name, result.status.value, datetime.now(UTC), result))
    return result


def _log_bug(context: Context, entry: Entry) -> None:
    path = context.log(entry.name)
    with path.open("a", encoding="utf-8", errors="replace") as log:
        traceback.print_exc(file=log)
