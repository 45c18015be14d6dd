"""The lab's targets, and runs of scanrun against them.

`app_run` is all that most tests need: it scans an application that the lab's target image plays.
"""

import json
import os
import re
import subprocess
import sys
import threading
import uuid
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import docker
import pytest
import requests

LAB = Path(__file__).parent.parent / "lab"
TARGET = "scanrun-lab/target:1"
PORT = 8080
ELSEWHERE = 8081
"""Port of another site in the target's container, to which no scanner is to go."""
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("SCANRUN_")}
"""What all processes here get. Some are started from threads that outlive a test, and pytest
changes its own environment between two tests: `exec` fails when it meets such a change."""
_REQUEST = re.compile(r"request (\d+) ([A-Z]+) (\S+) '(.*)'")


@dataclass
class Scanned:
    """What a run against an application came to."""

    code: int
    said: str
    """All that was shown in the terminal."""
    output: Path
    scanner: str
    app_log: str = ""
    """What the application printed."""
    left: tuple = ()
    """Containers of the application that are still there."""

    @cached_property
    def verdict(self):
        return json.loads((self.output / "verdict.json").read_text())

    @property
    def of(self):
        """Return the verdict on the scanner."""
        (found,) = (each for each in self.verdict["scanners"] if each["name"] == self.scanner)
        return found

    @property
    def status(self):
        return self.of["status"]

    @property
    def problems(self):
        """Return everything that was held against the scan, in one text."""
        evidence = self.of.get("evidence") or {}
        reached = evidence.get("reached") or {}
        texts = [self.of.get("reason") or "", *evidence.get("problems", ())]
        return "\n".join([*texts, *reached.get("problems", ())])

    @cached_property
    def sarif(self):
        return json.loads((self.output / "results.sarif").read_text())

    @property
    def run(self):
        (found,) = self.sarif["runs"]
        return found

    @property
    def rules(self):
        """Return how many results each rule has."""
        return Counter(each["ruleId"] for each in self.run["results"])

    @property
    def notices(self):
        invocation = self.run["invocations"][0]
        told = invocation.get("toolExecutionNotifications", ())
        return [(each["level"], each["message"]["text"]) for each in told]

    @property
    def requests(self):
        """Return (port, method, host, target) of all requests that the application noted."""
        return _REQUEST.findall(self.app_log)

    @property
    def elsewhere(self):
        """Return the requests that did not go to the application."""
        return [each for each in self.requests if each[0] != str(PORT)]


@dataclass
class AppTree:
    """An empty tree, and a configuration with an application in it."""

    folder: Path
    files: dict = field(default_factory=dict)
    variables: dict = field(default_factory=dict)
    """More of the environment of its runs: pytest's own isn't handed on (ENVIRONMENT)."""

    def __post_init__(self):
        (self.folder / "tree").mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            path = self.folder / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def environment(self):
        """Return one in which a run writes only below the folder."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return ENVIRONMENT | {
            "CI": "true",
            "SCANRUN_CACHE_DIR": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
            "TMPDIR": str(home),
            **self.variables,
        }

    def start(self, scanner, app, *arguments, more=""):
        """Start a run with this `[app]` table, and `more` of a configuration."""
        lines = ["[app]", *(f"{name} = {toml(value)}" for name, value in app.items())]
        text = "\n".join([*lines, "[output]", 'raw = "always"', more, ""])
        (self.folder / "c.toml").write_text(text)
        command = [sys.executable, "-m", "scanrun", "scan", scanner, str(self.folder / "tree")]
        return subprocess.Popen(
            [*command, "--config", str(self.folder / "c.toml"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self.environment(),
        )

    def finish(self, process, scanner):
        said, _ = process.communicate(timeout=280)
        return Scanned(process.returncode, said, self.folder / "tree" / ".scanrun", scanner)


def toml(value):
    """Return a value as TOML writes it: a mapping as a table in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def scan_app(
    folder,
    mode="vuln",
    scanner="zap",
    *arguments,
    env=None,
    options=None,
    more="",
    replay="",
    variables=None,
    **app,
):
    """Scan the target of that mode, and return what came of it.

    `env` are more of its variables (THEN, AFTER, DELAY, TOKEN), `options` go into
    `[scanner.NAME]`, `more` is further configuration, `app` goes into `[app]` (`image=None` takes
    the target's image out), `replay` names a case that ZAP plays back, or a fault of it, and
    `variables` are more of the environment of scanrun itself.
    """
    options = {**(options or {}), **({"image": zap_image(replay)} if replay else {})}
    table = [f"[scanner.{scanner}]", *(f"{k} = {toml(v)}" for k, v in options.items())]
    mark = uuid.uuid4().hex
    modes = {"MODE": mode, "MARK": mark, **(env or {})}
    settings = {"image": TARGET, "port": PORT, "env": modes, **app}
    settings = {name: value for name, value in settings.items() if value is not None}
    tree = AppTree(folder, variables=variables or {})
    process = tree.start(scanner, settings, *arguments, more="\n".join([*table, more]))
    with following(mark) as log:
        scanned = tree.finish(process, scanner)
    scanned.app_log = b"".join(log).decode(errors="replace")
    with closing(docker.from_env()) as client:
        scanned.left = tuple(_marked(client, mark))
    return scanned


@contextmanager
def following(mark):
    """Give what the container with MARK in its environment prints, while it is there."""
    ended, log = threading.Event(), []
    with closing(docker.from_env()) as client:
        thread = threading.Thread(target=_follow, args=(client, mark, ended, log))
        thread.start()
        try:
            yield log
        finally:
            ended.set()
            thread.join()


def _follow(client, mark, ended, log):
    while not ended.is_set():
        with suppress(docker.errors.APIError, requests.RequestException):
            for each in _marked(client, mark, all=False):  # one that is yet to start has no end
                log.extend(each.logs(stream=True, follow=True))
                return
        ended.wait(0.1)


def _marked(client, mark, **which):
    found = client.containers.list(
        **{"all": True, **which}, filters={"ancestor": TARGET}, ignore_removed=True
    )
    return (each for each in found if f"MARK={mark}" in each.attrs["Config"]["Env"])


@pytest.fixture
def app_run(tmp_path):
    """Give `app_run(mode, scanner="zap", …)`, as `scan_app`."""
    runs = []

    def run(*words, **more):
        runs.append(words)
        return scan_app(tmp_path / f"run-{len(runs)}", *words, **more)

    return run


@cache
def zap_image(case):
    """Make the image whose ZAP plays back a case, or has a fault, and return its name."""
    command = [LAB / "zap-replay", case]
    return subprocess.check_output(command, text=True, env=ENVIRONMENT).strip()
