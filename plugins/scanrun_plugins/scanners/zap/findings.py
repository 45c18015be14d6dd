"""How one finding of ZAP's becomes a rule and a result."""

import re
from collections.abc import Mapping

from scanrun.api import Category, Result, Rule, Severity, result, rule
from scanrun_plugins.scanners.web.addresses import place, shown_origin, telling
from scanrun_plugins.scanners.web.texts import by_method, cut, one_line, redacted
from scanrun_plugins.scanners.zap.alerts import Finding
from scanrun_plugins.scanners.zap.report import Alert, Instance, Scalar

_SEVERITIES = {
    "3": Severity.HIGH,
    "2": Severity.MEDIUM,
    "1": Severity.LOW,
    "0": Severity.INFO,
    "-1": Severity.INFO,
}
_CONFIDENCE = {
    "0": "false positive",
    "1": "low",
    "2": "medium",
    "3": "high",
    "4": "confirmed by a user",
}
_PRECISION = {"1": "low", "2": "medium", "3": "high", "4": "very-high"}
_QUOTE_SECRETS = frozenset(
    # session id in an address, secrets in addresses and referrers, user names, personal data,
    # encoded data, hashes, source code, what looks like a sign-in or a session
    {"3", "10024", "10025", "10057", "10062", "10094", "10097", "10099", "10111", "10112", "10113"}
)
"""Rules whose evidence is what nobody is to see."""
_MOST_URLS = 100
_ID = re.compile(r"\d{1,9}(?:-\d{1,9})?")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9.]+")
_NUMBER = re.compile(r"[1-9]\d{0,4}")
WHY_SUPPRESSED = "marked as a false positive in ZAP, by a rule file, an alert filter or its context"


def rule_id(alert: Alert) -> str:
    """Return the rule's number as an identifier, whatever stands there."""
    found = alert.rule_id
    return found if _ID.fullmatch(found) else _NOT_IN_AN_ID.sub("-", found)[:80].strip("-") or "zap"


def severity_of(alert: Alert) -> Severity:
    """Return how bad it is. A risk that nobody knows is gated as high."""
    return _SEVERITIES.get(str(alert.riskcode), Severity.UNKNOWN)


def make_rule(alert: Alert, category: Category) -> Rule:
    """Return the rule of an alert."""
    found = rule_id(alert)
    description = _paragraphs(alert.desc)
    solution = _paragraphs(alert.solution)
    references = [line for line in _paragraphs(alert.reference).splitlines() if _is_web(line)]
    weakness, wasc = _known(alert.cweid), _known(alert.wascid)
    parts = (
        description,
        f"Solution: {solution}" if solution else "",
        "\n".join(references),
    )
    return rule(
        found,
        short=one_line(alert.title),
        full=one_line(description, 1000) or one_line(alert.title),
        severity=severity_of(alert),
        category=category,
        help_text=cut("\n\n".join(filter(None, parts)), 6000),
        help_uri=f"https://www.zaproxy.org/docs/alerts/{found}/" if _ID.fullmatch(found) else "",
        cwe=[weakness] if weakness else (),
        precision=_PRECISION.get(str(alert.confidence), ""),
        tags=(f"wasc-{wasc}",) if wasc else (),
    )


def make_result(finding: Finding, why_ignored: str = "") -> Result:
    """Return the result. `why_ignored`: what the configuration says to suppress it for."""
    first = finding.first
    made = result(
        rule_id(finding.alert),
        _message(finding, first),
        path=place(first.uri if first else finding.origin, site=not finding.page),
        severity=severity_of(finding.alert),
        component=telling(first.uri) if first and finding.page else shown_origin(finding.origin),
        component_kind="resource",
        identity={"zapAlert/v1": finding.identity},
        properties=_properties(finding, first),
    )
    reason = WHY_SUPPRESSED if finding.suppressed else why_ignored
    if reason:
        made.suppressions = [{"kind": "external", "justification": reason}]
    return made


def _message(finding: Finding, first: Instance | None) -> str:
    title = one_line(finding.alert.title)
    if library := finding.library:
        cves = f": {', '.join(library.cves)}" if library.cves else ""
        title = f"{title}: {one_line(f'{library.name} {library.version}')}{cut(cves, 500)}"
    param = f" ({redacted(finding.param, 100)})" if finding.param else ""
    if not finding.page or first is None:
        return f"{title}{param} at {shown_origin(finding.origin) or finding.origin}"
    return f"{title}{param}{by_method(first.method)} at {telling(first.uri)}"


def _properties(finding: Finding, first: Instance | None) -> Mapping[str, object]:
    alert = finding.alert
    urls = sorted({telling(each.uri) for each in finding.instances.values()})
    quotes = first is not None and alert.plugin not in _QUOTE_SECRETS
    found: dict[str, object] = {
        "site": shown_origin(finding.origin) or finding.origin,
        "url": telling(first.uri) if first and finding.page else "",
        "urls": urls[:_MOST_URLS] if len(urls) > 1 or not finding.page else [],
        "method": one_line(first.method, 20) if first and finding.page else "",
        "param": redacted(finding.param, 200),
        "confidence": _CONFIDENCE.get(str(alert.confidence), ""),
        "instances": len(finding.instances),
        "wholeSite": not finding.page,
        "title": one_line(alert.title),
    }
    if quotes and first is not None:
        found["attack"] = redacted(first.attack)
        found["evidence"] = redacted(first.evidence)
        found["otherInfo"] = redacted(_paragraphs(first.otherinfo or alert.otherinfo))
    if library := finding.library:
        found.update(
            packageName=one_line(library.name),
            installedVersion=one_line(library.version),
            aliases=list(library.cves),
        )
    return {name: value for name, value in found.items() if value}


def _paragraphs(text: str | None) -> str:
    """Return the text of `<p>…</p>`. No other tag is ZAP's own, and none is taken for one."""
    lines = (text or "").replace("</p>", "\n").replace("<p>", "").splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _known(number: Scalar) -> str:
    """Return a number of a weakness; empty for -1 and 0, which are none."""
    text = str(number)
    return text if _NUMBER.fullmatch(text) else ""


def _is_web(line: str) -> bool:
    return line.startswith(("https://", "http://")) and line.isprintable() and " " not in line
