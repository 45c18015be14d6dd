"""How one scanner's outputs become one SARIF run on disk: the verb is `convert_outputs`.

One pass: each rule and result is turned into JSON as it comes, cleaned, judged and put away.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from scanrun.contracts import HasConditions, Scanner
from scanrun.errors import ConversionError
from scanrun.model import CANARY_DIR, Condition, Notification, Outputs
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.codec import to_json
from scanrun.sarif.mask import Masker, clean_text, one_line
from scanrun.sarif.uri import decode_path, inside_tree
from scanrun.sarif.view import FINGERPRINT, category_of, severity_of, suppressed
from scanrun.sarif.writer import RunWriter
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.gate import Tally
from scanrun.stages.ignores import IgnoreComments
from scanrun.stages.triage import Triage

_MEND = "mend or uninstall the plugin"
_PLACES = ("locations", "relatedLocations")
_NO_TEXTS = frozenset({"ruleId", "kind", "level", "rank", *_PLACES})
"""What of a result is no text, or can't be masked: its rule or place would be lost."""
_PLACE_TEXTS = ("message", "logicalLocations")
"""What of a place is a text."""
_CONTAINERS = (dict, list)
_IDENTITIES = ("partialFingerprints", "fingerprints")
_LONGEST_IDENTITY = 1000
_ORDINAL = re.compile(r"[\w-]{1,80}:\d{1,3}")
"""A kind and its number, as results of detect-secrets are known by: like a password, but none."""
_JUDGED = ("name", "defaultConfiguration", "relationships")
_JUDGED_PROPERTIES = ("category", "security-severity")


@dataclass(slots=True)
class Converted:
    """What one pass over a scanner's outputs has seen."""

    tally: Tally = field(default_factory=Tally)
    canary_found: set[str] = field(default_factory=set)
    notifications: list[Notification] = field(default_factory=list)
    cwes: set[int] = field(default_factory=set)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of each rule what its results are judged by: the texts are the writer's."""


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
    seen, name, category = Converted(), scanner.name, scanner.category.value
    comments = IgnoreComments(scanner, outputs.snapshot, triage.today)
    for item in scanner.convert(outputs):
        if isinstance(item, Result):
            result = _placed(to_json(item))
            if planted and _is_canary(result, name, planted, seen):
                continue
            rule = seen.rules.get(result["ruleId"])
            # cleaned, two identities could be one
            result = fingerprinter.add(comments.mark(result, rule), name, rule)
            result = _cleaned(result, masker)
            result = triage.apply(result, name)
            seen.tally.count(
                severity_of(result, rule or {}),
                category_of(rule or {}, category),
                suppressed=suppressed(result),
            )
            writer.result(result)
        elif isinstance(item, Rule):
            _take_rule(item, writer, seen, masker)
        elif isinstance(item, Notification):
            seen.notifications.append(replace(item, text=masker.clean(item.text)))
        else:
            raise ConversionError(
                f"its converter gave {item!r:.80}, which is no result", hint=_MEND
            )
    return seen


def shown_conditions(scanner: Scanner, outputs: Outputs, masker: Masker) -> tuple[Condition, ...]:
    """Return what the tool's own server asks, in words that may be shown."""
    if not isinstance(scanner, HasConditions):
        return ()
    return tuple(
        replace(each, name=masker.clean(each.name), detail=masker.clean(each.detail))
        for each in scanner.conditions(outputs)
    )


def _take_rule(item: Rule, writer: RunWriter, seen: Converted, masker: Masker) -> None:
    made = to_json(item)
    # the id stays what its results name
    rule = masker.json(made) | {"id": one_line(made["id"])}
    if rule["id"] not in seen.rules:
        seen.rules[rule["id"]] = _judged(rule)
    targets = (each.get("target", {}) for each in rule.get("relationships", ()))
    seen.cwes.update(
        int(target["id"])
        for target in targets
        if target.get("toolComponent", {}).get("name") == "CWE"
    )
    writer.rule(rule)


