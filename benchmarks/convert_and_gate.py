"""What 100,000 results cost: construct and write, read back, and judge, against plain ways.

One run prints one table: python benchmarks/convert_and_gate.py [RESULTS]
"""

import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path

import msgspec

from scanrun.cli.app import run
from scanrun.contracts import Driver
from scanrun.model import Category, ScanResult, Severity, Snapshot, Status
from scanrun.sarif import build
from scanrun.sarif.codec import dumps, to_json
from scanrun.sarif.mask import Masker
from scanrun.sarif.read import read_runs, read_sarif
from scanrun.sarif.run import run_head
from scanrun.sarif.view import Finding
from scanrun.sarif.writer import RunWriter, write_log
from scanrun.stages.fingerprint import Fingerprinter

RULES = 2000
TEXT = "A package has a flaw that lets a remote attacker do what should not be done. " * 6


def rules() -> Iterator[build.Rule]:
    """Yield the rules."""
    for number in range(RULES):
        yield build.rule(
            f"CVE-{number}",
            short="a flaw",
            severity=Severity.HIGH,
            category=Category.SCA,
            full=TEXT,
        )


def results(count: int) -> Iterator[build.Result]:
    """Yield the results."""
    for number in range(count):
        yield build.result(
            f"CVE-{number % RULES}",
            TEXT,
            path=f"app/{number % 500}/package-lock.json",
            severity=Severity.LOW,
            line=number + 1,
            component=f"pkg:npm/p{number}@1",
            identity={"package/v1": f"pkg:npm/p{number}"},
        )


def write(folder: Path, count: int) -> None:
    """Construct, fingerprint and write, streamed."""
    snapshot = Snapshot(root=folder)
    fingerprinter = Fingerprinter(snapshot)
    ended = ScanResult(name="s", category="sca", status=Status.COMPLETED, findings=count)
    with RunWriter(folder / "run.json") as writer:
        for rule in rules():
            writer.rule(to_json(rule))
        for result in results(count):
            writer.result(fingerprinter.add(to_json(result), "s"))
        writer.finish(run_head(ended, Driver("S"), run_id="r", snapshot=snapshot, cwes=()))
    with (folder / "log.sarif").open("wb") as stream:
        write_log(stream, [folder / "run.json"])


def mask(count: int) -> None:
    """Mask as many messages."""
    masker = Masker()
    for _ in range(count):
        masker.text(TEXT)


def judge(log: Path) -> None:
    """Judge by the command, quietly."""
    with redirect_stderr(io.StringIO()):
        run(["gate", str(log)])


def view(log: Path) -> None:
    """Read back through the typed view."""
    for saved in read_runs(log):
        for result in saved.results:
            Finding.of(result, saved.rules, scanner="s")


def main(count: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log.sarif"
        plain = [to_json(each) for each in results(count)]
        rows: list[tuple[str, Callable[[], object]]] = [
            ("json.dumps of ready dicts", lambda: json.dumps(plain)),
            ("codec.dumps of ready dicts", lambda: dumps(plain)),
            ("construct only", lambda: [None for _ in results(count)]),
            ("construct, to_json", lambda: [None for each in results(count) if not to_json(each)]),
            ("construct, fingerprint, write a log", lambda: write(folder, count)),
            ("json.loads of the log", lambda: json.loads(log.read_bytes())),
            ("msgspec untyped decode of the log", lambda: msgspec.json.decode(log.read_bytes())),
            ("read_runs and Finding", lambda: view(log)),
            ("read_sarif (a tool's log)", lambda: sum(1 for _ in read_sarif(log))),
            ("mask a message each", lambda: mask(count)),
            ("scanrun gate", lambda: judge(log)),
        ]
        base = 0.0
        print(f"{count} results, {RULES} rules, Python {sys.version.split()[0]}")
        print(f"{'what':<40} {'CPU s':>7} {'ratio':>7}")
        for what, act in rows:
            start = time.process_time()
            act()
            taken = time.process_time() - start
            base = base or taken
            print(f"{what:<40} {taken:7.2f} {taken / base:7.2f}")
        print(f"log: {log.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
