"""The whole program, as a process of its own, on a real engine on which something goes wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

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
LIMIT_S = 120


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
        ]
    finally:
        client.close()


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

    def finish(self, process):
        out, err = process.communicate(timeout=LIMIT_S)
        return Done(process.returncode, out, err, self.tree / ".scanrun")


def need_root(*programs):
    """Skip where the test's own engine, or disk, can't be had."""
    missing = [each for each in programs if shutil.which(each) is None]
    if os.geteuid() == 0 and not missing:
        return
    why = f"needs root and {', '.join(programs)}"
    if os.environ.get("SCANRUN_REQUIRE_ENGINE"):
        pytest.fail(why)
    pytest.skip(why)


def new_folder():
    """Return a folder with a short path: a socket's has 107 bytes at the most."""
    return Path(tempfile.mkdtemp(prefix="scanrun-engine-", dir="/var/tmp"))


class OwnEngine:
    """A dockerd beside the one that everybody uses, in a network of its own."""

    def __init__(self, folder, data=None):
        self.folder = folder
        self.data = data or folder / "data"
        self.host = f"unix://{folder}/docker.sock"
        self.process = None

    def start(self):
        folder = self.folder
        places = [
            "--data-root",
            self.data,
            "--exec-root",
            folder / "exec",
            "--pidfile",
            folder / "pid",
        ]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "dockerd", "--host", self.host, *places],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait()

    def wait(self):
        for _ in range(120):
            if self._docker("version", check=False).returncode == 0:
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.25)
        pytest.fail("the test's engine does not come up")

    def load(self, *images):
        """Copy images from the engine that everybody uses."""
        saved = subprocess.run(["docker", "save", *images], check=True, capture_output=True)
        self._docker("load", input=saved.stdout)

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        """Kill it; what it had started lives on, as it does when an engine crashes."""
        self._end(signal.SIGKILL)

    def remove(self):
        """Leave nothing: also what a killed engine left is ended by one that is stopped."""
        if self.process.poll() is not None:
            self.start()
        for container in self._docker("ps", "--all", "--quiet").stdout.split():
            self._docker("rm", "--force", container.decode(), check=False)
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _docker(self, *arguments, check=True, **more):
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, check=check, capture_output=True, **more)

    def _end(self, number):
        self.process.send_signal(number)
        self.process.wait(60)
