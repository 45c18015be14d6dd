"""The real Dependency-Check, on a real engine, with the lab's small database."""

import json
import os
import threading
from contextlib import closing, suppress
from pathlib import Path

import docker
import pytest

from scanrun.cache import Cache
from scanrun.cli.app import run

pytestmark = [pytest.mark.docker, pytest.mark.lab]

PASSWORD = "c4n4ry" + "-of-the-mirror"
NAME = "dependency-check-db-5.6"


@pytest.fixture
def config(tmp_path, nvd_table):
    path = tmp_path / "lab.toml"
    path.write_text(nvd_table + 'nvd_datafeed_user = "me"\nnvd_datafeed_password = "MIRROR"\n')
    return path


class Watch(threading.Thread):
    """Keeps what the engine tells of every container of scanrun's, until it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = {}
        self.ended = threading.Event()

    def run(self):
        with closing(docker.APIClient()) as client:
            while not self.ended.wait(0.1):
                for each in client.containers(all=True, filters={"label": "scanrun.run"}):
                    with suppress(docker.errors.APIError):
                        found = client.inspect_container(each["Id"])
                        self.seen[each["Id"], found["State"]["Status"]] = json.dumps(found)
                        if found["State"]["Status"] == "running":
                            self.seen[each["Id"], "top"] = json.dumps(client.top(each["Id"]))


@pytest.fixture
def watch():
    watching = Watch()
    watching.start()
    yield watching
    watching.ended.set()
    watching.join()


def everything(*folders):
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in files)


def test_update_by_name_then_a_scan_without_a_network_and_a_secret_seen_nowhere(
    tmp_path, config, watch, monkeypatch, capfd
):
    monkeypatch.setenv("MIRROR", PASSWORD)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "package-lock.json").write_text(
        json.dumps(
            {"lockfileVersion": 3, "packages": {"node_modules/lodash": {"version": "4.17.20"}}}
        )
    )
    chosen = ["--engine", "docker", "--config", str(config)]

    updated = run(["cache", "update", NAME, *chosen])
    scanned = run(["scan", "dependency-check", str(tree), *chosen, "--offline", "-v"])

    (scanner,) = json.loads((tree / ".scanrun" / "verdict.json").read_text())["scanners"]
    said = capfd.readouterr()
    assert (updated, scanned) == (0, 1)
    assert f"updated {NAME}" in said.out
    assert scanner["status"] == "completed"
    assert scanner["version"] == "12.2.2"
    assert scanner["evidence"]["kinds"] == {"lock file": 1}
    assert any("odc.properties" in text for text in watch.seen.values())
    written = everything(tree / ".scanrun", Path(Cache.of(os.environ).root))
    assert PASSWORD.encode() not in written
    assert PASSWORD not in said.out + said.err + "".join(watch.seen.values())
