"""Which tests can run here: those that need an engine or the lab are skipped without one.

With TEST_REQUIRE_ENGINE or TEST_REQUIRE_LAB set (as `.ci/run` does) such a skip is an error.
"""

import json
import os
import signal
import subprocess
import uuid
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest
import requests

pytest_plugins = ["pipeline_kit"]

# a shell that starts the tests in the background has them ignore it, and what they start as well
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)  # `nohup` holds for the tests alone

LAB_FILE = Path(__file__).parent.parent / "lab" / "work" / "lab.json"


@cache
def engine_problem() -> str:
    """Return why no engine can be used, or nothing."""
    try:
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except (docker.errors.DockerException, requests.RequestException) as error:
        return f"no container engine: {error}"
    return ""


def lab_problem() -> str:
    """Return why the lab can't be used, or nothing."""
    return engine_problem() or ("" if LAB_FILE.exists() else "no lab: run `make lab`")


def _require(needs: str, problem: str) -> None:
    if not problem:
        return
    if os.environ.get(f"TEST_REQUIRE_{needs}"):
        pytest.fail(f"TEST_REQUIRE_{needs} is set, and there is {problem}")
    pytest.skip(problem)


@pytest.fixture(autouse=True)
def _only_where_it_can_run(request):
    if request.node.get_closest_marker("docker"):
        _require("ENGINE", engine_problem())
    if request.node.get_closest_marker("lab"):
        _require("LAB", lab_problem())


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path_factory):
    """Keep the caller's settings out of the tests, and the tests out of the caller's cache."""
    for name in [each for each in os.environ if each.startswith("SCANRUN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCANRUN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def lab():
    """Return what lab/build says it has built (lab/work/lab.json)."""
    _require("LAB", lab_problem())  # set up before the fixture above is asked
    return json.loads(LAB_FILE.read_text())


@pytest.fixture(scope="session")
def nvd_table(lab):
    """Return a table of the configuration: Dependency-Check's data comes from the lab's files."""
    feed = lab["dependency_check"]["12.2.2"]["feed"]
    return (
        f'[scanner.dependency-check]\nnvd_datafeed = "{feed}"\nkev_url = "{feed}/kev.json"\n'
        f'retirejs_url = "{feed}/jsrepository.json"\n'
        f'hosted_suppressions_url = "{feed}/hosted-suppressions.xml"\n'
    )


@dataclass(frozen=True)
class WarmSonar:
    """A SonarQube that is up; its administrator is `admin`, with the same password."""

    url: str
    """Where this machine reaches it."""
    inside: str
    """Where containers reach it, from any network with a way out."""
    container: str
    user: str = "admin"
    password: str = "admin"

    def token(self, kind="GLOBAL_ANALYSIS_TOKEN", **more):
        """Make a token of the administrator's, and return it."""
        answer = requests.post(
            f"{self.url}/api/user_tokens/generate",
            data={"name": uuid.uuid4().hex, "type": kind, **more},
            auth=(self.user, self.password),
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()["token"]


@pytest.fixture(scope="session")
def warm_sonar(lab):
    """Give one server for all tests of the session: each makes projects of its own in it.

    TEST_SONAR_URL says where one runs already (`lab/sonar start NAME PORT`): that one is used, and
    left running.
    """
    command = LAB_FILE.parent.parent / "sonar"
    there = os.environ.get("TEST_SONAR_URL")
    name = publisher(urlsplit(there).port) if there else f"scanrun-test-sonar-{os.getpid()}"
    verb = "address" if there else "start"
    try:
        told = subprocess.run([command, verb, name], capture_output=True, text=True, check=False)
        if told.returncode:
            pytest.fail(f"lab/sonar {verb}: {told.stderr}")
        url, inside = told.stdout.split()
        yield WarmSonar(url, inside, name)
    finally:
        if not there:
            subprocess.run([command, "stop", name], check=True)


def publisher(port):
    """Return the name of the container that publishes `port`."""
    with closing(docker.from_env()) as client:
        (container,) = client.containers.list(filters={"publish": str(port)})
        return container.name
