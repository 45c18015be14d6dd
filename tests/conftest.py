"""Which tests can run here: those that need an engine or the lab are skipped without one.

With TEST_REQUIRE_ENGINE or TEST_REQUIRE_LAB set (as `.ci/run` does) such a skip is an error.
"""

import json
import os
from functools import cache
from pathlib import Path

import docker
import pytest
import requests

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
