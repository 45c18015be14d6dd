"""The real Dependency-Check on the lab's data, and a server that gives that data badly."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BytesIO
from pathlib import Path

import docker

from scanrun.sarif.uri import decode_path

ROOT = Path(__file__).parents[3]
LIBRARIES = ROOT / "examples" / "vulnerable-app" / "lib"
NAME = "dependency-check-db-5.6"
DATABASE = "odc.mv.db"
OWNERS_LOCK = "odc.update.lock"
LOG4SHELL = "CVE-2021-44228"
LIMIT_S = 280

SERVER = """\
import http.server, pathlib, time

class Feed(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, how, name = self.path.split("/", 2)
        if how in ("403", "404"):
            return self.send_error(int(how))
        content = pathlib.Path("/feed", name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if how == "slow" and name.endswith(".gz"):
            for each in content:
                self.wfile.write(bytes((each,)))
                self.wfile.flush()
                time.sleep(1)
        elif how == "cut" and name.endswith(".gz"):
            self.wfile.write(content[: len(content) // 2])
        else:
            self.wfile.write(content)

    def do_CONNECT(self):
        print("CONNECT", self.path, self.headers.get("Proxy-Authorization"), flush=True)
        time.sleep(600)

http.server.ThreadingHTTPServer(("", 8000), Feed).serve_forever()
"""


class Server:
    """A web server in a container: `/good/`, `/slow/`, `/cut/`, `/403/`, `/404/`, and a proxy."""

    def __init__(self, name, feed):
        self.name = name
        mount = f"type=bind,source={feed},target=/feed,readonly"
        python = ("--entrypoint", "python3", "python:3.11-slim", "-u", "-c", SERVER)
        _run("docker", "run", "--detach", "--name", name, "--mount", mount, *python)
        _run(ROOT / "lab" / "door", "open", name, "8000")
        with closing(docker.from_env()) as client:
            networks = client.containers.get(name).attrs["NetworkSettings"]["Networks"]
        (self.host,) = (f"{each['IPAddress']}:8000" for each in networks.values())

    def feed(self, how):
        return f"http://{self.host}/{how}/nvdcve-{{0}}.json.gz"

    @property
    def log(self):
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, check=True)
        return (done.stdout + done.stderr).decode()

    def remove(self):
        _run(ROOT / "lab" / "door", "close", self.name, "8000")
        _run("docker", "rm", "--force", "--volumes", self.name)


def _run(*command):
    subprocess.run(command, check=True, capture_output=True)


def library(start="log4j-core"):
    (found,) = LIBRARIES.glob(f"{start}*.jar")
    return found.read_bytes()


def archive(files):
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return written.getvalue()


class Done:
    """What a run came to, and what a user sees of it. Read at once: a later run writes there."""

    def __init__(self, code, said, output):
        self.code, self.said = code, said
        verdict, log = output / "verdict.json", output / "results.sarif"
        self.verdict = json.loads(verdict.read_text()) if verdict.exists() else None
        self.log = json.loads(log.read_text()) if log.exists() else None

    @cached_property
    def scanner(self):
        (found,) = (e for e in self.verdict["scanners"] if e["name"] == "dependency-check")
        return found

    @property
    def status(self):
        return self.scanner["status"]

    @property
    def results(self):
        return [
            (
                each["ruleId"],
                decode_path(each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]),
                each["locations"][0]["physicalLocation"].get("region", {}).get("startLine"),
            )
            for run in self.log["runs"]
            for each in run["results"]
        ]

    def found(self, path):
        return {rule for rule, place, _ in self.results if place == path}

    def incomplete(self, *words):
        """Say whether it is so, for a reason in which these words stand, and no bug of ours."""
        reason = self.said if self.verdict is None else self.scanner["reason"] + self.said
        known = all(word in reason for word in words) and "Traceback" not in self.said
        return known and self.status == "failed" and self.code in {1, 3}


class Bench:
    """A tree, a configuration, and databases of its own."""

    def __init__(self, folder, feed):
        self.folder, self.feed = folder, feed
        self.tree, self.cache = folder / "tree", folder / "cache"
        self.tree.mkdir(parents=True)
        self.put({"log4j-core-2.14.1.jar": library()})
        self.environment = {}
        self.set()

    def put(self, files):
        for name, content in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def set(self, **options):
        """Write the configuration: all data from the lab's folder, but for what is said here."""
        said = {
            "nvd_datafeed": str(self.feed),
            "kev_url": f"{self.feed}/kev.json",
            "retirejs_url": f"{self.feed}/jsrepository.json",
            "hosted_suppressions_url": f"{self.feed}/hosted-suppressions.xml",
            **options,
        }
        lines = (f"{key} = {json.dumps(value)}\n" for key, value in said.items())
        table = "[scanner.dependency-check]\n" + "".join(lines)
        (self.folder / "scanrun.toml").write_text(table)

    @property
    def editions(self):
        return self.cache / NAME

    @property
    def edition(self):
        """Return the folder of the edition in force."""
        return self.editions / (self.editions / "current").read_text().strip()

    def aged(self, days):
        """Make the edition in force one of so many days ago, and due."""
        report = self.edition / "edition.json"
        made = json.loads(report.read_text())
        ago = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        for each in made["scanInfo"]["dataSource"]:
            each["timestamp"] = ago
        report.write_text(json.dumps(made))
        long_ago = time.time() - 86_400 * days
        os.utime(self.editions / "current", (long_ago, long_ago))

    def take(self, cache):
        """Hold a copy of another's databases."""
        shutil.copytree(cache, self.cache)

    def command(self, *arguments):
        prefix = (sys.executable, "-m", "scanrun", *arguments)
        return [*prefix, "--engine", "docker", "--config", str(self.folder / "scanrun.toml")]

    def variables(self):
        given = {k: v for k, v in os.environ.items() if not k.startswith(("SCANRUN_", "NVD_"))}
        (self.folder / "tmp").mkdir(exist_ok=True)
        own = {"CI": "true", "SCANRUN_CACHE_DIR": self.cache, "TMPDIR": self.folder / "tmp"}
        return given | {name: str(value) for name, value in own.items()} | self.environment

    def start(self, *arguments):
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.variables(),
        )

    def start_scan(self, *arguments, output=None):
        where = str(output or self.tree / ".scanrun")
        command = ("scan", "dependency-check", str(self.tree), "-v", "--output", where)
        return self.start(*command, *arguments)

    def start_update(self):
        return self.start("cache", "update", NAME, "--force")

    def finish(self, process, output=None):
        said, _ = process.communicate(timeout=LIMIT_S)
        return Done(process.returncode, said, output or self.tree / ".scanrun")

    def scan(self, *arguments):
        return self.finish(self.start_scan(*arguments))

    def update(self):
        return self.finish(self.start_update())


def containers_of(process):
    """Return the containers that a process of scanrun's has on the engine."""
    with closing(docker.from_env()) as client:
        found = client.containers.list(all=True, filters={"label": "scanrun.owner"})
        return [each for each in found if f":{process.pid}:" in each.labels["scanrun.owner"]]


def running(process):
    """Wait until a process of scanrun's has a container that runs, and return it."""
    for _ in range(300):
        for each in containers_of(process):
            if each.status == "running":
                return each
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.1)
    raise AssertionError("nothing runs on the engine")


def asked(server, what):
    """Wait until the server has been asked for this."""
    for _ in range(600):
        if what in server.log:
            return
        time.sleep(0.1)
    raise AssertionError(server.log)
