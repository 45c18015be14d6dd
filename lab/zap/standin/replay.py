"""Plays back what a real ZAP printed, wrote and returned: ZAP_STANDIN_REPLAY names the case."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from standin import report
from standin.web import origin, port_of

CASES = Path(__file__).resolve().parent.parent / "cases"
FIRST_LINE = "Using the Automation Framework\n"
_COUNT = re.compile(r"^FAIL-NEW: (\d+)\t.*\tWARN-NEW: (\d+)\t.*\tPASS: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded run."""

    folder: Path

    @property
    def meta(self) -> dict[str, str]:
        """Return what is known of the run: its arguments and its exit code."""
        lines = (self.folder / "meta.txt").read_text().splitlines()
        return {name: value.strip() for name, _, value in (each.partition(":") for each in lines)}

    @property
    def exit_code(self) -> int:
        """Return how it ended."""
        return int(self.meta["exit"].split()[0])

    @property
    def stdout(self) -> str:
        """Return what it printed."""
        return (self.folder / "stdout.txt").read_text()

    @property
    def stderr(self) -> str:
        """Return what its script printed of its own."""
        return (self.folder / "stderr.txt").read_text()

    @property
    def of_baseline(self) -> bool:
        """Say whether the script began it and ZAP ran a plan for it."""
        return self.stdout.startswith(FIRST_LINE)

    @property
    def report(self) -> dict[str, Any] | None:
        """Return its report; None where it left none."""
        path = self.folder / "report.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def target(self) -> str:
        """Return the address that was scanned."""
        if named := re.search(r"-t (\S+)", self.meta["args"]):
            return named[1]
        return str((self.report or {"site": [{"@name": ""}]})["site"][0]["@name"])


def recorded() -> Case | None:
    """Return the case that is to be played back; None: there is none.

    Raises:
        ValueError: it was not recorded.
    """
    name = os.environ.get("ZAP_STANDIN_REPLAY", "")
    if not name:
        return None
    if name not in {each.name for each in CASES.iterdir()}:
        raise ValueError(f"ZAP_STANDIN_REPLAY={name}")
    return Case(CASES / name)


def play(case: Case, plan: Mapping[str, Any]) -> int:
    """Print and write what was recorded, with the plan's own target and report files."""
    jobs = plan["jobs"]
    target = str(next(iter(plan["env"]["contexts"][0]["urls"])))
    printed = at_target(case.stdout.removeprefix(FIRST_LINE), case, target)
    for job in jobs:
        parameters = job.get("parameters") or {}
        if job["type"] == "outputSummary" and (found := _COUNT.search(case.stdout)):
            counts = dict(zip(("fail", "warn", "pass"), map(int, found.groups()), strict=True))
            Path(parameters["summaryFile"]).write_text(json.dumps(counts))
        if job["type"] == "report" and case.report is not None:
            document = moved(case.report, case.target, target)
            document["created"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            document |= _plus(printed) if "plus" in parameters["template"] else {}
            path = Path(parameters["reportDir"]) / parameters["reportFile"]
            report.write(path, parameters["template"], document)
    print(printed, end="")
    return 0 if case.of_baseline else case.exit_code


def _plus(printed: str) -> dict[str, Any]:
    texts: dict[str, list[str]] = {"failures": [], "warnings": []}
    for title, block in re.findall(
        r"^Automation plan (\w+):\n((?:\t.*\n)+)", printed, re.MULTILINE
    ):
        texts[title] = [line[1:] for line in block.splitlines()]
    return {"afPlanErrors": texts["failures"], "afPlanWarns": texts["warnings"], "statistics": {}}


def at_target(text: str, case: Case, target: str) -> str:
    """Return text about the recorded target as text about another one."""
    for verb in ("access", "accessing"):
        text = text.replace(f"{verb} URL {case.target} ", f"{verb} URL {target} ")
    return text.replace(origin(case.target), origin(target))


def moved(document: dict[str, Any], recorded_at: str, target: str) -> dict[str, Any]:
    """Return a report with the target's origin in place of the recorded one."""
    old, new = origin(recorded_at), origin(target)
    text = json.dumps(document).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    made: dict[str, Any] = json.loads(text)
    for site in _sites(made, new):
        parts = urlsplit(new)
        ssl = str(parts.scheme == "https").lower()
        site |= {"@host": parts.hostname or "", "@port": str(port_of(new)), "@ssl": ssl}
    return made


def _sites(document: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    return (site for site in document["site"] if site["@name"] == name)
