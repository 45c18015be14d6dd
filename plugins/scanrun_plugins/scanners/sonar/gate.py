"""What the server's own quality gate says of an analysis."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import Struct

from scanrun.api import Condition, ConversionError, read_json
from scanrun_plugins.scanners.sonar.client import Client

Policy = Literal["required", "warn", "ignore"]
"""What the server's gate means for ours: it counts, it is told, it is nothing to us."""

_PASSED = "OK"
_WORDS = {"GT": "is greater than", "LT": "is less than"}


class Asked(Struct, rename="camel"):
    """One thing that the gate asks."""

    status: str
    metric_key: str
    comparator: str = ""
    error_threshold: str = ""
    actual_value: str = ""

    @property
    def passed(self) -> bool:
        """Say whether it is met; a word that nobody knows is not."""
        return self.status == _PASSED

    def __str__(self) -> str:
        verb = _WORDS.get(self.comparator, self.comparator)
        actual = self.actual_value or "without a value"
        if self.passed:
            return f"{self.metric_key} {actual} is all right"
        return f"{self.metric_key} {actual} {verb} {self.error_threshold}"


class _Status(Struct, rename="camel"):
    status: str
    conditions: list[Asked] = []
    ignored_conditions: bool = False


class GateAnswer(Struct, rename="camel"):
    """The answer of `qualitygates/project_status`."""

    project_status: _Status


@dataclass(frozen=True, slots=True)
class ServerGate:
    """The gate's word on one analysis, and on what it rests."""

    status: str
    """`OK`, `ERROR`, `NONE` (there is no gate); of old servers also `WARN`."""
    conditions: tuple[Asked, ...]
    ignored: bool = False
    """Conditions on new code were passed over, for there is too little of it."""

    @property
    def passed(self) -> bool:
        """Say whether it let the analysis through. No gate, or an unknown word, did not."""
        return self.status in {_PASSED, "WARN"}

    @property
    def detail(self) -> str:
        """Return what it found, as one clause."""
        if self.status == "NONE":
            return "the project has no quality gate on the server"
        broken = [str(each) for each in self.conditions if not each.passed]
        if self.passed and not self.conditions:
            return "the server's quality gate passed without a condition (a first analysis?)"
        if self.passed:
            count = len(self.conditions)
            little = "; some are not asked of so little new code" * self.ignored
            return (
                f"the server's quality gate passed ({count} condition{'s' * (count != 1)}{little})"
            )
        return f"the server's quality gate: {self.status}" + (
            f" ({'; '.join(broken)})" if broken else ""
        )


def fetch_gate(client: Client, analysis_id: str) -> bytes:
    """Return the server's answer on one analysis: a later one changes nothing in it."""
    return client.fetch("api/qualitygates/project_status", {"analysisId": analysis_id})


def read_gate(path: Path) -> ServerGate:
    """Return the gate's word in `gate.json`.

    Raises:
        ConversionError: it can't be read.
    """
    found = read_json(path, GateAnswer).project_status
    if not found.status:
        raise ConversionError(f"{path.name!r} holds no status of a quality gate")
    return ServerGate(found.status, tuple(found.conditions), found.ignored_conditions)


def conditions(gate: ServerGate, policy: Policy) -> tuple[Condition, ...]:
    """Return what the server's gate adds to ours. A required one that nobody set up has failed."""
    if policy == "ignore":
        return ()
    passed = gate.passed or policy == "warn"
    detail = gate.detail if gate.passed or not passed else f"{gate.detail}, which only warns"
    return (Condition("the server's quality gate", passed=passed, detail=detail),)
