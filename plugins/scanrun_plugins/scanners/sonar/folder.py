"""The files in which what was read of a server lies until it is converted."""

from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct


class Names(StrEnum):
    """How the files are called. The summary is written last: without it the rest is half a job."""

    SERVER = "server.json"
    TASK = "task.json"
    MEASURES = "measures.json"
    GATE = "gate.json"
    COMPONENTS = "components.json"
    ISSUES = "issues.jsonl"
    HOTSPOTS = "hotspots.jsonl"
    RULES = "rules.jsonl"
    SUMMARY = "summary.json"


class Summary(Struct):
    """How many objects each file of lines holds, and what keeps them from being all there is."""

    issues: int
    hotspots: int
    rules: int
    problems: list[str]


class About(Struct):
    """`server.json`: whom the answers come from, and what was asked for."""

    version: str
    mode: str
    url: str
    project: str
    scope: dict[str, str]
    indexed: int | None = None


def write_json(path: Path, value: object) -> None:
    """Write a value; keys in a fixed order."""
    encoded = msgspec.json.encode(value, order="deterministic")
    path.write_bytes(msgspec.json.format(encoded, indent=1) + b"\n")
