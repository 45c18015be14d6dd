"""One run, top to bottom: read this first.

snapshot → select → plan → execute and convert → gate → report
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import FrameType

from scanrun.cache import Cache
from scanrun.context import Context, Progress
from scanrun.contracts import HasTells, HasWanted, Scanner
from scanrun.engines import engine_settings, opened_engines
from scanrun.errors import LostResultsError, OutputError, ScanrunError
from scanrun.model import Outcome, ScanResult, Snapshot, Verdict
from scanrun.output import OutputFolder, opened
from scanrun.plugins import Plugins
from scanrun.request import Request
from scanrun.sarif.mask import Masker
from scanrun.scratch import scratch_folder
from scanrun.snapshot import take_snapshot
from scanrun.stages.budget import Budget
from scanrun.stages.evidence import lowered
from scanrun.stages.execute import execute
from scanrun.stages.gate import judge
from scanrun.stages.outcome import idle, warnings_of
from scanrun.stages.plan import ScanPlan, make_plan
from scanrun.stages.report import report, running_json, verdict_json
from scanrun.stages.select import canaries, could_run, rewrites, select
from scanrun.stages.services import Services
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
    # also those not asked for this time: an earlier run's must not stand beside this one's verdict
    files = [reporter.filename for reporter in plugins.reporters.values()]
    running = running_json(request.run_id, started)
    place = opened(request.output, running, scanned=request.root, reports=files)
    with place as output, interruptible() as stop:
        try:
            verdict = scan_and_judge(request, plugins, scanners, watcher, output, stop)
        except LostResultsError:
            raise
        except OSError as error:
            raise OutputError(
                f"the run's own files can't be used: {error}",
                hint="make room in the temporary folder, or name another in TMPDIR",
            ) from error
        except (ScanrunError, KeyboardInterrupt) as error:
            # what can't be written now is what `opened` has written: running, or killed
            with suppress(OutputError):
                output.write_verdict(verdict_json(_stopped(request, started, error)))
            raise
        verdict = replace(verdict, started=started, ended=datetime.now(UTC))
        return _write_last(output, verdict)


def _write_last(output: OutputFolder, verdict: Verdict) -> Verdict:
    try:
        output.write_verdict(verdict_json(verdict))
    except OutputError as error:
        return _failed_all_the_same(verdict, LostResultsError(str(error), hint=error.hint))
    return verdict


def scan_and_judge(  # noqa: PLR0917 - all of them, once
    request: Request,
    plugins: Plugins,
    scanners: Mapping[str, Scanner],
    watcher: Watcher,
    output: OutputFolder,
    stop: "Stop",
) -> Verdict:
    """Go through the stages once, and write all but the verdict itself."""
    snapshot = _snapshot(request, scanners)
    entries = select(request, scanners, snapshot)
    snapshot = replace(snapshot, rewrites=rewrites(entries))
    choice = request.settings.scan.engine
    masker = Masker(request.secrets)
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
            cancel=stop.cancel,
            secrets=request.secrets_by_name(masker.learn),
            services=Services(each for entry in plan.to_run for each in entry.services),
            budget=Budget(plan.memory_mb),
        )
        with stop.gently():
            results = execute(context, _seen_by(watcher, plugins, complaints))
        verdict = _verdict(context, results, complaints)
        late = plugins.observe("scanrun_run_finished", verdict=verdict)
        verdict = replace(verdict, told=(*verdict.told, *late))
        return _reported(request, plugins, output, results, verdict, masker)


def _reported(  # noqa: PLR0917 - all of them, once
    request: Request,
    plugins: Plugins,
    output: OutputFolder,
    results: tuple[ScanResult, ...],
    verdict: Verdict,
    masker: Masker,
) -> Verdict:
    """Write the files of the run; where that fails, let its verdict at least tell of them."""
    try:
        report(
            output,
            results,
            verdict,
            reporters=[plugins.reporters[name] for name in request.settings.report.formats],
            keep_raw=request.settings.output.raw,
            masker=masker,
        )
    except LostResultsError as error:
        lost = LostResultsError(masker.clean(str(error)), hint=masker.clean(error.hint))
        if verdict.status is not Outcome.FAILED:
            told = replace(
                verdict, status=Outcome.INCOMPLETE, exit_code=lost.exit_code, reason=str(lost)
            )
            with suppress(OutputError):
                output.write_verdict(verdict_json(told))
        return _failed_all_the_same(verdict, lost)
    return verdict


def _failed_all_the_same(verdict: Verdict, lost: LostResultsError) -> Verdict:
    """Return the verdict of a run that has failed, with what got lost. Findings win.

    Raises:
        LostResultsError: it had not failed: nothing says any more that it was clean.
    """
    if verdict.status is not Outcome.FAILED:
        raise lost
    told = "; ".join(part for part in (str(lost), lost.hint) if part)
    return replace(verdict, reason=f"{verdict.reason}; {lost}", told=(*verdict.told, told))


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
    told = (
        *plan.told,
        *lowered(results),
        *context.triage.told(),
        *warnings_of(results),
        *complaints,
    )
    return judge(
        results,
        context.request.settings.gate.policy(),
        run_id=context.request.run_id,
        unread=snapshot.unread,
        idle=idle(plan),
        interrupted=context.cancel.is_set(),
        told=tuple(map(context.masker.text, told)),
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
        reason="interrupted" if interrupted else Masker(request.secrets).text(str(error)),
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
        wanted=sorted(
            pattern
            for scanner in could_run(request, scanners)
            if isinstance(scanner, HasWanted)
            for pattern in scanner.wanted
        ),
        output_dir=request.settings.output.dir,
        environment=request.environment,
    )


def _cache(request: Request) -> Cache:
    return Cache.of(request.environment)


@dataclass(slots=True)
class Stop:
    """What a signal does: while scanners run, the first one asks them to end (`cancel`).

    Before and after that, and when it comes a second time, it raises KeyboardInterrupt.
    """

    cancel: threading.Event = field(default_factory=threading.Event)
    _asks: bool = False

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's
        """Take a signal."""
        if not self._asks or self.cancel.is_set():
            raise KeyboardInterrupt
        self.cancel.set()

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Let the first signal ask."""
        self._asks = True
        try:
            yield
        finally:
            self._asks = False


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Let SIGINT, SIGTERM and SIGHUP stop the run, where they are not ignored.

    Only the main thread is told of them.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    every = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # whoever ignores one (`nohup`, a shell's `&`) wants the run to outlive it
    numbers = [each for each in every if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
