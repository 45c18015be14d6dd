"""What the long chains cost: SonarQube with a server of its own, Dependency-Check, Trivy.

Needs an engine and the lab (`make lab`): python benchmarks/chains.py
Prints one table as `whole_run.py` does, and the timeline of the run in which all go together.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from whole_run import APP, CONFIG, SCANRUN, Row, command, rounds, shares, table, timed

CHAINS = ("sonar", "dependency-check", "trivy")
MANY_ISSUES, MOST_ISSUES = 10_000, 30_000
MEGABYTES_AT_MOST = 200
FEW, MANY = 1, 5


def measured(folder: Path) -> Iterator[Row]:
    """Yield the rows, one measurement after the other."""
    app = folder / "app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns(".scanrun"))
    os.environ["SCANRUN_CACHE_DIR"] = str(folder / "cache")
    scan(app, "dependency-check,trivy")  # databases and volumes are there from here on
    yield from together(app)
    yield from kept(app)
    yield from overhead(app, folder)
    yield from many_issues(folder / "many", MANY_ISSUES)
    yield from many_issues(folder / "more", MOST_ISSUES)


def together(app: Path) -> Iterator[Row]:
    """Compare a run of all chains with the slowest alone, and print what went on in it."""
    alone = {name: lambda name=name: scan(app, name) for name in CHAINS}
    runs = rounds({**alone, "together": lambda: scan(app, ",".join(CHAINS))}, FEW)
    seconds = {name: statistics.median(each) for name, each in runs.items()}
    wall = seconds.pop("together")
    bound = 1.2 * max(seconds.values()) + 5
    detail = f"{wall:.1f} s; alone {shares(seconds)}"
    for line in timeline(verdict_of(app)):
        print(line)
    yield Row("all chains : (1.2 x the slowest alone + 5 s)", wall / bound, 1, "x", detail)


def timeline(verdict: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each phase of each scanner: when it began, and how long it took."""
    began = datetime.fromisoformat(verdict["started"])
    for scanner in verdict["scanners"]:
        for phase in scanner["phases"]:
            at = (datetime.fromisoformat(phase["started"]) - began).total_seconds()
            took = phase["duration_s"]
            yield f"  {at:7.1f} s  {took:7.1f} s  {scanner['name']}: {phase['name']}"


def kept(app: Path) -> Iterator[Row]:
    """Compare a second scan on a kept server with the first."""
    try:
        first, second = (scan(app, "sonar", mode="keep") for _ in range(2))
    finally:
        subprocess.run([*SCANRUN, "cache", "clear"], capture_output=True, check=True)
    detail = f"{second:.1f} s after {first:.1f} s"
    yield Row("second scan on a kept server : the first", second / first, 0.5, "x", detail)


def overhead(app: Path, folder: Path) -> Iterator[Row]:
    """Compare Dependency-Check's step with `docker run` of the same on the same database."""
    scan(app, "dependency-check")  # the cache was cleared with the server
    image, argv = planned(app)
    odc = folder / "odc"
    (current,) = (folder / "cache").glob("dependency-check-db-*/*/odc.mv.db")
    shutil.copytree(current.parent, odc / "data")
    (odc / "locks").mkdir()
    (odc / "odc.properties").touch()
    for each in (odc, *odc.rglob("*")):
        each.chmod(0o777)
    (folder / "out").mkdir(mode=0o777)
    (folder / "out").chmod(0o777)
    bare = [
        "docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp",
        "-v", f"{app}:/src:ro", "-v", f"{odc}:/odc", "-v", f"{folder / 'out'}:/out", image, *argv,
    ]  # fmt: skip
    runs = rounds(
        {
            "bare": lambda: timed(lambda: subprocess.run(bare, capture_output=True, check=False)),
            "ours": lambda: scan(app, "dependency-check") and longest(app),
        },
        MANY,
    )
    plain, ours = statistics.median(runs["bare"]), statistics.median(runs["ours"])
    detail = f"from start to report {ours:.2f} s : docker run {plain:.2f} s"
    yield Row("Dependency-Check over docker run", ours - plain, 1, "s", detail)


def planned(app: Path) -> tuple[str, list[str]]:
    """Return image and arguments of Dependency-Check's step, less what only our copy has."""
    words = ["scan", "dependency-check", str(app), "--dry-run", "--json", "--config", str(CONFIG)]
    shown = subprocess.run([*SCANRUN, *words], capture_output=True, check=True).stdout
    (scanner,) = json.loads(shown)["scanners"]
    (step,) = scanner["steps"]
    argv: list[str] = step["argv"]
    canary = next(n for n, word in enumerate(argv) if word.startswith("/src/."))
    return scanner["reference"], [*argv[: canary - 1], *argv[canary + 1 :]]


def many_issues(tree: Path, count: int) -> Iterator[Row]:
    """Have the server tell so many issues, and read them."""
    tree.mkdir()
    (tree / "many.py").write_text("a = 1\n" * count)
    issues = [
        {
            "ruleId": "R1",
            "effortMinutes": 1,
            "primaryLocation": {
                "message": f"issue {number}",
                "filePath": "many.py",
                "textRange": {"startLine": number + 1},
            },
        }
        for number in range(count)
    ]
    rule = {
        "id": "R1",
        "name": "A rule",
        "description": "What it is about.",
        "engineId": "bench",
        "cleanCodeAttribute": "CONVENTIONAL",
        "impacts": [{"softwareQuality": "SECURITY", "severity": "LOW"}],
    }
    (tree / "issues.json").write_text(json.dumps({"rules": [rule], "issues": issues}))
    config = tree.parent / f"{tree.name}.toml"
    config.write_text('[sonar.properties]\n"sonar.externalIssuesReportPaths" = "issues.json"\n')
    peak = command(words(tree, "sonar", config=config))[1]
    verdict = verdict_of(tree)
    (sonar,) = verdict["scanners"]
    if sonar["findings"] < count:
        raise SystemExit(f"only {sonar['findings']} of {count} issues came")
    (read,) = (each["duration_s"] for each in sonar["phases"] if each["name"] == "read")
    detail = f"{sonar['findings']} findings"
    if count == MANY_ISSUES:
        yield Row(f"{count:,} issues: analysed and read", read, 15, "s", detail)
    yield Row(f"{count:,} issues: memory of scanrun", peak, MEGABYTES_AT_MOST, "MB", detail)


def words(tree: Path, names: str, *, mode: str = "ephemeral", config: Path = CONFIG) -> list[str]:
    """Return the arguments of a scan that passes whatever it finds."""
    more = ["--fail-on", "never", "--quiet", "--engine", "docker", "--config", str(config)]
    return ["scan", names, str(tree), *more, "--sonar", mode]


def scan(tree: Path, names: str, *, mode: str = "ephemeral", config: Path = CONFIG) -> float:
    """Run scanners, and return the wall time in seconds."""
    wall, _ = command(words(tree, names, mode=mode, config=config))
    if verdict_of(tree)["status"] != "passed":
        raise SystemExit(f"not a run to measure: {verdict_of(tree)['reason']}")
    return wall


def longest(tree: Path) -> float:
    """Return the longest scanner's own time, as the verdict tells it."""
    return float(max(each["duration_s"] for each in verdict_of(tree)["scanners"]))


def verdict_of(tree: Path) -> dict[str, Any]:
    """Return the verdict of the last run."""
    found: dict[str, Any] = json.loads((tree / ".scanrun" / "verdict.json").read_text())
    return found


if __name__ == "__main__":
    sys.exit(table(measured))
