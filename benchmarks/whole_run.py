"""What a whole run costs beside the scanners themselves, as ratios measured in one run.

Needs an engine and the lab (`make lab`): python benchmarks/whole_run.py
Prints one table: each measurement, the bound it is held to, and whether it held.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import convert_and_gate

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "examples" / "vulnerable-app"
CONFIG = ROOT / "lab" / "work" / "scanrun.toml"
SCANRUN = (sys.executable, "-m", "scanrun")
ALIKE = ("bandit", "detect-secrets", "trivy")
DOMINATED = ("checkov", "bandit", "detect-secrets", "ruff", "trivy", "zizmor")
FILES, FILE_BYTES = 20_000, 10_000
FINDINGS = 100_000
FEW, MANY = 3, 11


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    measured: float
    bound: float
    unit: str
    detail: str

    def line(self) -> str:
        """Return the line, with a word that says whether the bound held."""
        held = "held" if self.measured <= self.bound else "OVER"
        value = f"{self.measured:8.2f} {self.unit:<4} ≤ {self.bound:g}"
        return f"{self.what:<44} {value:<24} {held}   {self.detail}"


def table(measured: Callable[[Path], Iterator[Row]]) -> int:
    """Measure, print the table, and return 1 where a bound did not hold."""
    rows = []
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before anything is measured")
    with tempfile.TemporaryDirectory(prefix="scanrun-bench-") as name:
        folder = Path(name)
        for row in measured(folder):
            print(row.line(), flush=True)
            rows.append(row)
    return int(any(row.measured > row.bound for row in rows))


def measured(folder: Path) -> Iterator[Row]:
    """Yield the rows, one measurement after the other."""
    app = folder / "app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns(".scanrun"))
    os.environ["SCANRUN_CACHE_DIR"] = str(folder / "cache")
    scan(app, *DOMINATED)  # databases and volumes are there from here on
    yield from overhead(app)
    yield from alike(app)
    yield from dominated(app)
    yield from large_tree(folder / "large")
    yield from large_report(folder)


def overhead(app: Path) -> Iterator[Row]:
    """Compare a scan in a container with `docker run` of the same image and arguments."""
    image, argv = planned(app, "ruff")
    bare = [
        "docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp",
        "--tmpfs", "/out", "-v", f"{app}:/src:ro", "-w", "/src", image, *argv,
    ]  # fmt: skip
    runs = rounds(
        {
            "bare": lambda: timed(lambda: subprocess.run(bare, capture_output=True, check=False)),
            "ours": lambda: scan(app, "ruff"),
        },
        MANY,
    )
    plain = statistics.median(runs["bare"])
    ours = statistics.median(run.step for run in runs["ours"])
    whole = statistics.median(run.wall for run in runs["ours"])
    detail = f"from start to report {ours:.2f} s : docker run {plain:.2f} s; {whole:.2f} s in all"
    yield Row("container overhead over docker run", ours - plain, 0.25, "s", detail)


def planned(app: Path, name: str) -> tuple[str, list[str]]:
    """Return the image and the arguments that scanrun runs a scanner with."""
    words = ["scan", name, str(app), "--engine", "docker", "--dry-run", "--json"]
    shown = subprocess.run([*SCANRUN, *words], capture_output=True, check=True).stdout
    (scanner,) = json.loads(shown)["scanners"]
    (step,) = scanner["steps"]
    return scanner["reference"], step["argv"]


def alike(app: Path) -> Iterator[Row]:
    """Compare a run of scanners that take about as long as each other with their sum."""
    runs = alone_and_together(app, ALIKE)
    wall, total = runs.pop("together"), sum(runs.values())
    detail = f"{wall:.1f} s; alone {shares(runs)}"
    yield Row("scanners that are alike : sum of each alone", wall / total, 0.7, "x", detail)


def dominated(app: Path) -> Iterator[Row]:
    """Compare a run in which one scanner takes longest with that one alone."""
    runs = alone_and_together(app, DOMINATED)
    wall = runs.pop("together")
    bound = 1.2 * max(runs.values()) + 1
    detail = f"{wall:.1f} s; alone {shares(runs)}"
    yield Row("one dominates : (1.2 x it alone + 1 s)", wall / bound, 1, "x", detail)
    peak = scan(app, *DOMINATED).peak_mb
    yield Row(f"memory of scanrun itself, {len(DOMINATED)} scanners", peak, 100, "MB", "")


def alone_and_together(app: Path, names: tuple[str, ...]) -> dict[str, float]:
    """Return the wall time of each scanner alone, and of all `together`."""
    work = {name: lambda name=name: scan(app, name).wall for name in names}
    runs = rounds({**work, "together": lambda: scan(app, *names).wall}, FEW)
    return {name: statistics.median(each) for name, each in runs.items()}


def shares(runs: dict[str, float]) -> str:
    """Return what each took."""
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in runs.items())


def large_tree(tree: Path) -> Iterator[Row]:
    """Send 20,000 files and 200 MB, once for two scanners."""
    tree.mkdir()
    for number in range(FILES):
        folder = tree / f"d{number // 500}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}.txt").write_bytes(b"a line of text\n" * (FILE_BYTES // 15))
    (tree / "a.py").write_text("one = 1\n")
    names = ("ruff", "bandit")
    alone = [scan(tree, name).wall for name in names]
    both = scan(tree, *names)
    detail = f"{both.wall:.1f} s; alone {' and '.join(f'{each:.1f} s' for each in alone)}"
    yield Row("20,000 files, 200 MB: memory of scanrun", both.peak_mb, 100, "MB", "")
    yield Row("the same: two scanners : sum of each alone", both.wall / sum(alone), 1, "x", detail)


def large_report(folder: Path) -> Iterator[Row]:
    """Convert and gate a Trivy report of 100,000 findings: processor time, start-up included."""
    report, log = folder / "trivy.json", folder / "log.sarif"
    convert_and_gate.write_report(report, FINDINGS)
    convert_and_gate.compile_modules(folder)
    convert = convert_and_gate.scanrun("convert", report, "--from", "trivy", "-o", log)
    gate = convert_and_gate.scanrun("gate", log, "--quiet")
    detail = f"convert {convert.cpu:.2f} s, gate {gate.cpu:.2f} s"
    both = convert.cpu + gate.cpu
    yield Row(f"convert and gate {FINDINGS} findings", both, convert_and_gate.BOUND_S, "s", detail)
    peak = max(convert.peak_mb, gate.peak_mb)
    yield Row("the same: memory", peak, convert_and_gate.BOUND_MB, "MB", "")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of scanrun took."""

    wall: float
    step: float
    """The longest scanner's own time, as the verdict tells it."""
    peak_mb: float


