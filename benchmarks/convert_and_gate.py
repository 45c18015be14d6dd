"""What 100,000 findings cost, command by command: processor time and memory, no scanner run.

One run prints one table: python benchmarks/convert_and_gate.py [FINDINGS]
The base of the ratios is what Python's own json takes to read and write the same report.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RULES, PACKAGES, PER_FILE = 2000, 3001, 200
FLAWS = (
    "prototype pollution",
    "regular expression denial of service",
    "heap buffer overflow in the parser of headers",
    "authentication bypass by a crafted token",
    "path traversal in an archive",
    "use after free while a connection is closed",
    "server-side request forgery",
    "private key is written to a log",
)
TEXT = "It lets a remote attacker who can send a request do what should not be done. "
BOUND_S, BOUND_MB = 3.0, 300
AS_A_TOOL = """
import json, sys
content = json.load(open(sys.argv[1]))
for run in content["runs"]:
    del run["properties"]
    for result in run["results"]:
        del result["partialFingerprints"]
json.dump(content, open(sys.argv[2], "w"), indent=1)
"""
"""In a process of its own: what a process has held counts as its children's peak, too."""
PLAIN = "import json,sys; json.dump(json.load(open(sys.argv[1])), open(sys.argv[2], 'w'))"


def main(count: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="scanrun-bench-") as name:
        folder = Path(name)
        size = write_report(folder / "trivy.json", count) / 1e6
        compile_modules(folder)
        print(f"{count} findings, {RULES} rules, {size:.0f} MB, Python {sys.version.split()[0]}")
        print(f"{'what':<36} {'CPU s':>7} {'ratio':>7} {'peak MB':>8}")
        plain = cost("-c", PLAIN, folder / "trivy.json", folder / "plain.json")
        rows = {"json.load and json.dump": plain, **dict(commands(folder))}
        for what, row in rows.items():
            print(f"{what:<36} {row.cpu:7.2f} {row.cpu / plain.cpu:7.2f} {row.peak_mb:8.0f}")
        both = rows["convert"].cpu + rows["gate"].cpu
        peak = max(rows["convert"].peak_mb, rows["gate"].peak_mb)
        print(f"convert and gate: {both:.2f} s of {BOUND_S:g}, {peak:.0f} MB of {BOUND_MB}")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    cpu: float
    peak_mb: float


def commands(folder: Path) -> Iterator[tuple[str, Cost]]:
    """Yield what each command costs; each works on what one before it wrote."""
    log, foreign = folder / "log.sarif", folder / "foreign.sarif"
    yield "convert", scanrun("convert", folder / "trivy.json", "--from", "trivy", "-o", log)
    yield "gate", scanrun("gate", log, "--quiet")
    yield "merge", scanrun("merge", log, "-o", folder / "merged.sarif")
    cost("-c", AS_A_TOOL, log, foreign)
    yield "convert a tool's SARIF", scanrun("convert", foreign, "-o", folder / "own.sarif")
    yield "gate a tool's SARIF", scanrun("gate", foreign, "--quiet")
    yield "merge a tool's SARIF", scanrun("merge", foreign, "-o", folder / "merged.sarif")


def compile_modules(folder: Path) -> None:
    """Have Python's modules compiled once, as those of an installed scanrun are."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    scanrun("gate", "--help")
    scanrun("convert", "--help")
    scanrun("plugins")


def scanrun(*arguments: str | Path) -> Cost:
    """Return what a command costs, start-up included. That the gate fails is no matter here."""
    return cost("-m", "scanrun", *arguments)


def cost(*arguments: str | Path) -> Cost:
    """Return what a Python process of its own costs."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{arguments[1]} {arguments[2]}: exit {process.returncode}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def write_report(path: Path, count: int) -> int:
    """Write a report as Trivy does, file by file, and return its size."""
    head = {"SchemaVersion": 2, "Trivy": {"Version": "0.66.0"}, "ArtifactName": "/src"}
    with path.open("w") as stream:
        stream.write(json.dumps(head)[:-1] + ', "Results": [')
        for start in range(0, count, PER_FILE):
            section = {
                "Target": f"services/app-{start // PER_FILE}/package-lock.json",
                "Class": "lang-pkgs",
                "Type": "npm",
                "Vulnerabilities": [vulnerability(n) for n in range(start, start + PER_FILE)],
            }
            stream.write(("," if start else "") + json.dumps(section, indent=2))
        stream.write("]}")
    return path.stat().st_size


def vulnerability(number: int) -> dict[str, Any]:
    """Return one vulnerability as Trivy writes it."""
    flaw, package = number % RULES, number % PACKAGES
    name, version = f"package-{package}", f"{package % 7}.{flaw % 13}.{number % 5}"
    return {
        "VulnerabilityID": f"CVE-2024-{10000 + flaw}",
        "VendorIDs": [f"GHSA-{flaw:04d}-abcd-efgh"],
        "PkgID": f"{name}@{version}",
        "PkgName": name,
        "PkgIdentifier": {"PURL": f"pkg:npm/{name}@{version}", "UID": f"{number:016x}"},
        "InstalledVersion": version,
        "FixedVersion": f"{package % 7}.{flaw % 13 + 1}.0",
        "Status": "fixed",
        "SeveritySource": "ghsa",
        "PrimaryURL": f"https://avd.aquasec.com/nvd/cve-2024-{10000 + flaw}",
        "Fingerprint": f"sha256:{number:064x}",
        "Title": f"{name}: {FLAWS[flaw % len(FLAWS)]} in function number {flaw}",
        "Description": f"A flaw was found in {name}. {TEXT * 4}",
        "Severity": ("CRITICAL", "HIGH", "MEDIUM", "LOW")[flaw % 4],
        "CweIDs": [f"CWE-{79 + flaw % 50}"],
        "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N", "V3Score": (9.8, 7.5, 5.3, 3.1)[flaw % 4]}},
        "References": [f"https://nvd.nist.gov/vuln/detail/CVE-2024-{10000 + flaw}"],
        "PublishedDate": "2024-05-01T10:15:00Z",
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
