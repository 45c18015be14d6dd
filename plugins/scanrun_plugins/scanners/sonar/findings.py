"""How an issue, a hotspot or a rule of the server becomes a result or a rule."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from scanrun.api import Category, Result, Rule, Severity, result, rule
from scanrun_plugins.scanners.sonar.about import Mode
from scanrun_plugins.scanners.sonar.answers import Hotspot, Issue, RuleText, Section
from scanrun_plugins.scanners.sonar.places import Places, column
from scanrun_plugins.scanners.sonar.prose import to_markdown, to_text
from scanrun_plugins.scanners.sonar.severity import Kind, kind_of, of_probability, severity_of

LONGEST = 1000
_LONGEST_HELP = 6000
_CWE = re.compile(r"cwe\.mitre\.org/data/definitions/(\d{1,5})")
_FORMER = "former-hotspot"
_SECTIONS = ("introduction", "root_cause", "assess_the_problem", "how_to_fix", "resources")
_TITLES = {
    "root_cause": "Why is this an issue?",
    "assess_the_problem": "What is the risk?",
    "how_to_fix": "How to fix it",
    "resources": "Resources",
}
_CATEGORIES = {
    "secrets": Category.SECRET,
    **dict.fromkeys(
        ("azureresourcemanager", "cloudformation", "docker", "kubernetes", "terraform", "ansible"),
        Category.IAC,
    ),
}
_SET_ASIDE = {
    "FALSE_POSITIVE": "a false positive",
    "FALSE-POSITIVE": "a false positive",
    "ACCEPTED": "accepted",
    "WONTFIX": "accepted",
    "FIXED": "fixed",
    "REMOVED": "removed",
    "SAFE": "safe",
}


@dataclass(frozen=True, slots=True)
class Context:
    """What a finding needs to know besides itself."""

    places: Places
    mode: Mode = Mode.UNKNOWN
    counted: frozenset[Kind] = frozenset()
    """Kinds that count besides vulnerabilities and hotspots."""
    url: str = ""
    """Where people see the server; empty: nobody does."""
    project: str = ""
    scope: Mapping[str, str] | None = None

    def counts(self, kind: Kind) -> bool:
        """Say whether findings of this kind are the gate's business."""
        return kind in {Kind.VULNERABILITY, Kind.HOTSPOT} or kind in self.counted

    def link(self, page: str, key: str, parameter: str) -> str:
        """Return the address of the page on which the server shows a finding."""
        if not self.url or not self.project:
            return ""
        query = {"id": self.project, **(self.scope or {}), parameter: key}
        return f"{self.url}/{page}?{urlencode(query)}"


def issue_result(issue: Issue, context: Context) -> Result:
    """Return the result for an issue. One that does not count is kept as `informational`."""
    kind = kind_of(issue)
    severity = severity_of(issue, context.mode)
    link = context.link("project/issues", issue.key, "open")
    made = _placed(
        issue,
        issue.rule,
        context,
        severity=severity,
        kind="fail" if context.counts(kind) else "informational",
        properties=_given(
            type=kind.value,
            serverSeverity=severity.value,
            impacts=[f"{each.software_quality} {each.severity}" for each in issue.impacts],
            effort=issue.effort,
            formerHotspot=_FORMER in issue.tags,
            issueStatus=issue.issue_status or issue.status,
            url=link,
        ),
    )
    return _finished(made, "sonarIssue/v1", issue.key, link, _aside_issue(issue))


def hotspot_result(hotspot: Hotspot, context: Context) -> Result:
    """Return the result for a hotspot: to be reviewed, unless somebody has called it a risk."""
    link = context.link("security_hotspots", hotspot.key, "hotspots")
    acknowledged = hotspot.resolution == "ACKNOWLEDGED"
    made = _placed(
        hotspot,
        hotspot_rule_id(hotspot),
        context,
        severity=of_probability(hotspot.vulnerability_probability),
        kind="fail" if acknowledged else "review",
        properties=_given(
            type=Kind.HOTSPOT.value,
            vulnerabilityProbability=hotspot.vulnerability_probability,
            securityCategory=hotspot.security_category,
            issueStatus=hotspot.resolution or hotspot.status,
            url=link,
        ),
    )
    aside = ""
    if hotspot.status == "REVIEWED" and hotspot.resolution in {"SAFE", "FIXED"}:
        aside = f"reviewed on the server as {_SET_ASIDE[hotspot.resolution]}"
    return _finished(made, "sonarHotspot/v1", hotspot.key, link, aside)


