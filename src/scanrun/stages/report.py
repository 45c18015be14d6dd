"""What a run leaves behind: the verb is `report`. The verdict itself is written last."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from scanrun import __version__
from scanrun.contracts import Reporter
from scanrun.deadline import within
from scanrun.errors import LostResultsError, OutputError
from scanrun.files import written
from scanrun.model import Evidence, Outcome, ScanResult, Status, Verdict
from scanrun.output import LOG, OutputFolder
from scanrun.sarif.mask import Masker
from scanrun.sarif.read import read_runs
from scanrun.sarif.run import reached_json, saved_result
from scanrun.sarif.view import Finding
from scanrun.sarif.writer import write_log

REPORT_S = 300.0
"""How long a plugin may write its report."""


def report(
    output: OutputFolder,
    results: Iterable[ScanResult],
    verdict: Verdict,
    *,
    reporters: Iterable[Reporter],
    keep_raw: str,
    masker: Masker,
) -> None:
    """Write the log, the scanners' logs and raw reports, and each other report.

    `keep_raw` is `[output] raw`. The caller writes the verdict when this has worked.

    Raises:
        LostResultsError: something can't be written.
    """
    try:
        _report(output, results, verdict, reporters, keep_raw, masker)
    except LostResultsError:
        raise
    except (OSError, OutputError) as error:
        raise LostResultsError(
            f"the results can't be written to {str(output.path)!r}: {error}",
            hint="make room, or choose another folder with --output, and scan again",
        ) from error


def _report(  # noqa: PLR0917 - as `report`
    output: OutputFolder,
    results: Iterable[ScanResult],
    verdict: Verdict,
    reporters: Iterable[Reporter],
    keep_raw: str,
    masker: Masker,
) -> None:
    results = tuple(results)
    runs = [result.run_file for result in results if result.run_file is not None]
    with written(output.path / LOG) as stream:
        write_log(stream, runs, {"scanrun": {"runId": verdict.run_id, "version": __version__}})
    for result in results:
        _keep_log(output, result, masker)
        failed = result.status is Status.FAILED
        if keep_raw == "always" or (keep_raw == "on-failure" and failed):
            _keep_raw(output, result, masker)
    _write_others(output, reporters, verdict)


def _write_others(output: OutputFolder, reporters: Iterable[Reporter], verdict: Verdict) -> None:
    """Write every report that can be written, whatever becomes of the others.

    Raises:
        OSError, OutputError: one can't be written.
    """
    lost: list[OSError | OutputError] = []
    for reporter in reporters:
        try:
            _write_other(output, reporter, verdict)
        except (OSError, OutputError) as error:
            lost.append(error)
    if len(lost) > 1:
        hints = dict.fromkeys(each.hint for each in lost if isinstance(each, OutputError))
        raise LostResultsError("; ".join(map(str, lost)), hint="; ".join(filter(None, hints)))
    if lost:
        raise lost[0]


def _write_other(output: OutputFolder, reporter: Reporter, verdict: Verdict) -> None:
    """Write a plugin's report.

    Raises:
        LostResultsError: the plugin failed, or did not end.
    """
    try:
        with written(output.path / reporter.filename) as stream:
            found = shown_findings(output.path / LOG, verdict)
            write = partial(reporter.write, stream, found, verdict)
            within(REPORT_S, write, what="writing it")
    except (OSError, OutputError):
        raise
    except (Exception, SystemExit) as error:
        raise LostResultsError(
            f"report {reporter.filename!r} can't be written: {type(error).__name__}: {error}",
            hint="leave it out of [report] formats, or mend its plugin",
        ) from error


def shown_findings(log: Path, verdict: Verdict) -> Iterator[Finding]:
    """Yield the findings of the run that came to `verdict`; none where nothing ran."""
    return findings(log) if _has_runs(verdict) else iter(())


def _has_runs(verdict: Verdict) -> bool:
    return any(result.run_file is not None for result in verdict.scanners)


def findings(log: Path) -> Iterator[Finding]:
    """Yield the findings of a log that this program wrote, run by run."""
    for run in read_runs(log):
        saved = saved_result(run.head)
        for result in run.results:
            yield Finding.of(result, run.rules, scanner=saved.name, category=saved.category)


def _keep_log(output: OutputFolder, result: ScanResult, masker: Masker) -> None:
    if result.log is not None and result.log.exists():
        masker.file(result.log, output.logs / f"{result.name}.log")


def _keep_raw(output: OutputFolder, result: ScanResult, masker: Masker) -> None:
    """Keep what the scanner wrote, readable by its owner only, with its secrets masked."""
    folder = output.raw / result.name
    for name, source in result.raw.items():
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_symlink() or not file.is_file():
                continue
            target = folder / _flat(name, file, source)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            masker.file(file, target)
    if folder.exists():
        output.raw.chmod(0o700)
        folder.chmod(0o700)


def _flat(name: str, file: Path, source: Path) -> Path:
    """Return where a file of an output goes: `out/report.json`, `server_data/deep/file`."""
    parent, _, last = name.strip("/").rpartition("/")
    if source.is_dir():
        return Path(name.strip("/").replace("/", "_")) / file.relative_to(source)
    return Path(parent.replace("/", "_"), last)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as verdict.json has it (schemas/verdict.schema.json)."""
    return {
        "run_id": verdict.run_id,
        "scanrun": __version__,
        "status": verdict.status.value,
        "exit_code": int(verdict.exit_code),
        "reason": verdict.reason,
        "fail_on": verdict.fail_on,
        "counts": {severity.value: count for severity, count in verdict.counts.items()},
        "suppressed": verdict.suppressed,
        "scanners": [_scanner_json(result) for result in verdict.scanners],
        "conditions": [
            {"name": each.name, "passed": each.passed, "detail": each.detail}
            for each in verdict.conditions
        ],
        "told": list(verdict.told),
        "snapshot": dict(verdict.snapshot),
        "tree": dict(verdict.tree),
        "started": _time(verdict.started),
        "ended": _time(verdict.ended),
    }


