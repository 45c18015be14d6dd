"""How a converter says a rule and a result, with all that consumers of SARIF look for.

The objects are sarif_om's; these two functions fill in what every rule and result needs, so that
a converter names only what its tool knows (see docs/sarif.md for what each consumer reads).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self

import sarif_om

from scanrun.model import Category, Severity
from scanrun.sarif.codec import plain
from scanrun.sarif.uri import encode_path

_SOURCE = "/src/"
CWE = re.compile(r"(?i)^(?:cwe[-: ]?)?0*(\d{1,5})$")


class Rule(sarif_om.ReportingDescriptor):  # type: ignore[misc]  # sarif_om has no types
    """A rule: SARIF's reportingDescriptor."""

    def with_score(self, score: float) -> Self:
        """Set the security-severity (0.0 to 10.0) and the level that goes with it."""
        _set_score(self, score)
        self.default_configuration = sarif_om.ReportingConfiguration(
            level=Severity.of_score(score).level
        )
        return self


class Result(sarif_om.Result):  # type: ignore[misc]
    """A result: one finding in one place.

    Most are written as they were made. So `result` leaves the JSON in one, and it becomes the
    objects of sarif_om only when somebody looks into it.
    """

    @classmethod
    def sealed(cls, json: dict[str, Any]) -> Self:
        """Return a result that is `json`, as `result` makes it."""
        made = cls.__new__(cls)
        made.__dict__["_json"] = json
        return made

    def sealed_json(self) -> dict[str, Any] | None:
        """Return the JSON it was made of; None where it has been looked into, or changed.

        The dict is the caller's; what is in it is not.
        """
        own = self.__dict__
        if "_json" not in own:
            return None
        if len(own) == 1:
            return dict(own["_json"])
        self._unseal()
        return None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as sarif_om's own
        if "_json" not in self.__dict__:
            raise AttributeError(name)
        self._unseal()
        return getattr(self, name)

    def _unseal(self) -> None:
        changed = {key: value for key, value in self.__dict__.items() if key != "_json"}
        json = self.__dict__.pop("_json")
        sarif_om.Result.__init__(self, **_arguments(json))
        self.__dict__.update(changed)

    def with_score(self, score: float) -> Self:
        """Set the security-severity (0.0 to 10.0), and the severity, level and rank with it."""
        _set_score(self, score)
        severity = Severity.of_score(score)
        self.properties["severity"] = severity.value
        self.level, self.rank = severity.level, round(score * 10, 1)
        return self

    def with_severity(self, severity: Severity) -> Self:
        """Set the severity, and the score that stands for its word."""
        self.with_score(severity.score)
        self.properties["severity"] = severity.value
        return self


def _set_score(item: Rule | Result, score: float) -> None:
    item.properties = {**(item.properties or {}), "security-severity": f"{score:.1f}"}


def rule(
    rule_id: str,
    *,
    short: str,
    severity: Severity,
    category: Category,
    name: str = "",
    full: str = "",
    help_text: str = "",
    help_markdown: str = "",
    help_uri: str = "",
    score: float | None = None,
    cwe: Iterable[str | int] = (),
    precision: str = "",
    tags: Iterable[str] = (),
) -> Rule:
    """Return a rule. `precision` is GitHub's word: `very-high`, `high`, `medium`, `low`.

    `score` is used where it lies in the band of `severity`; else the word's own score stands, so
    that level, score and severity never contradict each other.
    """
    numbers = cwe_numbers(cwe)
    properties: dict[str, Any] = {
        "category": category.value,
        "tags": _tags(numbers, ("security", category.value, *tags)),
    }
    if precision:
        properties["precision"] = precision
    made = Rule(
        id=rule_id,
        name=name or pascal_case(short),
        short_description=sarif_om.MultiformatMessageString(text=short or rule_id),
        full_description=sarif_om.MultiformatMessageString(text=full or short or rule_id),
        help=sarif_om.MultiformatMessageString(
            text=help_text or full or short or rule_id, markdown=help_markdown or None
        ),
        help_uri=help_uri or None,
        properties=properties,
        relationships=[_relationship(number) for number in numbers] or None,
    )
    return made.with_score(_fitting_score(severity, score))


def result(
    rule_id: str,
    message: str,
    *,
    path: str,
    severity: Severity,
    score: float | None = None,
    line: int | None = None,
    end_line: int | None = None,
    column: int | None = None,
    end_column: int | None = None,
    context: tuple[int, int] | None = None,
    markdown: str = "",
    component: str = "",
    component_kind: str = "package",
    identity: Mapping[str, str] | None = None,
    suppressed: str | None = None,
    kind: str = "fail",
    properties: Mapping[str, Any] | None = None,
) -> Result:
    """Return a result with exactly one location.

    `path` is relative to the scanned tree, not yet encoded. Lines and columns count from 1;
    without `line` the result is about the whole file and stands on line 1. `context` is the first
    and last line of the statement, where that is more than the place. `component` is what
    the place does not say (a package URL, a resource), `identity` what tells this finding from
    others when lines move (`packageIdentity/v1` -> text): without it the text of the line does.
    `suppressed` is the justification of a suppression in the source. Never pass source text on
    in a message: it may hold a secret.
    """
    place = _location(
        path, (line, end_line, column, end_column), context, component, component_kind
    )
    grade = _grade(severity, score)
    words: dict[str, Any] = {"text": message or rule_id}
    if markdown:
        words["markdown"] = markdown
    said = plain(properties) if properties else {}
    said["security-severity"] = grade.score
    said["severity"] = grade.word
    made: dict[str, Any] = {
        "ruleId": rule_id,
        "message": words,
        "kind": kind,
        "level": grade.level if kind == "fail" else "none",
        "locations": [place],
        "properties": said,
    }
    if kind == "fail":
        made["rank"] = grade.rank
    if identity:
        made["partialFingerprints"] = dict(identity)
    if suppressed is not None:
        made["suppressions"] = [{"kind": "inSource", "justification": suppressed}]
    return Result.sealed(made)