def scan(tree: Path, *names: str) -> Run:
    """Run scanners on the engine, and return what that took."""
    words = ["scan", ",".join(names), str(tree), "--engine", "docker", "--fail-on", "never"]
    wall, peak = command([*words, "--config", str(CONFIG), "--quiet"])
    verdict = json.loads((tree / ".scanrun" / "verdict.json").read_text())
    if verdict["status"] != "passed":
        raise SystemExit(f"not a run to measure: {verdict['reason']}")
    return Run(wall, max(each["duration_s"] for each in verdict["scanners"]), peak)


def command(words: list[str]) -> tuple[float, float]:
    """Run scanrun and return its wall time in seconds and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [*SCANRUN, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"scanrun {' '.join(words)}: {process.returncode}\n{said.decode()}")
    per_mb = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return time.perf_counter() - start, used.ru_maxrss / per_mb


def timed(work: Callable[[], object]) -> float:
    """Return how long `work` takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rounds(work: Mapping[str, Callable[[], Any]], times: int) -> dict[str, list[Any]]:
    """Do each in turn, and that so many times: what else the machine does then costs all alike."""
    found: dict[str, list[Any]] = {name: [] for name in work}
    for _ in range(times):
        for name, job in work.items():
            found[name].append(job())
    return found


if __name__ == "__main__":
    sys.exit(table(measured))
