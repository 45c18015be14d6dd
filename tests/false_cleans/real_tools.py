"""The real tools in a run of scanrun, and what a user is told of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from scanrun.sarif.uri import decode_path


class Run:
    """What one run of one scanner left behind."""

    def __init__(self, done, folder):
        self.code = done.returncode
        self.said = done.stdout + done.stderr
        self.verdict = json.loads((folder / "verdict.json").read_text())
        (self.scanner,) = self.verdict["scanners"]
        self.reason = self.scanner["reason"]
        log = json.loads((folder / "results.sarif").read_text())
        (run,) = log["runs"]
        self.results = [(each["ruleId"], path_of(each)) for each in run["results"]]
        rules = run["tool"]["driver"]["rules"]
        self.helps = {each["id"]: each.get("help", {}).get("text", "") for each in rules}
        self.suppressed = {
            (each["ruleId"], path_of(each)) for each in run["results"] if each["suppressions"]
        }
        (invocation,) = run["invocations"]
        notices = invocation.get("toolExecutionNotifications", ())
        self.notices = [(each["level"], each["message"]["text"]) for each in notices]

    @property
    def complete(self):
        return self.scanner["status"] == "completed" and self.code in {0, 1}

    def found(self, path):
        return {rule for rule, place in self.results if place == path}

    def lost(self, path):
        """Say whether the scan is incomplete for this file, which is named."""
        errors = [text for level, text in self.notices if level == "error"]
        missing = self.scanner["evidence"]["missing"]
        named = path in missing or any(path in text for text in errors)
        return named and self.scanner["status"] == "failed" and self.code in {1, 3}


def path_of(result):
    (place,) = result["locations"]
    return decode_path(place["physicalLocation"]["artifactLocation"]["uri"])


def tool(name):
    """Return the program beside this Python, as engine `local` would take it."""
    return str(Path(sys.executable).parent / name)


def lay_out(root, tree):
    for path, content in tree.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


_WITHOUT_POWERS = (
    "setpriv",
    "--inh-caps=-dac_override,-dac_read_search",
    "--bounding-set=-dac_override,-dac_read_search",
)
"""Root reads everything, whatever its mode; this root does not."""


def scan(
    name, root, folder, *options, args=(), engine="local", cwd=None, env=None, plain=False, table=""
):
    """Run `scanrun scan NAME` on the folder `root`; `args` are added to the tool's own.

    `plain`: without the powers that let root read what nobody may. `table`: the whole
    configuration, instead of `args`.
    """
    config = folder / "scanrun.toml"
    folder.mkdir(parents=True, exist_ok=True)
    told = f"[scanner.{name}]\nargs = {json.dumps(list(args))}\n" if args else ""
    config.write_text(table or told)
    words = [sys.executable, "-m", "scanrun", "scan", name, str(root), "--engine", engine]
    done = subprocess.run(
        [
            *(_WITHOUT_POWERS if plain and os.geteuid() == 0 else ()),
            *words,
            *("--pull", "never", "--config", str(config), "--output", str(folder / "out"), "-v"),
            *options,
        ],
        capture_output=True,
        check=False,
        cwd=cwd,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, **(env or {})},
    )
    return Run(done, folder / "out")