def location(
    path: str,
    *,
    line: int | None = None,
    end_line: int | None = None,
    column: int | None = None,
    end_column: int | None = None,
    context: tuple[int, int] | None = None,
    component: str = "",
    component_kind: str = "package",
) -> sarif_om.Location:
    """Return a place in the tree; the parameters are those of `result`."""
    return _location_object(
        _location(path, (line, end_line, column, end_column), context, component, component_kind)
    )


def _location(
    path: str,
    region: tuple[int | None, ...],
    context: tuple[int, int] | None,
    component: str,
    component_kind: str,
) -> dict[str, Any]:
    """Return a location's JSON. Reports name files as the container sees them."""
    line, end_line, column, end_column = region
    place: dict[str, Any] = {"startLine": line or 1}
    if end_line is not None:
        place["endLine"] = end_line
    if column is not None:
        place["startColumn"] = column
    if end_column is not None:
        place["endColumn"] = end_column
    physical = {"artifactLocation": _artifact(path), "region": place}
    if context:
        physical["contextRegion"] = {"startLine": context[0], "endLine": context[1]}
    if not component:
        return {"physicalLocation": physical}
    logical = {"fullyQualifiedName": component, "kind": component_kind}
    return {"physicalLocation": physical, "logicalLocations": [logical]}


@lru_cache(4096)
def _artifact(path: str) -> dict[str, str]:
    """Return a file's JSON, which many results share."""
    return {"uri": encode_path(path.removeprefix(_SOURCE)), "uriBaseId": "SRCROOT"}


def _arguments(json: Mapping[str, Any]) -> dict[str, Any]:
    """Return what sarif_om makes of a result's JSON, by its own names."""
    return {
        "rule_id": json["ruleId"],
        "message": sarif_om.Message(**json["message"]),
        "kind": json["kind"],
        "level": json["level"],
        "rank": json.get("rank", -1.0),
        "locations": [_location_object(each) for each in json["locations"]],
        "partial_fingerprints": json.get("partialFingerprints"),
        "suppressions": json.get("suppressions"),
        "properties": json["properties"],
    }


def _location_object(json: Mapping[str, Any]) -> sarif_om.Location:
    physical = json["physicalLocation"]
    artifact = physical["artifactLocation"]
    around = physical.get("contextRegion")
    return sarif_om.Location(
        physical_location=sarif_om.PhysicalLocation(
            artifact_location=sarif_om.ArtifactLocation(
                uri=artifact["uri"], uri_base_id=artifact["uriBaseId"]
            ),
            region=_region_object(physical["region"]),
            context_region=_region_object(around) if around else None,
        ),
        logical_locations=[
            sarif_om.LogicalLocation(
                fully_qualified_name=each["fullyQualifiedName"], kind=each["kind"]
            )
            for each in json.get("logicalLocations", ())
        ]
        or None,
    )


def _region_object(json: Mapping[str, int]) -> sarif_om.Region:
    return sarif_om.Region(
        start_line=json["startLine"],
        end_line=json.get("endLine"),
        start_column=json.get("startColumn"),
        end_column=json.get("endColumn"),
    )


def cwe_numbers(cwe: Iterable[str | int]) -> tuple[int, ...]:
    """Return the distinct CWE numbers in `cwe` (`CWE-79`, `79`, …); other words drop out."""
    found = (CWE.match(str(each).strip()) for each in cwe)
    return tuple(sorted({int(match[1]) for match in found if match and int(match[1])}))


def pascal_case(text: str) -> str:
    """Return a rule's name as SARIF wants it: `InsecureTempFile`."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word[:1].upper() + word[1:] for word in words)[:100] or "Rule"


class _Grade(NamedTuple):
    """How a severity and a score are said in SARIF."""

    word: str
    level: str
    score: str
    rank: float


@lru_cache(1024, typed=True)  # a severity equals its word, which is refused
def _grade(severity: Severity, score: float | None) -> _Grade:
    fitting = _fitting_score(severity, score)
    level = Severity.of_score(fitting).level
    return _Grade(severity.value, level, f"{fitting:.1f}", round(fitting * 10, 1))


def _fitting_score(severity: Severity, score: float | None) -> float:
    if not isinstance(severity, Severity):
        raise TypeError(f"severity {severity!r} is a word: say Severity.of_word({severity!r})")
    fits = score is not None and Severity.of_score(score) is severity
    return score if fits and score is not None else severity.score


def _tags(cwe: tuple[int, ...], tags: Iterable[str]) -> list[str]:
    named = [f"cwe-{number}" for number in cwe]
    return list(dict.fromkeys([*tags, *(f"external/cwe/cwe-{n:03d}" for n in cwe), *named]))[:20]


def _relationship(number: int) -> sarif_om.ReportingDescriptorRelationship:
    return sarif_om.ReportingDescriptorRelationship(
        kinds=["superset"],
        target={"id": str(number), "toolComponent": {"name": "CWE"}},
    )
