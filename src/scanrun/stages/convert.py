"""How one scanner's outputs become one SARIF run on disk: the verb is `convert_outputs`.

One pass: each rule and result is turned into JSON as it comes, cleaned, judged and put away.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from scanrun.contracts import Scanner
from scanrun.errors import ConversionError
from scanrun.model import CANARY_DIR, Notification, Outputs
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.codec import to_json
from scanrun.sarif.mask import Masker
from scanrun.sarif.uri import decode_path
from scanrun.sarif.view import Finding
from scanrun.sarif.writer import RunWriter
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.gate import Tally
from scanrun.stages.triage import Triage

_TEXTS = ("message", "properties", "suppressions")
"""What of a result may quote the source. The place can't be masked, or it would be lost."""


@dataclass(slots=True)
class Converted:
    """What one pass over a scanner's outputs has seen."""

    tally: Tally = field(default_factory=Tally)
    canary_found: set[str] = field(default_factory=set)
    notifications: list[Notification] = field(default_factory=list)
    cwes: set[int] = field(default_factory=set)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)


def convert_outputs(
    scanner: Scanner,
    outputs: Outputs,
    writer: RunWriter,
    *,
    fingerprinter: Fingerprinter,
    triage: Triage,
    masker: Masker,
) -> Converted:
    """Write the scanner's rules and results to `writer`, and return what was seen.

    Raises:
        ConversionError: a report can't be read as the scanner's.
    """
    seen = Converted()
    for item in scanner.convert(outputs):
        if isinstance(item, Notification):
            seen.notifications.append(replace(item, text=masker.text(item.text)))
        elif isinstance(item, Rule):
            _take_rule(item, writer, seen)
        elif isinstance(item, Result):
            result = to_json(item)
            if _is_canary(result, scanner.name, seen):
                continue
            result |= {key: _masked(result[key], masker) for key in _TEXTS if key in result}
            result = fingerprinter.add(result, scanner.name, seen.rules.get(result["ruleId"]))
            result = triage.apply(result, scanner.name)
            finding = Finding.of(
                result, seen.rules, scanner=scanner.name, category=scanner.category.value
            )
            seen.tally.add(finding)
            writer.result(result)
        else:
            raise ConversionError(f"its converter gave {item!r:.80}, which is no result")
    return seen


def _take_rule(item: Rule, writer: RunWriter, seen: Converted) -> None:
    rule = to_json(item)
    seen.rules.setdefault(rule["id"], rule)
    targets = (each.get("target", {}) for each in rule.get("relationships", ()))
    seen.cwes.update(
        int(target["id"])
        for target in targets
        if target.get("toolComponent", {}).get("name") == "CWE"
    )
    writer.rule(rule)


def _is_canary(result: dict[str, Any], scanner: str, seen: Converted) -> bool:
    """Say whether the result is about a canary; note the scanner's own ones."""
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    path = decode_path(place["uri"])
    if path.startswith(f"{CANARY_DIR}/{scanner}/"):
        seen.canary_found.add(result["ruleId"])
    return path.startswith(f"{CANARY_DIR}/")


def _masked(value: Any, masker: Masker) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with every text in it masked."""
    if isinstance(value, str):
        return masker.text(value)
    if isinstance(value, dict):
        return {key: _masked(each, masker) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, masker) for each in value]
    return value
