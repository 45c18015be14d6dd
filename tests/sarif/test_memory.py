"""That 100,000 results pass through in little memory, measured in processes of their own."""

import subprocess
import sys

import pytest

WRITE = """
import sys
from pathlib import Path
from scanrun.contracts import Driver
from scanrun.model import *
from scanrun.sarif import build
from scanrun.sarif.codec import to_json
from scanrun.sarif.run import run_head
from scanrun.sarif.writer import RunWriter, write_log
from scanrun.stages.fingerprint import Fingerprinter

folder = Path(sys.argv[1])
snapshot = Snapshot(root=folder)
fingerprinter = Fingerprinter(snapshot)
result = ScanResult(name="s", category="sca", status=Status.COMPLETED, findings=100_000)
with RunWriter(folder / "run.json") as writer:
    for n in range(2000):
        rule = build.rule(f"CVE-{n}", short="a flaw " * 9, severity=Severity.HIGH,
                          category=Category.SCA, full="a long text " * 40)
        writer.rule(to_json(rule))
    for n in range(100_000):
        made = build.result(f"CVE-{n % 2000}", "a package has a flaw " * 30, line=n + 1,
                            path=f"d/{n % 500}.lock", severity=Severity.LOW,
                            identity={"p/v1": f"pkg:x/{n}"})
        writer.result(fingerprinter.add(to_json(made), "s"))
    writer.finish(run_head(result, Driver("S"), run_id="r", snapshot=snapshot, cwes=()))
with (folder / "log.sarif").open("wb") as stream:
    write_log(stream, [folder / "run.json"])
"""
CONVERT = """
import sys
from pathlib import Path
from scanrun.sarif.codec import dumps, to_json
from scanrun.sarif.read import read_sarif

count = sum(len(dumps(to_json(each))) > 0 for each in read_sarif(Path(sys.argv[1]) / "log.sarif"))
assert count == 102_000, count
"""
GATE = """
import sys
from pathlib import Path
from scanrun.cli.app import run

code = run(["gate", sys.argv[1] + "/log.sarif", "--fail-on", "low"])
assert code == 1, code
"""
PEAK = """
import re
import resource
# Linux keeps ru_maxrss over exec: it would be the test runner's own peak
if sys.platform == "linux":
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) >> 10
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
print("PEAK", peak)
"""
LIMIT_MB = 300


def peak_mb(script, folder):
    done = subprocess.run(
        [sys.executable, "-c", script + PEAK, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("PEAK ")[2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("large")


def test_a_hundred_thousand_results_are_written_read_and_gated_in_little_memory(folder):
    peaks = {name: peak_mb(globals()[name], folder) for name in ("WRITE", "CONVERT", "GATE")}

    size_mb = (folder / "log.sarif").stat().st_size >> 20
    assert size_mb > 80
    assert max(peaks.values()) < LIMIT_MB, peaks
    assert peaks["WRITE"] < size_mb, "results were held in memory"