def hotspot_rule_id(hotspot: Hotspot) -> str:
    """Return the rule; servers before 9.7 name only the category."""
    return hotspot.rule_key or f"hotspot:{hotspot.security_category or 'others'}"


def rule_of(text: RuleText, context: Context) -> Rule:
    """Return a rule with its description as help."""
    kind = kind_of(text)
    name = _cut(text.name or text.key, 300)
    sections = _sections(text)
    html = "".join(sections) or f"<p>{name}</p>"
    security = kind in {Kind.VULNERABILITY, Kind.HOTSPOT}
    made = rule(
        text.key,
        short=name,
        full=_cut(to_text(sections[0])) if sections else name,
        severity=severity_of(text, context.mode),
        category=_CATEGORIES.get(text.key.partition(":")[0], Category.SAST),
        help_text=_cut(to_text(html), _LONGEST_HELP),
        help_markdown=_cut_markdown(to_markdown(html)),
        help_uri=_rule_link(text, context),
        cwe=sorted({*_CWE.findall(html)}),
        tags=(kind.value, *text.sys_tags, *text.tags),
    )
    if not security:
        tags = [each for each in made.properties["tags"] if each != "security"]
        made.properties["tags"] = tags
    return made


def unknown_rule(rule_id: str, severity: Severity, kind: Kind, context: Context) -> Rule:
    """Return a rule of which nothing but its name is known."""
    text = RuleText(key=rule_id, type=kind.value.upper())
    return rule_of(text, context).with_score(severity.score)


def _placed(
    item: Issue | Hotspot,
    rule_id: str,
    context: Context,
    *,
    severity: Severity,
    kind: str,
    properties: Mapping[str, Any],
) -> Result:
    at = item.text_range
    line = max((at.start_line if at else item.line) or 0, 0)
    project = item.project or context.project
    made = result(
        rule_id,
        _cut(item.message or rule_id),
        path=context.places.path(item.component, project),
        line=line or None,
        end_line=max(at.end_line or line, line) or None if at else None,
        column=column(at.start_offset) if at else None,
        end_column=column(at.end_offset) if at else None,
        severity=severity,
        kind=kind,
        # the line's text tells the others apart; the server's key would be new with each new server
        identity=None if line else {"messageIdentity/v1": _cut(item.message or rule_id)},
        properties=properties,
    )
    made.related_locations = context.places.related(item.flows, project) or None
    made.code_flows = context.places.code_flows(item.flows, project) or None
    return made


def _finished(made: Result, name: str, key: str, link: str, aside: str) -> Result:
    made.fingerprints = {name: key}
    made.hosted_viewer_uri = link or None
    if aside:
        made.suppressions = [
            {"kind": "external", "status": "accepted", "justification": _cut(aside)}
        ]
    return made


def _aside_issue(issue: Issue) -> str:
    """Return why an issue is not open; empty for an open one, and for a word nobody knows."""
    word = _SET_ASIDE.get(issue.resolution) or _SET_ASIDE.get(issue.issue_status)
    if not word:
        return ""
    said = "; ".join(" ".join(each.markdown.split()) for each in issue.comments if each.markdown)
    return f"called {word} on the server" + (f": {said}" if said else "")


def _sections(text: RuleText) -> list[str]:
    """Return the parts of a description in the order in which one reads them."""
    known = [each for key in _SECTIONS for each in text.description_sections if each.key == key]
    others = [each for each in text.description_sections if each.key not in _SECTIONS]
    parts = [_titled(each) for each in (*known, *others) if each.content]
    return parts or ([text.html_desc] if text.html_desc else [])


def _titled(section: Section) -> str:
    title = _TITLES.get(section.key, "")
    variant = section.context.display_name if section.context else ""
    whole = f"{title} ({variant})" if title and variant else title
    return f"<h2>{_no_markup(whole)}</h2>{section.content}" if whole else section.content


def _no_markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _rule_link(text: RuleText, context: Context) -> str:
    if not context.url:
        return ""
    return f"{context.url}/coding_rules?open={quote(text.key, safe='')}"


def _given(**properties: object) -> dict[str, object]:
    return {name: value for name, value in properties.items() if value}


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _cut_markdown(text: str) -> str:
    """Cut between paragraphs, and close a listing that is left open."""
    if len(text) <= _LONGEST_HELP:
        return text
    head = text[:_LONGEST_HELP].rpartition("\n\n")[0] or text[:_LONGEST_HELP]
    return head + ("\n```" if head.count("```") % 2 else "") + "\n\n…"
