"""What a stage sees of a result: one typed view, whoever wrote the log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from scanrun.model import Severity
from scanrun.sarif.untrusted import as_map, as_number
from scanrun.sarif.uri import decode_path

FINGERPRINT = "scanrun/v1"
"""Key of the fingerprint that every result carries."""
KINDS = frozenset({"notApplicable", "pass", "fail", "review", "open", "informational"})
_HARMLESS = frozenset({"notApplicable", "pass", "informational"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result, with what its rule adds."""

    scanner: str
    category: str
    rule_id: str
    severity: Severity
    score: float
    message: str
    uri: str
    path: str
    line: int | None
    rule_name: str = ""
    end_line: int | None = None
    kind: str = "fail"
    component: str = ""
    fix: str = ""
    help_uri: str = ""
    fingerprint: str = ""
    suppressed: bool = False
    justification: str = ""

    @classmethod
    def of(
        cls,
        result: Mapping[str, Any],
        rules: Mapping[str, Mapping[str, Any]],
        *,
        scanner: str,
        category: str = "",
    ) -> Self:
        """Return the view of a SARIF result. `rules`: rule id -> reportingDescriptor."""
        rule_id = str(result.get("ruleId") or "")
        rule = rule_of(result, rules)
        severity = severity_of(result, rule)
        uri, region = _place(result)
        return cls(
            scanner=scanner,
            category=category_of(rule, category),
            rule_id=rule_id,
            severity=severity,
            score=_score(result, rule, severity),
            message=_text(result.get("message")),
            uri=uri,
            path=decode_path(uri),
            line=_whole(region.get("startLine")),
            rule_name=str(rule.get("name") or ""),
            end_line=_whole(region.get("endLine")),
            kind=kind_of(result),
            component=_component(result),
            fix=str(_property(result, "fix") or ""),
            help_uri=str(rule.get("helpUri") or ""),
            fingerprint=str(as_map(result.get("partialFingerprints")).get(FINGERPRINT) or ""),
            suppressed=suppressed(result),
            justification=_justification(result),
        )

    @property
    def place(self) -> str:
        """Return where it is, for people: the address of a page, else the file and its line."""
        if self.component.startswith(("http://", "https://")):
            return self.component
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def words(self) -> str:
        """Return the message without the place, where it ends with that."""
        return self.message.removesuffix(f" at {self.place}")


def rule_of(result: Mapping[str, Any], rules: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the rule of a result; empty where there is none."""
    return rules.get(str(result.get("ruleId") or "")) or {}


def path_and_line(result: Mapping[str, Any]) -> tuple[str, int]:
    """Return where a result stands; 0 is no line."""
    uri, region = _place(result)
    return decode_path(uri), _whole(region.get("startLine")) or 0


def severity_of(result: Mapping[str, Any], rule: Mapping[str, Any]) -> Severity:
    """Return how bad a result is: the first of its sources that says anything at all.

    A source that says something nobody understands makes it `UNKNOWN`: to go on to the next
    would let a garbled "critical" pass as SARIF's default, a warning. Of level and rank the worse
    counts: neither is there to make the other harmless.
    """
    kind = kind_of(result)
    if kind in _HARMLESS:
        return Severity.INFO
    word = _property(result, "severity")
    if word is not None and word != "":
        return Severity.of_word(str(word))
    for item in (result, rule):
        score = _property(item, "security-severity")
        if score not in (None, ""):
            return _of_number(score, 1)
    told = [Severity.of_word(level) for level in _levels(result, rule, kind)]
    if result.get("rank") not in (None, -1):
        told.append(_of_number(result["rank"], 10))
    # SARIF's default is a warning; of what is still to be looked at nobody has said how bad it is
    default = Severity.MEDIUM if kind == "fail" else Severity.UNKNOWN
    return max(told, key=lambda severity: severity.score, default=default)


def _levels(result: Mapping[str, Any], rule: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Yield the level: the result's own, else its rule's. `none` says nothing of an open matter."""
    default = as_map(rule.get("defaultConfiguration")).get("level")
    found = [str(each) for each in (result.get("level"), default) if each]
    yield from [each for each in found if kind == "fail" or each != "none"][:1]


def level_of(result: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    """Return the level: the result's own, else its rule's, else SARIF's default."""
    return next(_levels(result, rule, "fail"), "warning")


def kind_of(result: Mapping[str, Any]) -> str:
    """Return the kind; a word that SARIF does not know counts as `fail`."""
    kind = result.get("kind")
    return kind if isinstance(kind, str) and kind in KINDS else "fail"


def suppressed(result: Mapping[str, Any]) -> bool:
    """Say whether a result is suppressed: none of its suppressions is rejected or under review."""
    found = result.get("suppressions")
    if not isinstance(found, list) or not found:
        return False
    return all(as_map(each).get("status", "accepted") == "accepted" for each in found)


def category_of(rule: Mapping[str, Any], default: str) -> str:
    """Return what kind of thing a rule is about; `default` where it does not say."""
    return str(_property(rule, "category") or default)


def _of_number(value: object, per_point: float) -> Severity:
    number = as_number(value)
    if number is None or not 0 <= number <= 10 * per_point:
        return Severity.UNKNOWN
    return Severity.of_score(number / per_point)


def _score(result: Mapping[str, Any], rule: Mapping[str, Any], severity: Severity) -> float:
    """Return the score that was given, where it does not contradict the severity."""
    for item in (result, rule):
        number = as_number(_property(item, "security-severity"))
        if number is not None and _of_number(number, 1) is severity:
            return number
    return severity.score


def _place(result: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    physical = as_map(as_map(_first(result.get("locations"))).get("physicalLocation"))
    uri = as_map(physical.get("artifactLocation")).get("uri")
    return (uri if isinstance(uri, str) else ""), as_map(physical.get("region"))


def _component(result: Mapping[str, Any]) -> str:
    logical = as_map(_first(as_map(_first(result.get("locations"))).get("logicalLocations")))
    return str(logical.get("fullyQualifiedName") or logical.get("name") or "")


def _justification(result: Mapping[str, Any]) -> str:
    return str(as_map(_first(result.get("suppressions"))).get("justification") or "")


def _text(message: object) -> str:
    found = as_map(message)
    return str(found.get("text") or found.get("markdown") or "")


def _property(item: Mapping[str, Any], name: str) -> object:
    return as_map(item.get("properties")).get(name)


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
