"""From Trivy's report to rules and results, one at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from scanrun.api import Category, ConversionError, Notification, Result, Rule
from scanrun_plugins.scanners.trivy import findings
from scanrun_plugins.scanners.trivy.findings import Context, Made
from scanrun_plugins.scanners.trivy.places import Places
from scanrun_plugins.scanners.trivy.report import (
    License,
    Lines,
    Misconfiguration,
    Modified,
    Package,
    Report,
    Secret,
    Section,
    Vulnerability,
    decoded,
)

_PASSED = frozenset({"PASS", "EXCEPTION"})
_KINDS: dict[str, tuple[type[Any], Callable[[Any, Context], Made]]] = {
    "vulnerability": (Vulnerability, findings.vulnerability),
    "misconfiguration": (Misconfiguration, findings.misconfiguration),
    "secret": (Secret, findings.secret),
    "license": (License, findings.licence),
}


def convert_report(
    report: Report, category: Category, ruled: set[str]
) -> Iterator[Rule | Result | Notification]:
    """Yield what `report` holds. `ruled`: rules that were given already; it grows.

    Canaries are left out: what they prove is `proof`'s matter.
    """
    places = Places(report)
    for error in report.errors:
        yield Notification(f"Trivy could not look at {error}", "error")
    if not report.sections:
        yield Notification("Trivy names nothing that it has looked at", "error")
    for section, resource in report.sections:
        path, inside = places.of(section, resource)
        if places.is_canary(path):
            continue
        if not inside:
            text = f"Trivy went out of the scanned tree: findings of {section.target!r} are kept"
            yield Notification(text, path=path)
        context = Context(path, category, package_type=section.type)
        for made in _found(section, context, places):
            if made.rule_id not in ruled:
                ruled.add(made.rule_id)
                yield made.rule()
            yield made.result


def _found(section: Section, context: Context, places: Places) -> Iterator[Made]:
    yield from _vulnerabilities(section, context, places)
    for item in decoded(section.misconfigurations, Misconfiguration):
        if item.status not in _PASSED:
            yield findings.misconfiguration(_named(item), context)
    for secret in decoded(section.secrets, Secret):
        yield findings.secret(secret, context)
    for licence in decoded(section.licenses, License):
        yield findings.licence(licence, _at(context, licence.file_path, places))
    for modified in decoded(section.experimental_modified_findings, Modified):
        yield _suppressed(modified, context, places)


def _vulnerabilities(section: Section, context: Context, places: Places) -> Iterator[Made]:
    lines = _lines(section) if section.vulnerabilities else {}
    for item in decoded(section.vulnerabilities, Vulnerability):
        at = _at(context, item.pkg_path, places)
        yield findings.vulnerability(item, at, _line_of(item, lines) if lines else None)


def _suppressed(modified: Modified, context: Context, places: Places) -> Made:
    """Return a finding that was taken out, as a suppressed one."""
    if modified.type not in _KINDS:
        raise ConversionError(f"Trivy's report suppresses a {modified.type!r}, which is unknown")
    shape, make = _KINDS[modified.type]
    (item,) = decoded([modified.finding], shape)
    why = modified.statement or f"{modified.status or 'ignored'} by {modified.source or 'a file'}"
    path = getattr(item, "pkg_path", "") or getattr(item, "file_path", "")
    return make(item, replace(_at(context, path, places), suppressed=why))


def _named(item: Misconfiguration) -> Misconfiguration:
    if not (item.id or item.avd_id):
        raise ConversionError("a misconfiguration in Trivy's report names no check")
    return item


def _at(context: Context, file: str, places: Places) -> Context:
    """Return the context with the file that a finding itself names, if it does."""
    path = places.path(file)[0] if file else ""
    return replace(context, path=path) if path else context


def _lines(section: Section) -> dict[str, Lines]:
    """Return package -> its place in the lock file, for those that tell it."""
    found: dict[str, Lines] = {}
    for package in decoded(section.packages, Package):
        if package.locations:
            for key in _keys(package.identifier.uid, package.id, package.name, package.version):
                found.setdefault(key, package.locations[0])
    return found


def _line_of(item: Vulnerability, lines: dict[str, Lines]) -> Lines | None:
    keys = _keys(item.pkg_identifier.uid, item.pkg_id, item.pkg_name, item.installed_version)
    return next((lines[key] for key in keys if key in lines), None)


def _keys(uid: str, identifier: str, name: str, version: str) -> Iterator[str]:
    """Yield what a package is known by, the most exact first. pip's packages have no `ID`."""
    yield from (each for each in (uid, identifier) if each)
    yield f"{name}\n{version}"
