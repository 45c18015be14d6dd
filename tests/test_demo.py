"""`make demo` shows a gate that fails, for the right reasons, on both engines."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
APP = "examples/vulnerable-app"


@pytest.fixture
def demo(tmp_path):
    """Return a function that runs the demo on a copy, and gives what it said and left."""
    shutil.copytree(ROOT / APP, tmp_path / APP, ignore=shutil.ignore_patterns(".scanrun"))
    shutil.copy(ROOT / "examples/demo.sh", tmp_path / "examples")

    def run(**environment):
        done = subprocess.run(
            [tmp_path / "examples/demo.sh", BIN],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results = tmp_path / APP / ".scanrun"
        verdict = json.loads((results / "verdict.json").read_text())
        return done.stdout, verdict, json.loads((results / "results.sarif").read_text())

    return run


def rules(log, scanner):
    """Return the ids of all rules that a scanner of the log has results for."""
    return {
        result["ruleId"]
        for run in log["runs"]
        if scanner in run["tool"]["driver"]["name"].lower()
        for result in run["results"]
    }


def completed(verdict):
    return {each["name"] for each in verdict["scanners"] if each["status"] == "completed"}


def test_the_demo_fails_its_gate_without_containers(demo):
    told, verdict, log = demo(SCANRUN_ENGINE="local")

    assert "engine: local" in told
    assert (verdict["status"], verdict["exit_code"]) == ("failed", 1)
    assert completed(verdict) >= {"bandit", "detect-secrets", "zizmor"}
    assert "B602" in rules(log, "bandit")


@pytest.mark.lab
def test_the_demo_chooses_containers_and_fails_its_gate_in_them(demo):
    config = ROOT / "lab/work/scanrun.toml"

    told, verdict, log = demo(SCANRUN_CONFIG=str(config), SCANRUN_PULL="never")

    assert "engine: containers" in told
    assert (verdict["status"], verdict["exit_code"]) == ("failed", 1)
    assert completed(verdict) >= {"trivy", "bandit", "detect-secrets", "zizmor"}
    assert {"CVE-2021-44906", "CVE-2018-18074", "CVE-2021-44228"} <= rules(log, "trivy")


def test_the_demo_without_an_engine_says_why_and_scans_all_the_same(demo):
    told, verdict, _ = demo(DOCKER_HOST="unix:///nonexistent/docker.sock")

    assert "engine: local" in told
    assert "problem" in told
    assert verdict["status"] == "failed"


def test_the_quartet_without_a_lab_says_what_to_build(tmp_path):
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples/demo.sh", tmp_path / "examples")

    done = subprocess.run(
        [tmp_path / "examples/demo.sh", BIN, "quartet"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "run `make lab`" in done.stderr
