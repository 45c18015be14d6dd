"""How one finding of Trivy's becomes a rule and a result: one function per kind."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scanrun.api import Category, Result, Rule, Severity, result, rule
from scanrun_plugins.scanners.trivy.report import (
    License,
    Lines,
    Misconfiguration,
    Secret,
    Vulnerability,
)

LONGEST = 1000
_MOST = 10
"""CVSS's end."""
_SPACES = re.compile(r"[^A-Za-z0-9.+-]+")
_CREDENTIALS = "CWE-798"
_SOURCES = ("nvd", "ghsa", "redhat")
"""Of scores, the best first."""


@dataclass(slots=True)
class Made:
    """A result, and its rule for when it is the first of it."""

    rule_id: str
    rule: Callable[[], Rule]
    result: Result


@dataclass(frozen=True, slots=True)
class Context:
    """What a finding needs to know besides itself."""

    path: str
    category: Category
    """Of a vulnerable package: in a tree another one than in an image."""
    package_type: str = ""
    suppressed: str | None = None


def vulnerability(item: Vulnerability, at: Context, lines: Lines | None = None) -> Made:
    """Return the result for a vulnerable package, with installed and fixed version."""
    severity = Severity.of_word(item.severity)
    score = _score(item, severity)
    name, version, fix = item.pkg_name, item.installed_version, item.fixed_version
    package = f"{name} {version}".strip()
    fixed = f"Fixed in {fix}." if fix else "There is no fix yet."
    title = (item.title or item.vulnerability_id).removeprefix(f"{name}: ")
    purl = item.pkg_identifier.purl

    def make_rule() -> Rule:
        return rule(
            item.vulnerability_id,
            short=_cut(title, 300),
            full=_cut(item.description or title),
            severity=severity,
            score=score,
            category=at.category,
            help_text=_help(item.description or title, "Update to a version with the fix."),
            help_uri=_web(item.primary_url),
            cwe=item.cwe_ids or (),
            precision="high",
            tags=("vulnerability",),
        )

    made = result(
        item.vulnerability_id,
        _cut(f"{package}: {title.rstrip('.')}. {fixed}"),
        path=at.path,
        line=(lines.start_line if lines else 0) or None,
        end_line=(lines.end_line if lines else 0) or None,
        severity=severity,
        score=score,
        component=purl or package.replace(" ", "@"),
        identity={"packageIdentity/v1": f"{_package(item, at)} {at.path}"},
        suppressed=at.suppressed,
        properties=_given(
            installedVersion=version,
            fixedVersion=fix,
            purl=purl,
            status=item.status,
            fix=fix and f"update {name} to {fix}",
            aliases=item.vendor_ids and sorted({*item.vendor_ids} - {item.vulnerability_id}),
        ),
    )
    return Made(item.vulnerability_id, make_rule, made)


def misconfiguration(item: Misconfiguration, at: Context) -> Made:
    """Return the result for a check that failed. The source in `Code` may hold secrets."""
    rule_id = item.id or item.avd_id
    severity = Severity.of_word(item.severity)
    cause = item.cause_metadata
    title = item.title or rule_id

    def make_rule() -> Rule:
        return rule(
            rule_id,
            short=_cut(title, 300),
            full=_cut(item.description or title),
            severity=severity,
            category=Category.IAC,
            help_text=_help(item.description or title, item.resolution),
            help_uri=_web(item.primary_url),
            tags=("misconfiguration",),
        )

    whole_file = {"checkIdentity/v1": f"{cause.resource} {item.message} {at.path}"}
    made = result(
        rule_id,
        _cut(item.message or title),
        path=at.path,
        line=cause.start_line or None,
        end_line=cause.end_line or None,
        severity=severity,
        component=cause.resource,
        component_kind="resource",
        identity=None if cause.start_line else whole_file,
        suppressed=at.suppressed,
        properties=_given(fix=item.resolution, checkType=item.type, avdId=item.avd_id),
    )
    return Made(rule_id, make_rule, made)


def secret(item: Secret, at: Context) -> Made:
    """Return the result for a secret, of which nothing is told but its kind and place."""
    rule_id = item.rule_id or "secret"
    severity = Severity.of_word(item.severity)
    title = item.title or rule_id
    fix = "revoke it, then take it out of the file and of the history"

    def make_rule() -> Rule:
        return rule(
            rule_id,
            short=_cut(title, 300),
            full=_cut(f"{title} in a file"),
            severity=severity,
            category=Category.SECRET,
            help_text=f"{_cut(title, 300)}: {fix}.",
            cwe=(_CREDENTIALS,),
            tags=("secret",),
        )

    made = result(
        rule_id,
        _cut(f"{title} found" + (f" ({item.category})" if item.category else "")),
        path=at.path,
        line=item.start_line or None,
        end_line=item.end_line or None,
        severity=severity,
        suppressed=at.suppressed,
        properties=_given(fix=fix),
    )
    return Made(rule_id, make_rule, made)


def licence(item: License, at: Context) -> Made:
    """Return the result for a licence of a package, or of a file."""
    rule_id = "license-" + (_SPACES.sub("-", item.name).strip("-")[:100] or "unnamed")
    severity = Severity.of_word(item.severity)
    kind = item.category or "unknown"

    def make_rule() -> Rule:
        return rule(
            rule_id,
            short=_cut(f"Licence {item.name}", 300),
            full=_cut(f"Licence {item.name}, of the kind {kind!r}"),
            severity=severity,
            category=Category.SCA,
            help_text="Ask whether your project may use what is under this licence.",
            help_uri=_web(item.link),
            tags=("license",),
        )

    made = result(
        rule_id,
        _cut(f"{item.pkg_name or 'this file'} is under {item.name or 'a licence'} ({kind})"),
        path=at.path,
        severity=severity,
        component=item.pkg_name,
        identity={"packageIdentity/v1": f"{item.pkg_name} {at.path}"},
        suppressed=at.suppressed,
        properties=_given(license=item.name, licenseCategory=item.category),
    )
    return Made(rule_id, make_rule, made)


def _score(item: Vulnerability, severity: Severity) -> float | None:
    """Return the best score that agrees with the severity: v4 before v3, its own source first."""
    scores = item.cvss
    if not scores:
        return None
    for source in (item.severity_source, *_SOURCES, *sorted(scores)):
        if source in scores:
            for score in (scores[source].v40, scores[source].v3):
                if score and 0 < score <= _MOST and Severity.of_score(score) is severity:
                    return score
    return None


def _package(item: Vulnerability, at: Context) -> str:
    """Return the package without its version, which an update changes and the finding outlives."""
    purl = item.pkg_identifier.purl.partition("#")[0].partition("?")[0]
    if not purl:
        return f"{at.package_type or 'package'}/{item.pkg_name}"
    head, at_sign, version = purl.rpartition("@")
    return head if at_sign and "/" not in version else purl


def _given(**properties: object) -> Mapping[str, object]:
    return {name: value for name, value in properties.items() if value}


def _help(text: str, fix: str) -> str:
    return _cut(text, 4000) + (f"\n\nFix: {_cut(fix)}" if fix else "")


def _web(link: str) -> str:
    return link if link.startswith(("https://", "http://")) else ""


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
