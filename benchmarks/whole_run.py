"""What a whole run costs beside the scanners themselves, as ratios measured in one run.

Needs an engine and the lab (`make lab`): python benchmarks/whole_run.py
Prints one table: each measurement, the bound it is held to, and whether it held.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "examples" / "vulnerable-app"
CONFIG = ROOT / "lab" / "work" / "scanrun.toml"
ALONE = ("bandit", "detect-secrets", "trivy", "zizmor")
FILES, FILE_BYTES = 20_000, 10_000
FINDINGS = 100_000
TIMES = 5


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


def main() -> int:
    """Measure, print the table, and return 1 where a bound did not hold."""
    rows = []
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
    scan(app, *ALONE)  # databases and volumes are there from here on
    yield from side_by_side(app)
    yield overhead(app)
    yield from large_tree(folder / "large")
    yield from large_report(folder)


def side_by_side(app: Path) -> Iterator[Row]:
    """Compare a run of all with each scanner alone."""
    alone = {name: median(lambda name=name: scan(app, name).wall) for name in ALONE}
    together = [scan(app, *ALONE) for _ in range(TIMES)]
    wall = statistics.median(run.wall for run in together)
    slowest, total = max(alone.values()), sum(alone.values())
    shares = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in alone.items())
    yield Row("all : (1.2 x slowest alone + 1 s)", wall / (1.2 * slowest + 1), 1, "x", shares)
    yield Row("all : sum of all alone", wall / total, 0.7, "x", f"{wall:.1f} s : {total:.1f} s")
    peak = max(run.peak_mb for run in together)
    yield Row("memory of scanrun itself, four scanners", peak, 100, "MB", "")


def overhead(app: Path) -> Row:
    """Compare a scan in a container with `docker run` of the same image and arguments."""
    plan = subprocess.run(
        [sys.executable, "-m", "scanrun", "scan", "ruff", str(app), "--engine", "docker", "-v"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"docker: (\S+)[\s\S]*?\n    \S+: (.+)", plan.stderr + plan.stdout)
    if found is None:
        raise SystemExit(f"no plan:\n{plan.stderr}")
    image, argv = found[1], found[2].split()
    argv = [word for word in argv if not word.startswith("--output-file")]
    bare = [
        "docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp",
        "-v", f"{app}:/src:ro", "-w", "/src", image, *argv,
    ]  # fmt: skip
    plain = median(lambda: timed(lambda: subprocess.run(bare, capture_output=True, check=False)))
    ours = statistics.median(scan(app, "ruff").step for _ in range(TIMES))
    detail = f"scanner's time {ours:.2f} s : docker run {plain:.2f} s"
    return Row("container overhead over docker run", ours - plain, 0.25, "s", detail)


def large_tree(tree: Path) -> Iterator[Row]:
    """Send 20,000 files and 200 MB, once for two scanners."""
    tree.mkdir()
    for number in range(FILES):
        folder = tree / f"d{number // 500}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}.txt").write_bytes(b"a line of text\n" * (FILE_BYTES // 15))
    (tree / "a.py").write_text("one = 1\n")
    one, two = scan(tree, "ruff"), scan(tree, "ruff", "bandit")
    detail = f"{one.wall:.1f} s for one scanner, {two.wall:.1f} s for two"
    yield Row("20,000 files, 200 MB: memory of scanrun", two.peak_mb, 100, "MB", detail)
    yield Row("the same: a second scanner's share", two.wall / one.wall, 1.5, "x", "sent once")


def large_report(folder: Path) -> Iterator[Row]:
    """Convert and gate a Trivy report of 100,000 findings."""
    report, log = folder / "trivy.json", folder / "log.sarif"
    write_report(report)
    for words in (
        ["convert", str(report), "--from", "trivy", "-o", str(log)],
        ["gate", str(log), "-q"],
    ):
        seconds, peak = command(words)
        yield Row(f"{words[0]} {FINDINGS} findings: time", seconds, 3, "s", "")
        yield Row(f"{words[0]} {FINDINGS} findings: memory", peak, 300, "MB", "")


def write_report(path: Path) -> None:
    """Write a Trivy report of 2,000 advisories in 50 lock files."""
    per_file = FINDINGS // 50
    with path.open("w") as stream:
        stream.write('{"SchemaVersion":2,"ArtifactName":"/src","ArtifactType":"filesystem",')
        stream.write('"Results":[')
        for number in range(50):
            found = [vulnerability(number * per_file + each) for each in range(per_file)]
            section = {
                "Target": f"d{number}/package-lock.json",
                "Class": "lang-pkgs",
                "Type": "npm",
                "Vulnerabilities": found,
            }
            stream.write(("," if number else "") + json.dumps(section))
        stream.write("]}")


def vulnerability(number: int) -> dict[str, object]:
    """Return one vulnerability as Trivy writes it."""
    return {
        "VulnerabilityID": f"CVE-2024-{10000 + number % 2000}",
        "PkgName": f"package-{number}",
        "PkgIdentifier": {"PURL": f"pkg:npm/package-{number}@1.0.0", "UID": f"{number:x}"},
        "InstalledVersion": "1.0.0",
        "FixedVersion": "1.0.1",
        "Severity": "HIGH",
        "Title": "a flaw that lets a remote attacker do what should not be done",
        "Description": "A long description of what goes wrong. " * 10,
        "CweIDs": ["CWE-79"],
        "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}},
        "PrimaryURL": "https://example.org/advisory",
    }


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
        [sys.executable, "-m", "scanrun", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
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


def median(measure: Callable[[], float]) -> float:
    """Return the median of some measurements."""
    return statistics.median(measure() for _ in range(TIMES))


if __name__ == "__main__":
    sys.exit(main())
