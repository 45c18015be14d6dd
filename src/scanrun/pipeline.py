"""One run, top to bottom: read this first.

snapshot → select → plan → execute and convert → gate → report
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from scanrun.cache import Cache
from scanrun.context import Context, Progress
from scanrun.contracts import EngineSettings, HasTells, Scanner
from scanrun.engines import opened_engines
from scanrun.errors import ScanrunError
from scanrun.model import Outcome, ScanResult, Snapshot, Verdict
from scanrun.output import OutputFolder, opened
from scanrun.plugins import Plugins
from scanrun.request import Request
from scanrun.sarif.mask import Masker
from scanrun.scratch import scratch_folder
from scanrun.snapshot import take_snapshot
from scanrun.stages.execute import execute
from scanrun.stages.gate import judge
from scanrun.stages.plan import ScanPlan, canaries, make_plan, select
from scanrun.stages.report import report, running_json, verdict_json
from scanrun.stages.triage import Triage


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who sees the run as it goes. All are called on the main thread."""

    planned: Callable[[ScanPlan], None]
    progress: Callable[[Progress], None]


def plan_only(request: Request, plugins: Plugins, scanners: Mapping[str, Scanner]) -> ScanPlan:
    """Return what a run would do. Nothing is written, pulled or started."""
    snapshot = _snapshot(request, scanners)
    with scratch_folder(request.run_id) as scratch:
        entries = select(request, scanners, snapshot)
        settings = engine_settings(request, scratch)
        choice = request.settings.scan.engine
        with opened_engines(plugins.engines, choice, settings, snapshot, {}) as engines:
            return make_plan(request, snapshot, entries, engines, _cache(request))


def run(
    request: Request, plugins: Plugins, scanners: Mapping[str, Scanner], watcher: Watcher
) -> Verdict:
    """Scan, judge, and leave the files of the run; return the verdict.

    Raises:
        ScanrunError: it could not begin. verdict.json says so where it can be written.
    """
    started = datetime.now(UTC)
    reporters = [plugins.reporters[name] for name in request.settings.report.formats]
    files = [reporter.filename for reporter in reporters]
    running = running_json(request.run_id, started)
    with opened(request.output, running, reports=files) as output:
        try:
            verdict = _run(request, plugins, scanners, watcher, output)
        except (ScanrunError, KeyboardInterrupt) as error:
            output.write_verdict(verdict_json(_stopped(request, started, error)))
            raise
        verdict = replace(verdict, started=started, ended=datetime.now(UTC))
        output.write_verdict(verdict_json(verdict))
    return verdict


def _run(
    request: Request,
    plugins: Plugins,
    scanners: Mapping[str, Scanner],
    watcher: Watcher,
    output: OutputFolder,
) -> Verdict:
    snapshot = _snapshot(request, scanners)
    entries = select(request, scanners, snapshot)
    choice = request.settings.scan.engine
    masker, cancel = Masker(), threading.Event()
    triage = Triage(request.settings, today=datetime.now(UTC).date())
    with (
        scratch_folder(request.run_id) as scratch,
        opened_engines(
            plugins.engines,
            choice,
            engine_settings(request, scratch),
            snapshot,
            canaries(entries),
        ) as engines,
    ):
        plan = make_plan(request, snapshot, entries, engines, _cache(request))
        watcher.planned(plan)
        complaints = plugins.observe("scanrun_run_started", plan=plan)
        folder = scratch / "scanners"
        folder.mkdir()
        context = Context(
            request=request,
            plan=plan,
            engines=engines,
            cache=_cache(request),
            folder=folder,
            triage=triage,
            masker=masker,
            cancel=cancel,
        )
        with interruptible(cancel):
            results = execute(context, _seen_by(watcher, plugins, complaints))
        verdict = _verdict(context, results, complaints)
        late = plugins.observe("scanrun_run_finished", verdict=verdict)
        verdict = replace(verdict, told=(*verdict.told, *late))
        report(
            output,
            results,
            verdict,
            reporters=[plugins.reporters[name] for name in request.settings.report.formats],
            keep_raw=request.settings.output.raw,
            masker=masker,
        )
    return verdict


def _seen_by(
    watcher: Watcher, plugins: Plugins, complaints: list[str]
) -> Callable[[Progress], None]:
    def see(event: Progress) -> None:
        watcher.progress(event)
        if event.result is not None:
            complaints.extend(plugins.observe("scanrun_scan_finished", result=event.result))

    return see


def _verdict(context: Context, results: tuple[ScanResult, ...], complaints: list[str]) -> Verdict:
    plan, snapshot = context.plan, context.plan.snapshot
    return judge(
        results,
        context.request.settings.gate.policy(),
        run_id=context.request.run_id,
        interrupted=context.cancel.is_set(),
        told=(*plan.told, *context.triage.told(), *complaints),
        snapshot={"files": len(snapshot.files), "left_out": len(snapshot.left_out)},
        tree={"commit": snapshot.commit, "dirty": snapshot.dirty},
    )


def _stopped(request: Request, started: datetime, error: BaseException) -> Verdict:
    """Return the verdict of a run that could not begin, or was interrupted while it did."""
    interrupted = isinstance(error, KeyboardInterrupt)
    code = 130 if interrupted else int(getattr(error, "exit_code", 3))
    return Verdict(
        run_id=request.run_id,
        status=Outcome.INTERRUPTED if interrupted else Outcome.INCOMPLETE,
        exit_code=code,
        reason="interrupted" if interrupted else str(error),
        fail_on=request.settings.gate.fail_on,
        counts={},
        started=started,
        ended=datetime.now(UTC),
    )


def _snapshot(request: Request, scanners: Mapping[str, Scanner]) -> Snapshot:
    return take_snapshot(
        request.path,
        exclude=request.settings.scan.exclude,
        tells={
            name: scanner.tells
            for name, scanner in scanners.items()
            if isinstance(scanner, HasTells)
        },
        output_dir=request.settings.output.dir,
        environment=request.environment,
    )


def engine_settings(request: Request, scratch: Path) -> EngineSettings:
    """Return what the request's engines are opened with."""
    scan = request.settings.scan
    return EngineSettings(
        run_id=request.run_id,
        scratch=scratch,
        pull=scan.pull,
        offline=scan.offline,
        mirror=scan.mirror,
        digests=request.lock,
        environment=request.environment,
    )


def _cache(request: Request) -> Cache:
    return Cache.of(request.environment)


@contextmanager
def interruptible(cancel: threading.Event) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP set `cancel`; a second one raises KeyboardInterrupt."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
