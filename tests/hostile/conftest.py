"""What tests with hostile trees, reports and outputs share: the command, run as a user runs it."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest


class Done:
    """What came of a run."""

    def __init__(self, process, tree):
        self.code = process.returncode
        self.out, self.err = process.stdout, process.stderr
        self.tree = Path(tree)

    @property
    def told(self):
        return self.out + self.err

    @property
    def verdict(self):
        return json.loads((self.tree / ".scanrun" / "verdict.json").read_text())

    @property
    def log(self):
        return json.loads((self.tree / ".scanrun" / "results.sarif").read_text())

    @property
    def ended(self):
        return {each["name"]: each["status"] for each in self.verdict["scanners"]}

    def places(self, scanner):
        """Return rule -> the paths, as bytes, of its findings."""
        found = {}
        for run in self.log["runs"]:
            if run["automationDetails"]["id"].startswith(f"scanrun/{scanner}/"):
                for result in run["results"]:
                    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
                    path = unquote_to_bytes(place["uri"])
                    found.setdefault(result["ruleId"], set()).add(path)
        return found


@pytest.fixture(scope="session")
def scanrun(tmp_path_factory):
    """Run the command; the tree is the last argument."""
    home = tmp_path_factory.mktemp("home")

    def run(*arguments, tree, environment=None, through=()):
        given = {key: value for key, value in os.environ.items() if not key.startswith("SCANRUN_")}
        given |= {"CI": "true", "HOME": str(home), "SCANRUN_CACHE_DIR": str(home / ".cache")}
        done = subprocess.run(
            [*through, sys.executable, "-m", "scanrun", *map(str, arguments), os.fsencode(tree)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            timeout=240,
            env={**given, **(environment or {})},
        )
        return Done(done, tree)

    run.home = home
    return run


@pytest.fixture(scope="session")
def all_below():
    """List what lies below a folder, with size and time of change."""

    def listed(root):
        found = {}
        for folder, folders, names in os.walk(os.fsencode(root)):
            for name in [*folders, *names]:
                path = folder + b"/" + name
                with suppress(OSError):  # too long a path
                    state = os.lstat(path)
                    found[path] = (state.st_size, state.st_mtime_ns, state.st_mode)
        return found

    return listed
