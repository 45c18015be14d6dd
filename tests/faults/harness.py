"""The whole program, as a process of its own, on a real engine on which something goes wrong."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from scanrun_plugins.engines.docker.reaping import things

SARIF = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "good", "rules": [{"id": "KEPT"}]}},
            "results": [
                {
                    "ruleId": "KEPT",
                    "level": "note",
                    "message": {"text": "kept"},
                    "locations": [{"physicalLocation": {"artifactLocation": {"uri": "app.py"}}}],
                }
            ],
        }
    ],
}
ANSWER = json.dumps(SARIF)
QUOTED = f"printf %s '{ANSWER}'"
LIMIT_S = 280


def table(name, *args, **keys):
    """Return the table that declares a scanner made of a busybox."""
    keys = {"image": "busybox:1.35", "args": list(args), **keys}
    lines = (f"{key} = {json.dumps(value)}" for key, value in keys.items())
    return f"[scanner.{name}]\n" + "\n".join(lines) + "\n"


GOOD = table("good", "echo", ANSWER, stdout=True)
HERE = '[scanner.bandit]\nengine = "local"\n'
"""A scanner on this host, which an engine's end does not touch."""


def shell(name, line, **keys):
    return table(name, "sh", "-c", line, **keys)


def hung(name="bad", **keys):
    return table(name, "sleep", "600", **{"timeout": "90s", "stdout": True, **keys})


class Done:
    """What a run came to, and what a user sees of it. Read at once: a later run writes there."""

    def __init__(self, code, out, err, output):
        self.code, self.out, self.err, self.output = code, out, err, output
        self.verdict = _read(output / "verdict.json")
        self.log = _read(output / "results.sarif")

    @property
    def shown(self):
        return self.out + self.err

    @property
    def status(self):
        return {each["name"]: each["status"] for each in self.verdict["scanners"]}

    def reason(self, scanner="bad"):
        (found,) = (e["reason"] for e in self.verdict["scanners"] if e["name"] == scanner)
        return found

    @property
    def rules(self):
        return {each["ruleId"] for run in self.log["runs"] for each in run["results"]}


def _read(path):
    return json.loads(path.read_text()) if path.exists() else None


def left_behind(run_id, host=None):
    """Return what the engine still has of a run."""
    client = docker.DockerClient(base_url=host) if host else docker.from_env()
    try:
        filters = {"label": f"scanrun.run={run_id}"}
        return [
            *client.containers.list(all=True, filters=filters),
            *client.volumes.list(filters=filters),
            *client.networks.list(filters=filters),
            *(each for each in things(client.api, filters["label"]) if each.kind == "image"),
        ]
    finally:
        client.close()


def wait_for_container(host):
    """Wait until something runs there."""
    for _ in range(100):
        listed = subprocess.run(
            ["docker", "--host", host, "ps", "--quiet"], capture_output=True, check=True
        )
        if listed.stdout:
            return
        time.sleep(0.1)
    pytest.fail("nothing runs on the engine")


def assert_costs_only_itself(done, *words, kept="good", rule="KEPT", bad="bad", host=None):
    """Assert what every fault has to come to: incomplete, told, the others kept, nothing left."""
    assert done.code == 3, done.shown
    assert done.verdict["status"] == "incomplete"
    assert done.status.get(bad) == "failed", done.shown
    for word in words:
        assert word in done.reason(bad), done.reason(bad)
    assert f"incomplete: {bad}: " in done.shown
    assert "Traceback" not in done.shown
    assert done.status[kept] == "completed", done.reason(kept)
    assert rule in done.rules
    assert left_behind(done.verdict["run_id"], host) == []


@dataclass
class Program:
    """scanrun on a tree with a configuration."""

    tree: Path
    config: Path

    def command(self, arguments):
        # bandit's finding is no failure here: what fails is what is tested
        told = ["--config", str(self.config), "--fail-on", "never"]
        return [sys.executable, "-m", "scanrun", *map(str, arguments), str(self.tree), *told]

    def environment(self, more):
        return {**os.environ, "CI": "true", **{k: str(v) for k, v in more.items()}}

    def run(self, config, *arguments, output=None, **environment):
        self.config.write_text(config)
        done = subprocess.run(
            self.command(arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            env=self.environment(environment),
        )
        folder = output or self.tree / ".scanrun"
        return Done(done.returncode, done.stdout, done.stderr, folder)

    def start(self, config, *arguments, until="bad: running", **environment):
        """Start it, and return it as soon as it has said `until`."""
        self.config.write_text(config)
        process = subprocess.Popen(
            self.command(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(environment),
        )
        said = ""
        while until and until not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        time.sleep(1 if until else 0)  # from the word to the container there is a moment
        return process

    @property
    def run_id(self):
        """Return which run goes on in the tree, or was the last there."""
        return _read(self.tree / ".scanrun" / "verdict.json")["run_id"]

    def finish(self, process):
        out, err = process.communicate(timeout=LIMIT_S)
        return Done(process.returncode, out, err, self.tree / ".scanrun")


def need_root(*programs):
    """Skip where the test's own engine, or disk, can't be had."""
    missing = [each for each in programs if shutil.which(each) is None]
    if os.geteuid() == 0 and not missing:
        return
    why = f"needs root and {', '.join(programs)}"
    if os.environ.get("TEST_REQUIRE_ENGINE"):
        pytest.fail(why)
    pytest.skip(why)
