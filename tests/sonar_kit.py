"""A tree, a configuration and a SonarQube: what a scan on the real server needs."""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import requests

LEAN = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Half the processor's time for a small tree."""
EMPTY = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "good"}}, "results": []}]}
GOOD = f"""
[scanner.good]
image = "busybox:1.35"
stdout = true
args = ["echo", {json.dumps(json.dumps(EMPTY))}]
"""
CODE = """\
import hashlib


def digest(text):
    return hashlib.md5(text).hexdigest()


def short(text):
    return hashlib.sha1(text).hexdigest()  # NOSONAR: it is only a demo
"""
LIMIT_S = 900


class Project:
    """A project of its own on the server, and who may do what with it."""

    def __init__(self, server, key=None, **more):
        self.server, self.key = server, key or f"p-{uuid.uuid4().hex}"
        if more.pop("made", True):
            self.ask("projects/create", project=self.key, name=self.key, **more)

    def ask(self, path, **data):
        """Have the administrator change something."""
        user = (self.server.user, self.server.password)
        url = f"{self.server.url}/api/{path}"
        answer = requests.post(url, data=data, auth=user, timeout=60)
        assert answer.ok, answer.text
        return answer.json() if answer.content else {}

    def told(self, path, **params):
        """Return what the administrator is told."""
        user = (self.server.user, self.server.password)
        answer = requests.get(f"{self.server.url}/api/{path}", params=params, auth=user, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def token(self, **more):
        return self.server.token("USER_TOKEN", **more)

    def strict(self):
        """Have its quality gate ask for no issue."""
        name = f"strict-{uuid.uuid4().hex}"
        self.ask("qualitygates/create", name=name)
        more = {"metric": "violations", "op": "GT", "error": "0"}
        self.ask("qualitygates/create_condition", gateName=name, **more)
        self.ask("qualitygates/select", gateName=name, projectKey=self.key)
        return self

    def closed(self, *rights):
        """Take these rights in the project from all users who are not given them one by one."""
        for right in rights:
            more = {"groupName": "sonar-users", "projectKey": self.key, "permission": right}
            self.ask("permissions/remove_group", **more)
        return self

    def somebody(self, *rights):
        """Return the token of a new user who has these rights in the project, and no others."""
        login, password = f"u-{uuid.uuid4().hex}", "aA1!" + uuid.uuid4().hex
        self.ask("users/create", login=login, name=login, password=password)
        for right in rights:
            self.ask("permissions/add_user", login=login, projectKey=self.key, permission=right)
        data = {"name": "t", "type": "USER_TOKEN"}
        url = f"{self.server.url}/api/user_tokens/generate"
        answer = requests.post(url, data=data, auth=(login, password), timeout=60)
        assert answer.ok, answer.text
        return answer.json()["token"]


@dataclass
class Done:
    """What a run came to."""

    code: int
    out: str
    err: str
    output: Path

    @property
    def shown(self):
        return self.out + self.err

    @cached_property
    def verdict(self):
        return json.loads((self.output / "verdict.json").read_text())

    @cached_property
    def runs(self):
        log = json.loads((self.output / "results.sarif").read_text())
        return {run["tool"]["driver"]["name"]: run for run in log["runs"]}

    def of(self, name="sonar"):
        (found,) = (each for each in self.verdict["scanners"] if each["name"] == name)
        return found

    @property
    def results(self):
        return self.runs["SonarQube"]["results"]

    @property
    def answers(self):
        return self.output / "raw" / "sonar" / "answers"


@dataclass
class Tree:
    """A folder to scan, and how."""

    folder: Path
    files: dict = field(default_factory=lambda: {"app.py": CODE})

    def __post_init__(self):
        for name, text in self.files.items():
            path = self.folder / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @property
    def output(self):
        return self.folder / "tree" / ".scanrun"

    def config(self, options, *, token="", properties=None, more=GOOD):
        """Write the configuration; the token lies in a file."""
        (self.folder / "token").write_text(token)
        given = {"sonar.scanner.javaOpts": LEAN, **(properties or {})}
        pairs = (f"{json.dumps(name)} = {json.dumps(text)}" for name, text in given.items())
        lines = [
            "[sonar]",
            *(f"{name} = {json.dumps(value)}" for name, value in options.items()),
            f"properties = {{{', '.join(pairs)}}}",
            "[secret.SONAR_TOKEN]",
            f"file = {json.dumps(str(self.folder / 'token'))}",
            "[output]",
            'raw = "always"',
        ]
        (self.folder / "c.toml").write_text("\n".join(lines) + "\n" + more)

    def environment(self):
        """Return one in which a run writes only below the folder, and knows no token."""
        given = {k: v for k, v in os.environ.items() if not k.startswith(("SCANRUN_", "SONAR_"))}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return given | {
            "CI": "true",
            "SCANRUN_CACHE_DIR": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
            "TMPDIR": str(home),
        }

    def clear(self):
        """Have the caches cleared, and kept servers removed; return what is said of it."""
        command = [sys.executable, "-m", "scanrun", "cache", "clear"]
        done = subprocess.run(
            command, env=self.environment(), check=True, capture_output=True, text=True
        )
        return done.stdout

    def start(self, *arguments, names="sonar,good"):
        command = [sys.executable, "-m", "scanrun", "scan", names, str(self.folder / "tree")]
        return subprocess.Popen(
            [*command, "--config", str(self.folder / "c.toml"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
        )

    def until(self, process, text):
        """Read what a run says until it says `text`."""
        said = ""
        while text not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        return said

    def finish(self, process):
        out, err = process.communicate(timeout=LIMIT_S)
        return Done(process.returncode, out, err, self.output)

    def scan(self, *arguments, **more):
        return self.finish(self.start(*arguments, **more))
