"""What a run came to is only what should have come out where every scanner had its say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def scanner(name, **more):
    return {"name": name, "status": "completed", "reason": "", "findings": 2} | {
        "counts": {"high": 2},
        **more,
    }


VERDICT = {
    "status": "failed",
    "exit_code": 1,
    "reason": "failed: 4 findings at high or above",
    "conditions": [{"name": "complete", "passed": True, "detail": "2 scanners completed"}],
    "scanners": [
        scanner("trivy"),
        scanner("zap"),
        scanner("checkov", status="not-applicable", findings=0, counts={}),
    ],
}
LOST = {
    "conditions": [{"name": "complete", "passed": False, "detail": "zap did not reach it"}],
    "scanners": [scanner("trivy"), scanner("zap", status="failed", reason="no answer", counts={})],
}


def came_out(tmp_path, **changes):
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps(VERDICT | changes))
    command = [sys.executable, ROOT / "examples/came_out.py", path, "trivy", "zap"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_failed_gate_with_findings_of_all_is_what_should_come_out(tmp_path):
    done = came_out(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["trivy", "completed", "2", "high"],
        ["zap", "completed", "2", "high"],
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (LOST, "zap did not reach it"),
        (LOST, "zap did not complete"),
        ({"scanners": [scanner("trivy")]}, "zap did not complete"),
        ({"scanners": [scanner("trivy"), scanner("zap", findings=0)]}, "zap found nothing"),
        ({"status": "passed", "exit_code": 0, "reason": "passed"}, "the gate did not fail: passed"),
    ],
    ids=["incomplete", "failed", "absent", "empty", "passed"],
)
def test_run_that_lost_something_is_not(tmp_path, changes, told):
    done = came_out(tmp_path, **changes)

    assert done.returncode == 1
    assert told in done.stderr
