"""`make quartet`: what reads the example's files and what scans it as it runs, in one run."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
APP = "examples/vulnerable-app"
QUARTET = ("sonar", "dependency-check", "trivy", "zap", "wapiti")
REFLECTED = "number"

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Quartet:
    """What the one run said and left."""

    out: str
    err: str
    verdict: dict
    log: dict

    def of(self, name):
        return next(each for each in self.verdict["scanners"] if each["name"] == name)

    def results(self, name):
        """Return the results of a scanner, as the log has them."""
        return [
            result
            for run in self.log["runs"]
            if run["automationDetails"]["id"].startswith(f"scanrun/{name}/")
            for result in run["results"]
        ]

    def spans(self, name):
        """Yield when each phase of a scanner began and ended."""
        for phase in self.of(name)["phases"]:
            start = datetime.fromisoformat(phase["started"])
            yield phase["name"], start, start + timedelta(seconds=phase["duration_s"])


@pytest.fixture(scope="module")
def quartet(lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quartet")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=_left_out)
    config = folder / "lab.toml"
    # the server with the data of a first start: it is up in a third of the time
    server = f'[scanner.sonar]\nserver_image = "{lab["sonarqube_warm"]}"\n'
    config.write_text(f"{(ROOT / 'lab/work/scanrun.toml').read_text()}\n{server}\n")
    environment = {name: value for name, value in os.environ.items() if "SCANRUN_" not in name}
    done = subprocess.run(
        [folder / "examples/demo.sh", BIN, "quartet"],
        env=environment
        | {
            "SCANRUN_CONFIG": str(config),
            "SCANRUN_CACHE_DIR": str(folder / "cache"),
            "SCANRUN_PULL": "never",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = folder / APP / ".scanrun"
    return Quartet(
        done.stdout,
        done.stderr,
        json.loads((results / "verdict.json").read_text()),
        json.loads((results / "results.sarif").read_text()),
    )


def _left_out(folder, names):
    return [name for name in names if name in {".scanrun", "__pycache__"}]


def test_make_quartet_builds_the_lab_before_it_scans():
    told = subprocess.run(
        ["make", "--dry-run", "quartet"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert 0 <= told.index("lab/build") < told.index("examples/demo.sh .venv/bin quartet")


def test_gate_fails_for_findings_and_nothing_is_incomplete(quartet):
    conditions = {each["name"]: each["passed"] for each in quartet.verdict["conditions"]}

    assert (quartet.verdict["status"], quartet.verdict["exit_code"]) == ("failed", 1)
    assert conditions["complete"], quartet.verdict["reason"]
    assert {quartet.of(name)["status"] for name in QUARTET} == {"completed"}
    assert "quartet: the gate failed (exit code 1), as it should" in quartet.out


def test_one_log_holds_what_each_has_found(quartet):
    rules = {name: {each["ruleId"] for each in quartet.results(name)} for name in QUARTET}

    assert {"CVE-2021-44906", "CVE-2021-44228"} <= rules["trivy"]
    assert {"CVE-2021-44228", "CVE-2020-11022"} <= rules["dependency-check"]
    assert all(rules.values()), rules


def test_parameter_that_comes_back_is_found_in_the_running_application(quartet):
    found = [
        result["message"]["text"]
        for name in ("zap", "wapiti")
        for result in quartet.results(name)
        if "/parcel" in json.dumps(result["locations"]) and REFLECTED in json.dumps(result)
    ]

    assert found


@pytest.mark.parametrize("name", ["zap", "wapiti"])
def test_scanner_of_the_running_application_has_proved_that_it_reached_it(quartet, name):
    reached = quartet.of(name)["evidence"]["reached"]

    assert reached["url"] == "http://app:8080/"
    assert reached["before"].startswith('200, "Parcel desk"')
    assert reached["before"] == reached["after"]
    assert reached["pages"] >= 6
    assert reached["others"] == []


def test_all_of_them_run_side_by_side(quartet):
    first_end = min(max(end for _, _, end in quartet.spans(name)) for name in QUARTET)
    starts = {name: min(start for _, start, _ in quartet.spans(name)) for name in QUARTET}

    assert max(starts.values()) < first_end, starts


def test_one_timeline_shows_them_in_the_terminal_as_in_the_verdict(quartet):
    _, _, shown = quartet.out.partition("\ntimeline, ")
    rows = shown.partition("\n\n")[0].splitlines()

    assert [name for name in QUARTET if not any(row.startswith(f"  {name} ") for row in rows)] == []
    for name, phase in (("sonar", "starting sonarqube"), ("zap", "probe-before")):
        assert phase in {each for each, _, _ in quartet.spans(name)}
        assert any(row.startswith(f"    {phase} ") for row in rows), shown


def test_nothing_is_left_on_the_engine(quartet):
    filters = {"label": f"scanrun.run={quartet.verdict['run_id']}"}

    with closing(docker.from_env()) as client:
        left = [
            *client.containers.list(all=True, filters=filters),
            *client.volumes.list(filters=filters),
            *client.networks.list(filters=filters),
        ]

    assert left == []
