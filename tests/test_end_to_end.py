"""The example application on the real engine with the real tools, as a new user runs them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).parent.parent
APP = ROOT / "examples" / "vulnerable-app"

pytestmark = [pytest.mark.docker, pytest.mark.lab]


@pytest.fixture
def app(tmp_path):
    target = tmp_path / "app"
    shutil.copytree(APP, target, ignore=shutil.ignore_patterns(".scanrun"))
    return target


@pytest.fixture
def config(lab, tmp_path, nvd_table):
    """Return a configuration that only says where the lab's databases lie."""
    path = tmp_path / "lab.toml"
    tables = (
        f'[scanner.{name}]\ndb_repository = "{lab["db_repository"]}"\n'
        for name in ("trivy", "trivy-image")
    )
    path.write_text("".join(tables) + nvd_table)
    return path


def scanrun(*arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-m", "scanrun", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CI": "true", **(environment or {})},
    )


def saved(folder, name="results.sarif"):
    return json.loads((folder / ".scanrun" / name).read_text())


def rules(folder):
    return {
        run["tool"]["driver"]["name"].lower(): {each["ruleId"] for each in run["results"]}
        for run in saved(folder)["runs"]
    }


def left_on_engine(run_id):
    client = docker.from_env()
    try:
        filters = {"label": f"scanrun.run={run_id}"}
        return [
            *client.containers.list(all=True, filters=filters),
            *client.volumes.list(filters=filters),
            *client.networks.list(filters=filters),
        ]
    finally:
        client.close()


def test_gate_fails_for_the_right_reasons_in_containers(app, config):
    done = scanrun("all", app, "--engine", "docker", "--config", config, "--fail-on", "high")

    verdict = saved(app, "verdict.json")
    assert done.returncode == 1, done.stderr
    ended = {each["name"]: each["status"] for each in verdict["scanners"]}
    assert ended == {
        "bandit": "completed",
        "dependency-check": "completed",
        "detect-secrets": "completed",
        "sonar": "not-applicable",
        "trivy": "completed",
        "trivy-image": "not-applicable",
        "zap": "not-applicable",
        "zizmor": "completed",
    }, done.stdout
    found = rules(app)
    assert "CVE-2021-44906" in found["trivy"]
    assert "DS-0002" in found["trivy"]
    assert "B602" in found["bandit"]
    assert {"CVE-2021-44228", "CVE-2023-45857"} <= found["dependency-check"]
    assert "template-injection" in found["zizmor"]
    assert found["detect-secrets"]
    evidence = {each["name"]: each["evidence"] for each in verdict["scanners"]}
    proven = ("bandit", "dependency-check", "detect-secrets", "trivy", "zizmor")
    assert {evidence[name]["canary"] for name in proven} == {"found"}
    assert evidence["trivy"]["data_updated"]
    assert left_on_engine(verdict["run_id"]) == []


def test_both_engines_find_the_same(app):
    def prints(engine):
        scanrun("scan", "bandit,detect-secrets,zizmor", app, "--engine", engine)
        return {
            (
                run["tool"]["driver"]["name"],
                each["ruleId"],
                each["partialFingerprints"]["scanrun/v1"],
            )
            for run in saved(app)["runs"]
            for each in run["results"]
        }

    in_containers = prints("docker")

    assert in_containers == prints("local")
    assert len(in_containers) > 10


def test_same_tree_gives_the_same_bytes_but_for_times_and_ids(app, config):
    def log():
        scanrun("all", app, "--engine", "docker", "--config", config)
        text = (app / ".scanrun" / "results.sarif").read_text()
        text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME", text)
        return re.sub(r"database [^,\"]+ old", "database AGE", text)

    assert log() == log()


def test_image_is_scanned_by_name_and_as_an_archive(app, config, tmp_path):
    archive = tmp_path / "python.tar"
    with archive.open("wb") as stream:
        subprocess.run(["docker", "save", "python:3.11-slim"], stdout=stream, check=True)

    by_name = scanrun(
        "scan",
        "trivy-image",
        app,
        "--engine",
        "docker",
        "--config",
        config,
        "--image",
        "python:3.11-slim",
        "--json",
    )
    by_file = scanrun(
        "scan",
        "trivy-image",
        app,
        "--engine",
        "docker",
        "--config",
        config,
        "--image",
        archive,
        "--json",
    )

    first, second = json.loads(by_name.stdout), json.loads(by_file.stdout)
    assert first["scanners"][0]["evidence"]["canary"] == "found"
    assert first["counts"] == second["counts"]
    assert first["exit_code"] == second["exit_code"]


