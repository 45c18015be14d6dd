"""How a converter says a rule and a result, with all that consumers of SARIF look for.

The objects are sarif_om's; these two functions fill in what every rule and result needs, so that
a converter names only what its tool knows (see docs/sarif.md for what each consumer reads).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Self

import sarif_om

from scanrun.model import Category, Severity
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
    """A result: one finding in one place."""

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
    place = location(
        path,
        line=line,
        end_line=end_line,
        column=column,
        end_column=end_column,
        context=context,
        component=component,
        component_kind=component_kind,
    )
    made = Result(
        rule_id=rule_id,
        message=sarif_om.Message(text=message or rule_id, markdown=markdown or None),
        kind=kind,
        locations=[place],
        partial_fingerprints=dict(identity) if identity else None,
        suppressions=[{"kind": "inSource", "justification": suppressed}]
        if suppressed is not None
        else None,
        properties=dict(properties or {}),
    ).with_score(_fitting_score(severity, score))
    made.properties["severity"] = severity.value
    if kind != "fail":
        made.level, made.rank = "none", -1.0
    return made


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
    # reports name files as the container sees them
    artifact = sarif_om.ArtifactLocation(
        uri=encode_path(path.removeprefix(_SOURCE)), uri_base_id="SRCROOT"
    )
    region = sarif_om.Region(
        start_line=line or 1, end_line=end_line, start_column=column, end_column=end_column
    )
    around = context and sarif_om.Region(start_line=context[0], end_line=context[1])
    logical = [sarif_om.LogicalLocation(fully_qualified_name=component, kind=component_kind)]
    return sarif_om.Location(
        physical_location=sarif_om.PhysicalLocation(
            artifact_location=artifact, region=region, context_region=around
        ),
        logical_locations=logical if component else None,
    )


def cwe_numbers(cwe: Iterable[str | int]) -> tuple[int, ...]:
    """Return the distinct CWE numbers in `cwe` (`CWE-79`, `79`, …); other words drop out."""
    found = (CWE.match(str(each).strip()) for each in cwe)
    return tuple(sorted({int(match[1]) for match in found if match and int(match[1])}))


def pascal_case(text: str) -> str:
    """Return a rule's name as SARIF wants it: `InsecureTempFile`."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word[:1].upper() + word[1:] for word in words)[:100] or "Rule"


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
