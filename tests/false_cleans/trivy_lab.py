"""The real Trivy on the local engine, and what a user is told of what it did."""

import json
import os
import subprocess
import sys
from pathlib import Path

from scanrun.cache import Cache
from scanrun.sarif.uri import decode_path
from scanrun_plugins.scanners.trivy.databases import vulnerability_database

ROOT = Path(__file__).parent.parent.parent
_OBEYING = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
LAB_FILE = ROOT / "lab/work/lab.json"
sys.path.append(str(ROOT / "lab"))
import bolt  # noqa: E402 - the lab is no package
import vulndb  # noqa: E402 - as above


def database(folder, change=lambda buckets: None):
    """Write the lab's database as of now, changed by `change`; return the folder it lies in."""
    buckets = vulndb.buckets()
    change(buckets)
    written = vulndb.write(folder)
    (written / "trivy.db").write_bytes(bolt.dump(buckets))
    return written


class Answer:
    """What one run of scanrun left behind."""

    def __init__(self, code, folder, said):
        self.code = code
        self.said = said
        assert (folder / "verdict.json").exists(), said
        self.verdict = json.loads((folder / "verdict.json").read_text())
        self.scanner = self.verdict["scanners"][0]
        self.evidence = self.scanner["evidence"]
        self.runs = json.loads((folder / "results.sarif").read_text())["runs"]
        self.run = self.runs[0]
        notices = self.run["invocations"][0].get("toolExecutionNotifications", ())
        self.notices = [(each["level"], each["message"]["text"], path_of(each)) for each in notices]
        self.found = {(each["ruleId"], path_of(each)) for each in self.run["results"]}
        self.suppressed = {
            (each["ruleId"], path_of(each)) for each in self.run["results"] if each["suppressions"]
        }

    @property
    def complete(self):
        return self.scanner["status"] == "completed"

    @property
    def reason(self):
        return self.scanner["reason"]

    def found_in(self, path):
        return {rule for rule, place in self.found if place == path}

    def places(self, scanner):
        """Return where the scanner found anything."""
        named = (run for run in self.runs if run["tool"]["driver"]["name"] == scanner)
        return {path_of(each) for run in named for each in run["results"]}

    def told_of(self, path):
        return " ".join(text for level, text, place in self.notices if place == path)

    def told(self, words):
        """Say whether the log has a notification, or the evidence a sign, with these words."""
        notices = (text for _, text, _ in self.notices)
        return any(words in text for text in (*notices, *self.evidence["signs"]))

    def missing(self, path):
        return not self.complete and path in self.evidence["missing"]


def path_of(item):
    places = item.get("locations") or [{}]
    place = places[0].get("physicalLocation", {}).get("artifactLocation", {})
    return decode_path(place.get("uri", ""))


class TrivyLab:
    """Scans trees and images with an executable and a database of the lab's."""

    def __init__(self, programs, database, scratch):
        self.programs = programs
        self.database = database
        self.scratch = scratch
        self._count = 0

    def cache(self, folder=None):
        """Return a new cache that holds the database in `folder`."""
        cache = self.new_folder("cache")
        Cache(cache).put(vulnerability_database({"db_repository": ""}), folder or self.database)
        return cache

    def new_folder(self, name):
        self._count += 1
        folder = self.scratch / f"{name}-{self._count}"
        folder.mkdir()
        return folder

    def tree(self, files):
        root = self.new_folder("tree")
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    def scan(
        self,
        tree,
        *more,
        scanner="trivy",
        engine="local",
        config="",
        cache=None,
        obeying=False,
        meanwhile=lambda parent: None,
        **environment,
    ):
        """Scan a folder, or files (path -> content), and return an `Answer`.

        `obeying`: root, too, may read only what modes allow. `meanwhile` is called with the
        process that scans.
        """
        root = tree if isinstance(tree, Path) else self.tree(tree)
        out, cache = self.new_folder("out"), cache or self.cache()
        settings = self.new_folder("config") / "scanrun.toml"
        settings.write_text(config)
        argv = [sys.executable, "-m", "scanrun", "scan", scanner, str(root), "--offline"]
        options = ["--engine", engine, "--config", str(settings), "--output", str(out)]
        with subprocess.Popen(
            [*(_OBEYING if obeying and os.geteuid() == 0 else ()), *argv, *options, *more],
            env=os.environ
            | {
                "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
                "SCANRUN_CACHE_DIR": str(cache),
            }
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            meanwhile(running.pid)
            said, _ = running.communicate()
        return Answer(running.returncode, out, said)

    def docker_config(self, memory_mb):
        """Return a configuration for the docker engine, which keeps a step within its memory."""
        return f'[scanner.trivy]\nmemory = "{memory_mb}m"\n'
