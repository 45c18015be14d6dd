"""How runs and logs get onto disk: results one by one, a file whole or not at all."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from scanrun.sarif.codec import dumps
from scanrun.sarif.view import level_of

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
VERSION = "2.1.0"
_BLOCK = 1 << 16
"""Larger ones would take new memory from the system every time."""


class RunWriter:
    """Writes one run. Only the rules that have a result get into it, in order of first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._spool_path = path.with_name(f".{path.name}.results")
        self._known: dict[str, bytes] = {}
        self._used: dict[str, int] = {}
        self._count = 0

    def __enter__(self) -> Self:
        self._spool = _private(self._spool_path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spool.close()
        for path in (self._spool_path, self._part):
            path.unlink(missing_ok=True)

    def rule(self, rule: Mapping[str, Any]) -> None:
        """Take a rule; of several with the same id the first one counts."""
        self._known.setdefault(rule["id"], dumps(rule))

    def result(self, result: Mapping[str, Any]) -> None:
        """Put a result away. `suppressions` is filled in: SARIF wants it on all or on none."""
        rule_id = result["ruleId"]
        if rule_id not in self._known:
            self.rule(_minimal_rule(result))
        index = self._used.setdefault(rule_id, len(self._used))
        whole = {"suppressions": [], **result, "ruleIndex": index}
        self._spool.write((b",\n" if self._count else b"\n") + dumps(whole))
        self._count += 1

    def finish(self, head: Mapping[str, Any]) -> None:
        """Write the run: `head` is all of it but rules and results."""
        rules = [msgspec.Raw(self._known[rule_id]) for rule_id in self._used]
        driver = {**head["tool"]["driver"], "rules": rules}
        whole = {**head, "tool": {**head["tool"], "driver": driver}}
        self._spool.flush()
        with _private(self._part) as stream, self._spool_path.open("rb") as results:
            stream.write(dumps(whole).removesuffix(b"}") + b',"results":[')
            shutil.copyfileobj(results, stream, _BLOCK)
            stream.write(b"]}")
        self._part.replace(self._path)


def write_log(
    stream: IO[bytes], runs: Iterable[Path], properties: Mapping[str, Any] | None = None
) -> None:
    """Write a whole log to `stream`; each of `runs` is a file that a `RunWriter` finished."""
    stream.write(b'{"$schema":' + dumps(SCHEMA) + b',"version":' + dumps(VERSION))
    if properties:
        stream.write(b',"properties":' + dumps(properties))
    stream.write(b',"runs":[')
    for number, path in enumerate(runs):
        stream.write(b",\n" if number else b"\n")
        with path.open("rb") as run:
            shutil.copyfileobj(run, stream, _BLOCK)
    stream.write(b"]}\n")


def _private(path: Path) -> IO[bytes]:
    """Open a new file that only its owner reads: results are not masked twice."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(handle, "wb", buffering=_BLOCK)


def _minimal_rule(result: Mapping[str, Any]) -> dict[str, Any]:
    text = {"text": str(result["ruleId"])}
    return {
        "id": result["ruleId"],
        "shortDescription": text,
        "fullDescription": text,
        "help": text,
        "defaultConfiguration": {"level": level_of(result, {})},
    }
