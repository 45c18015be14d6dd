"""How one scanner's outputs become one SARIF run on disk: the verb is `convert_outputs`.

One pass: each rule and result is turned into JSON as it comes, cleaned, judged and put away.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from scanrun.contracts import Scanner
from scanrun.errors import ConversionError
from scanrun.model import CANARY_DIR, Notification, Outputs
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.codec import to_json
from scanrun.sarif.mask import Masker, clean_text, one_line
from scanrun.sarif.uri import decode_path, inside_tree
from scanrun.sarif.view import Finding
from scanrun.sarif.writer import RunWriter
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.gate import Tally
from scanrun.stages.ignores import IgnoreComments
from scanrun.stages.triage import Triage

_MEND = "mend or uninstall the plugin"
_PLACES = ("locations", "relatedLocations")
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
    planted: Collection[str] = (),
) -> Converted:
    """Write the scanner's rules and results to `writer`, and return what was seen.

    `planted` are the paths of the canaries in what it scanned: a result there is none.

    Raises:
        ConversionError: a report can't be read as the scanner's.
    """
    seen = Converted()
    comments = IgnoreComments(scanner, outputs.snapshot, triage.today)
    for item in scanner.convert(outputs):
        if isinstance(item, Notification):
            seen.notifications.append(replace(item, text=masker.clean(item.text)))
        elif isinstance(item, Rule):
            _take_rule(item, writer, seen, masker)
        elif isinstance(item, Result):
            result = _placed(to_json(item))
            if _is_canary(result, scanner.name, planted, seen):
                continue
            result = comments.mark(result, seen.rules.get(result["ruleId"]))
            result = _cleaned(result, masker)
            result = fingerprinter.add(result, scanner.name, seen.rules.get(result["ruleId"]))
            result = triage.apply(result, scanner.name)
            finding = Finding.of(
                result, seen.rules, scanner=scanner.name, category=scanner.category.value
            )
            seen.tally.add(finding)
            writer.result(result)
        else:
            raise ConversionError(
                f"its converter gave {item!r:.80}, which is no result", hint=_MEND
            )
    return seen


def _take_rule(item: Rule, writer: RunWriter, seen: Converted, masker: Masker) -> None:
    made = to_json(item)
    # the id stays what its results name
    rule = _clean(made, _cleaner(masker)) | {"id": one_line(made["id"])}
    seen.rules.setdefault(rule["id"], rule)
    targets = (each.get("target", {}) for each in rule.get("relationships", ()))
    seen.cwes.update(
        int(target["id"])
        for target in targets
        if target.get("toolComponent", {}).get("name") == "CWE"
    )
    writer.rule(rule)


def _is_canary(
    result: dict[str, Any], scanner: str, planted: Collection[str], seen: Converted
) -> bool:
    """Say whether the result is about a canary; note the scanner's own ones.

    Only what was planted counts: an image, or another tool's log, may hold a folder of that name.
    """
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    path = decode_path(place["uri"])
    if path in planted and path.startswith(f"{CANARY_DIR}/{scanner}/"):
        seen.canary_found.add(result["ruleId"])
    return path in planted


def _placed(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result with its rule's id on one line, and its places in the tree.

    A path that leaves the tree would be one that nobody scanned, or a way around the canaries.
    """
    result["ruleId"] = one_line(result["ruleId"])
    for key in _PLACES:
        for place in result.get(key, ()):
            artifact = place["physicalLocation"]["artifactLocation"]
            artifact["uri"] = inside_tree(artifact["uri"])
    return result


def _cleaned(result: dict[str, Any], masker: Masker) -> dict[str, Any]:
    """Return the result without secrets and escape sequences in its texts."""
    clean = _cleaner(masker)
    done = result | {key: _clean(result[key], clean) for key in _TEXTS if key in result}
    for place in (place for key in _PLACES for place in done.get(key, ())):
        if "logicalLocations" in place:
            place["logicalLocations"] = _clean(place["logicalLocations"], masker.clean)
    return done


def _cleaner(masker: Masker) -> Callable[[str], str]:
    return lambda text: masker.text(clean_text(text))


def _clean(value: Any, clean: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with every text in it cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _clean(each, clean) for key, each in value.items()}
    if isinstance(value, list):
        return [_clean(each, clean) for each in value]
    return value
