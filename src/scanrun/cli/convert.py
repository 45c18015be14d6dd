"""`scanrun convert`: one scanner's report becomes a SARIF log."""

import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from scanrun.cli.session import CommandContext, gather, must_exist
from scanrun.contracts import Driver, HasDriver, HasVersion, Scanner
from scanrun.errors import ConversionError, UsageError
from scanrun.files import written
from scanrun.model import Outputs, Role, ScanResult, Snapshot, Status, Step, Target
from scanrun.nearest import nearest
from scanrun.sarif.mask import Masker
from scanrun.sarif.read import SavedRun, is_sarif, read_mixed_runs
from scanrun.sarif.writer import write_log
from scanrun.stages.adopt import adopt_run, write_run
from scanrun.stages.copy import copy_run
from scanrun.stages.triage import Triage

SARIF = "sarif"
_RUN_ID = "convert"
"""Of every conversion: the same report gives the same bytes."""


@click.command(short_help="Turn a scanner's report into SARIF.")
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--from", "name", metavar="NAME", help="Scanner that wrote it [guessed].")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [stdout].")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option(
    "--plugin", multiple=True, type=click.Path(path_type=Path), help="Load a local plugin."
)
def command(
    report: Path,
    name: str | None,
    output: Path | None,
    config: Path | None,
    plugin: tuple[Path, ...],
) -> None:
    """Turn REPORT, as a scanner wrote it, into a SARIF log. `-` is stdin.

    Without --from, exactly one of the known scanners has to recognise it; any SARIF is recognised.

    Exit codes: 0 converted, 2 usage or configuration, 3 the report can't be read.
    """
    # a report is read, nothing is run
    here = gather(Path(), config=config, plugins=plugin, trusted=True)
    with tempfile.TemporaryDirectory(prefix="scanrun-") as folder:
        conversion = _Conversion(here, _at_hand(report, Path(folder)), Path(folder))
        runs = conversion.named(name) if name else conversion.guessed()
        if output is None:
            write_log(sys.stdout.buffer, runs)
        else:
            with written(output) as stream:
                write_log(stream, runs)


def _at_hand(report: Path, folder: Path) -> Path:
    """Return the report as a file that can be read more than once."""
    if report != Path("-"):
        must_exist(report, hint="name the file or folder that the scanner wrote")
        return report
    copy = folder / "stdin"
    with copy.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return copy


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
            hint = nearest(name, [*self.here.scanners, SARIF])
            raise UsageError(f"--from: no scanner {name!r}", hint=hint)
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
        version = scanner.version(outputs) if isinstance(scanner, HasVersion) else ""
        base = ScanResult(
            name=scanner.name,
            category=scanner.category.value,
            status=Status.COMPLETED,
            version=version,
        )
        path = self.folder / f"{scanner.name}.json"
        write_run(
            path,
            scanner,
            outputs,
            base=base,
            driver=_driver_of(scanner),
            triage=self._triage(),
            masker=Masker(self.here.secrets),
            run_id=_RUN_ID,
        )
        return path

    def _sarif(self) -> list[Path]:
        paths = []
        for number, run in enumerate(read_mixed_runs(self.report, (str(Path.cwd()), "/src"))):
            paths.append(self.folder / f"{number}.json")
            masker = Masker(self.here.secrets)
            if isinstance(run, SavedRun):
                # read as a tool's, it would lose its conditions, and what it could not read
                copy_run(run, paths[-1], masker)
            else:
                adopt_run(run, paths[-1], self._triage(), masker, run_id=_RUN_ID)
        return paths

    def _triage(self) -> Triage:
        return Triage(self.here.loaded.settings, datetime.now(UTC).date())


def _mapped(scanner: Scanner, target: Target, report: Path) -> Mapping[str, Path]:
    """Return the report in the place of the scanner's main output: the first of its first scan.

    In the place of every output its findings would count as often as there are outputs.
    """
    for step in scanner.steps(target):
        printed = (step.stdout,) if isinstance(step, Step) and step.stdout else ()
        outputs = (*step.outputs, *printed)
        fitting = [each for each in outputs if each.endswith("/") == report.is_dir()]
        if step.role in (Role.SCAN, Role.COLLECT) and fitting:
            return {fitting[0]: report}
    kind = "folder" if report.is_dir() else "file"
    raise ConversionError(f"{str(report)!r} is a {kind}, which {scanner.name} does not write")


def _driver_of(scanner: Scanner) -> Driver:
    return scanner.driver if isinstance(scanner, HasDriver) else Driver(scanner.name)