def test_image_that_is_nowhere_is_incomplete_and_the_others_are_kept(app, config):
    text = config.read_text() + '[scanner.bandit]\nimage = "scanrun.invalid/bandit:0"\n'
    config.write_text(text)

    done = scanrun(
        "scan",
        "bandit,zizmor",
        app,
        "--engine",
        "docker",
        "--config",
        config,
        "--fail-on",
        "never",
        "--pull",
        "never",
        "--json",
    )

    verdict = json.loads(done.stdout)
    assert (done.returncode, verdict["status"]) == (3, "incomplete")
    ended = {each["name"]: each["status"] for each in verdict["scanners"]}
    assert ended == {"bandit": "failed", "zizmor": "completed"}
    assert "template-injection" in rules(app)["zizmor"]


SLOW = '[scanner.slow]\nimage = "busybox:1.35"\nargs = ["sleep", "60"]\nstdout = true\n'


def test_deadline_is_incomplete_keeps_the_others_and_leaves_nothing(app, config):
    config.write_text(config.read_text() + SLOW + 'timeout = "2s"\n')

    done = scanrun(
        "scan",
        "slow,zizmor",
        app,
        "--engine",
        "docker",
        "--config",
        config,
        "--fail-on",
        "never",
        "--json",
    )

    verdict = json.loads(done.stdout)
    ended = {each["name"]: each["status"] for each in verdict["scanners"]}
    assert (done.returncode, ended) == (3, {"slow": "failed", "zizmor": "completed"})
    assert rules(app)["zizmor"]
    assert left_on_engine(verdict["run_id"]) == []


def test_ctrl_c_is_130_and_leaves_nothing(app, config):
    config.write_text(config.read_text() + SLOW)
    process = started_until("slow: running", "scan", "slow", app, "--config", config)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    verdict = saved(app, "verdict.json")
    assert (process.returncode, verdict["status"]) == (130, "interrupted")
    assert left_on_engine(verdict["run_id"]) == []


def started_until(line, *arguments):
    """Return a run on the engine as soon as it has printed `line`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scanrun", *map(str, arguments), "--engine", "docker"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "CI": "true"},
    )
    while line not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(1)  # from the word to the container there is a moment
    return process


def test_killed_run_leaves_incomplete_and_its_orphans_are_reaped(app, config):
    config.write_text(config.read_text() + SLOW)
    process = started_until("slow: running", "scan", "slow", app, "--config", config)

    process.send_signal(signal.SIGKILL)
    process.communicate()

    verdict = saved(app, "verdict.json")
    assert verdict["status"] == "incomplete"
    assert left_on_engine(verdict["run_id"])
    scanrun("scan", "zizmor", app, "--engine", "docker")
    assert left_on_engine(verdict["run_id"]) == []


def test_official_names_are_pulled_through_a_mirror(app, lab):
    done = scanrun(
        "scan",
        "zizmor",
        app,
        "--engine",
        "docker",
        "--pull",
        "always",
        "--json",
        environment={"SCANRUN_MIRROR": lab["mirror"]},
    )

    verdict = json.loads(done.stdout)
    (zizmor,) = verdict["scanners"]
    assert zizmor["status"] == "completed", done.stderr
    assert zizmor["digest"] == lab["images"]["ghcr.io/zizmorcore/zizmor:1.32.0"].partition("@")[2]


def test_lock_is_written_and_obeyed(app, lab):
    environment = {"SCANRUN_MIRROR": lab["mirror"]}

    locked = scanrun("lock", app, environment=environment)

    assert locked.returncode == 0, locked.stderr
    text = (app / "scanrun.lock").read_text()
    assert "ghcr.io/zizmorcore/zizmor:1.32.0" in text
    pinned = scanrun("scan", "zizmor", app, "--engine", "docker", "--json", environment=environment)
    (zizmor,) = json.loads(pinned.stdout)["scanners"]
    assert zizmor["digest"] in text
    (app / "scanrun.lock").write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, text))
    wrong = scanrun("scan", "zizmor", app, "--engine", "docker", "--json", environment=environment)
    assert wrong.returncode == 3
