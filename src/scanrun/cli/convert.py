"""`scanrun convert`: one scanner's report becomes a SARIF log."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from scanrun.cli.session import CommandContext, gather
from scanrun.contracts import Driver, HasDriver, HasVersion, Scanner
from scanrun.errors import ConversionError, UsageError
from scanrun.files import written
from scanrun.model import (
    Applies,
    Category,
    Notification,
    Outputs,
    ScanResult,
    Snapshot,
    Status,
    Step,
    Target,
)
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.mask import Masker
from scanrun.sarif.read import ToolRun, is_sarif, read_tool_runs
from scanrun.sarif.run import run_head, saved_result
from scanrun.sarif.writer import RunWriter, write_log
from scanrun.stages.convert import Converted, convert_outputs
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.triage import Triage

SARIF = "sarif"
_RUN_ID = "convert"
"""Of every conversion: the same report gives the same bytes."""


@click.command(short_help="Turn a scanner's report into SARIF.")
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--from", "name", metavar="NAME", help="Scanner that wrote it [guessed].")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [stdout].")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
def command(report: Path, name: str | None, output: Path | None, config: Path | None) -> None:
    """Turn REPORT, as a scanner wrote it, into a SARIF log.

    Without --from, exactly one of the known scanners has to recognise it; any SARIF is recognised.

    Exit codes: 0 converted, 2 usage or configuration, 3 the report can't be read.
    """
    here = gather(Path(), config=config, trusted=True)  # a report is read, nothing is run
    with tempfile.TemporaryDirectory(prefix="scanrun-") as folder:
        conversion = _Conversion(here, report, Path(folder))
        runs = conversion.named(name) if name else conversion.guessed()
        if output is None:
            write_log(sys.stdout.buffer, runs)
        else:
            with written(output) as stream:
                write_log(stream, runs)


@dataclass
class _Sarif:
    """Stands for the tool that wrote one run of a SARIF log."""

    name: str
    category: Category
    run: ToolRun

    def applies(self, target: Target) -> Applies:  # noqa: ARG002 - the protocol's signature
        return Applies.no("only its report is read")

    def steps(self, target: Target) -> tuple[Step, ...]:  # noqa: ARG002 - as above
        return ()

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:  # noqa: ARG002
        return self.run.items


@dataclass(frozen=True)
class _Conversion:
    """One report on its way; `folder` is for scratch files."""

    here: CommandContext
    report: Path
    folder: Path

    def named(self, name: str) -> list[Path]:
        """Return the runs of the report as the named scanner's.

        Raises:
            ConversionError: it is not.
        """
        if name == SARIF:
            return self._sarif()
        scanner = self.here.scanners.get(name)
        if scanner is None:
            near = get_close_matches(name, [*self.here.scanners, SARIF], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `scanrun plugins`"
            raise UsageError(f"no scanner is called {name!r}", hint=hint)
        return [self._run_of(scanner)]

    def guessed(self) -> list[Path]:
        """Return the runs of the report as those of the one scanner that recognises it.

        Raises:
            ConversionError: none does, or several do.
        """
        if is_sarif(self.report):
            return self._sarif()
        fitting: dict[str, Path] = {}
        for name, scanner in self.here.scanners.items():
            try:
                fitting[name] = self._run_of(scanner)
            except Exception:  # noqa: BLE001, S112 - whatever it stumbles over is not its own
                continue
        drivers = {_driver_of(self.here.scanners[name]) for name in fitting}
        if len(drivers) != 1:
            found = f"as that of {' and '.join(fitting)}" if fitting else "by no scanner"
            raise ConversionError(
                f"{str(self.report)!r} is recognised {found}"
                f" (tried {', '.join([SARIF, *self.here.scanners])})",
                hint="name the scanner that wrote it with --from",
            )
        # one tool may be several scanners of ours: they read the same report in the same way
        name, *others = fitting
        if others:
            click.echo(f"note: read as a report of {name}; --from {others[0]} works too", err=True)
        return [fitting[name]]

    def _run_of(self, scanner: Scanner) -> Path:
        options = self.here.loaded.settings.for_scanner(scanner.name).options
        target = Target(snapshot=Snapshot(root=Path()), options=options)
        outputs = Outputs(_mapped(scanner, target, self.report), options=options)
        name = f"{scanner.name}.json"
        version = scanner.version(outputs) if isinstance(scanner, HasVersion) else ""
        base = ScanResult(
            name=scanner.name,
            category=scanner.category.value,
            status=Status.COMPLETED,
            version=version,
        )
        return self._write(scanner, outputs, base, _driver_of(scanner), name)

    def _sarif(self) -> list[Path]:
        roots = (str(Path.cwd()), "/src")
        paths = []
        for number, run in enumerate(read_tool_runs(self.report, roots)):
            base = saved_result(run.head)
            scanner = _Sarif(base.name, _category(base.category), run)
            driver = _driver(run.head["tool"]["driver"], base.name)
            paths.append(self._write(scanner, Outputs({}), base, driver, f"{number}.json"))
        return paths

    def _write(
        self, scanner: Scanner, outputs: Outputs, base: ScanResult, driver: Driver, name: str
    ) -> Path:
        today = datetime.now(UTC).date()
        with RunWriter(self.folder / name) as writer:
            seen = convert_outputs(
                scanner,
                outputs,
                writer,
                fingerprinter=Fingerprinter(outputs.snapshot),
                triage=Triage(self.here.loaded.settings, today),
                masker=Masker(),
            )
            result = _ended(base, seen)
            writer.finish(
                run_head(result, driver, run_id=_RUN_ID, snapshot=outputs.snapshot, cwes=seen.cwes)
            )
        return self.folder / name


def _mapped(scanner: Scanner, target: Target, report: Path) -> Mapping[str, Path]:
    """Return the report in the place of each output that the scanner's steps declare."""
    paths: dict[str, Path] = {}
    for step in scanner.steps(target):
        for output in (*step.outputs, *((step.stdout,) if step.stdout else ())):
            if output.endswith("/") == report.is_dir():
                paths[output] = report
    if not paths:
        kind = "folder" if report.is_dir() else "file"
        raise ConversionError(f"{str(report)!r} is a {kind}, which {scanner.name} does not write")
    return paths


def _ended(base: ScanResult, seen: Converted) -> ScanResult:
    """Return how the scan ended, as far as its report tells."""
    errors = [each.text for each in seen.notifications if each.level == "error"]
    completed = base.status is Status.COMPLETED and not errors
    return replace(
        base,
        status=Status.COMPLETED if completed else Status.FAILED,
        reason=base.reason or next(iter(errors), ""),
        findings=seen.tally.total,
        suppressed=seen.tally.suppressed,
        counts=seen.tally.counts,
        counts_by_category=seen.tally.by_category,
        notifications=tuple(seen.notifications),
    )


def _driver_of(scanner: Scanner) -> Driver:
    return scanner.driver if isinstance(scanner, HasDriver) else Driver(scanner.name)


def _category(word: str) -> Category:
    return Category(word) if word in set(Category) else Category.SAST


def _driver(head: Mapping[str, Any], name: str) -> Driver:
    words = {
        key: value if isinstance(value := head.get(key), str) else ""
        for key in ("name", "fullName", "organization", "informationUri")
    }
    return Driver(
        words["name"] or name, words["fullName"], words["organization"], words["informationUri"]
    )