RUNNING = "running, or killed before it had a verdict"
NOT_BEGUN = "could not begin, or was stopped before it did"


def running_json(run_id: str, started: datetime, reason: str = RUNNING) -> dict[str, Any]:
    """Return the verdict of a run that has only begun: what a killed one leaves behind."""
    return verdict_json(
        Verdict(
            run_id=run_id,
            status=Outcome.INCOMPLETE,
            exit_code=3,
            reason=reason,
            fail_on="",
            counts={},
            started=started,
        )
    )


def _scanner_json(result: ScanResult) -> dict[str, Any]:
    what = {"image": result.image, "digest": result.digest, "executable": result.executable}
    return {
        "name": result.name,
        "category": result.category,
        "status": result.status.value,
        "reason": result.reason,
        "engine": result.engine,
        **{key: value for key, value in what.items() if value},
        "version": result.version,
        "exit_code": result.exit_code,
        "started": _time(result.started),
        "duration_s": round(result.duration_s, 3),
        "findings": result.findings,
        "suppressed": result.suppressed,
        "counts": {severity.value: count for severity, count in result.counts.items()},
        "phases": [
            {"name": each.name, "started": _time(each.started), "duration_s": each.duration_s}
            for each in result.phases
        ],
        "evidence": evidence_json(result.evidence),
    }


def evidence_json(evidence: Evidence) -> Mapping[str, Any]:
    """Return the evidence as the verdict and the log's invocation have it."""
    return {
        "canary": evidence.canary,
        "expected": evidence.expected,
        "accounted": evidence.accounted,
        "kinds": dict(evidence.kinds),
        "missing": list(evidence.missing),
        "data_updated": _time(evidence.data_updated),
        "reached": reached_json(evidence.reached) if evidence.reached else None,
        "signs": list(evidence.signs),
        "problems": list(evidence.problems),
        "lowered": list(evidence.lowered),
        "summary": evidence.summary,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None