def _judged(rule: dict[str, Any]) -> dict[str, Any]:
    """Return what of a rule its results are judged by."""
    given = rule.get("properties", {})
    kept = {key: rule[key] for key in _JUDGED if key in rule}
    return {**kept, "properties": {key: given[key] for key in _JUDGED_PROPERTIES if key in given}}


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
    result["ruleId"] = _id_line(result["ruleId"])
    for key in _PLACES:
        if key in result:
            result[key] = [_inside(each) for each in result[key]]
    return result


_id_line = lru_cache(8192)(one_line)


def _inside(place: dict[str, Any]) -> dict[str, Any]:
    physical = place["physicalLocation"]
    artifact = physical["artifactLocation"]
    uri = inside_tree(artifact["uri"])
    if uri == artifact["uri"]:
        return place
    artifact = {**artifact, "uri": uri}
    return {**place, "physicalLocation": {**physical, "artifactLocation": artifact}}


def _cleaned(result: dict[str, Any], masker: Masker) -> dict[str, Any]:
    """Return the result without secrets and escape sequences in its texts.

    Nearly all have none, which one look at all texts together tells.
    """
    texts = " ".join(_texts(result))
    if masker.harmless(texts) and (len(texts) <= _LONGEST_IDENTITY or _all_short(result)):
        return result
    done = {key: value if key in _NO_TEXTS else masker.json(value) for key, value in result.items()}
    for key in _PLACES:
        if key in done:
            done[key] = [_named(place, masker) for place in done[key]]
    return done | _identities(result, masker)


def _all_short(result: dict[str, Any]) -> bool:
    """Say whether no identity has to be cut."""
    given = (value for key in _IDENTITIES for value in result.get(key, {}).values())
    return all(len(str(value)) <= _LONGEST_IDENTITY for value in given)


def _identities(result: dict[str, Any], masker: Masker) -> dict[str, Any]:
    """Return what the result is known by, cleaned and cut; our own fingerprint is as it was."""
    done = {
        key: {name: _identity(each, masker) for name, each in result[key].items()}
        for key in _IDENTITIES
        if key in result
    }
    done["partialFingerprints"][FINGERPRINT] = result["partialFingerprints"][FINGERPRINT]
    return done


def _identity(value: Any, masker: Masker) -> Any:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        return masker.json(value)
    harmless = masker.harmless(_no_assignment(value))
    return clean_text(value if harmless else masker.clean(value), _LONGEST_IDENTITY)


def _no_assignment(identity: Any) -> Any:  # noqa: ANN401 - as above
    """Return what of an identity is to be looked at: an ordinal only looks like an assignment."""
    is_ordinal = isinstance(identity, str) and _ORDINAL.fullmatch(identity)
    return identity.replace(":", " ") if is_ordinal else identity


def _texts(result: dict[str, Any]) -> list[str]:
    """Return all texts in which there may be something to clean."""
    texts: list[str] = []
    for key, value in result.items():
        if key in _NO_TEXTS:
            continue
        if key in _IDENTITIES:
            ours = FINGERPRINT if key == "partialFingerprints" else ""
            _collect((_no_assignment(value[name]) for name in value if name != ours), texts)
        else:
            _collect((value,), texts)
    for key in _PLACES:
        for place in result.get(key, ()):
            for part in _PLACE_TEXTS:
                if part in place:
                    _collect(place[part], texts)
    return texts


def _collect(value: Any, texts: list[str]) -> None:  # noqa: ANN401 - any JSON value
    """Add all texts in `value`."""
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, str):
            texts.append(each)
        elif isinstance(each, _CONTAINERS):
            _collect(each, texts)


def _named(place: dict[str, Any], masker: Masker) -> dict[str, Any]:
    return place | {part: masker.json(place[part]) for part in _PLACE_TEXTS if part in place}
