"""How one vulnerability of Dependency-Check's becomes a rule and a result."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from scanrun.api import Category, Result, Rule, location, result, rule
from scanrun_plugins.scanners.dependency_check.packages import Package
from scanrun_plugins.scanners.dependency_check.places import Place
from scanrun_plugins.scanners.dependency_check.report import Vulnerability
from scanrun_plugins.scanners.dependency_check.severity import judged

_LONGEST = 1000
_LONGEST_ID = 80
_MOST_RELATED = 100
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)+")
"""CVE-2021-44228, GHSA-…, sonatype-2020-0001: a name that others know, too."""
_GITHUB = re.compile(r"GHSA(?:-[a-z0-9]{4}){3}")
_NVD = re.compile(r"CVE-\d{4}-\d{4,}")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9.]+")
_CWE = re.compile(r"CWE-\d+\b")
_SENTENCE = re.compile(r"(.{20,280}?[.!?])(?: |$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A vulnerability of one package in one file, put together from all that speak of it."""

    item: Vulnerability
    package: Package
    place: Place
    line: int | None = None
    cpes: tuple[str, ...] = ()
    """All that the package is taken for."""
    listed: int = 1
    """How often it is listed."""
    paths: tuple[str, ...] = ()
    """The places inside the file."""
    bundled: tuple[str, ...] = ()
    """Names of what Dependency-Check takes for a part of the same software."""
    related: tuple[tuple[str, int | None, str], ...] = ()
    """Path, line and component of what else belongs to it, in other files."""
    suppressed: bool = False

    @property
    def rule_id(self) -> str:
        """Return the name of the vulnerability as an identifier that stays the same."""
        return rule_id(self.item)


def rule_id(item: Vulnerability) -> str:
    """Return a vulnerability's name, made an identifier where it is free text."""
    name = item.name.strip()
    if _IDENTIFIER.fullmatch(name) and len(name) <= _LONGEST_ID:
        return name
    words = _NOT_IN_AN_ID.sub("-", name).strip("-.").lower()
    if not words or len(words) > _LONGEST_ID:
        words = f"{words[:_LONGEST_ID]}-{sha256(name.encode()).hexdigest()[:8]}".lstrip("-")
    return f"{item.source.lower() or 'vulnerability'}-{words}"


def make_rule(item: Vulnerability, category: Category) -> Rule:
    """Return the rule for a vulnerability."""
    severity, score = judged(item)
    text = _one_line(item.description) or item.name
    exploited = item.known_exploited_vulnerability
    action = _one_line(exploited.required_action) if exploited else ""
    return rule(
        rule_id(item),
        short=_cut(_title(item), 300),
        full=_cut(text),
        severity=severity,
        score=score,
        category=category,
        help_text=_cut(text, 4000) + (f"\n\nFix: {_cut(action)}" if action else ""),
        help_uri=_help_uri(item),
        cwe=[match[0] for each in item.cwes or () if (match := _CWE.match(each))],
        # the NVD is asked with a CPE, which is a guess from what the file says of itself
        precision="medium" if item.source == "NVD" else "high",
        tags=("vulnerability", *(("known-exploited",) if exploited else ())),
    )


def make_result(finding: Finding) -> Result:
    """Return the result."""
    item, package = finding.item, finding.package
    severity, score = judged(item)
    made = result(
        finding.rule_id,
        _message(finding),
        path=finding.place.path,
        line=finding.line,
        severity=severity,
        score=score,
        component=package.purl or package.name,
        identity={"packageIdentity/v1": f"{package.family} {finding.place.path}"},
        properties=_properties(finding),
    )
    if finding.suppressed:
        why = _one_line(item.notes) or "suppressed by Dependency-Check, which gives no reason"
        made.suppressions = [{"kind": "external", "justification": _cut(why)}]
    made.related_locations = [
        location(path, line=line, component=component)
        for path, line, component in finding.related[:_MOST_RELATED]
    ] or None
    return made


def _message(finding: Finding) -> str:
    item = finding.item
    said = [f"{_label(finding.package)}: {_title(item).rstrip('.')}."]
    if exploited := item.known_exploited_vulnerability:
        due = f" (to be mended by {exploited.due_date})" if exploited.due_date else ""
        said.append(f"Known exploited{due}.")
    said.append(_fix(item))
    if cpes := _matched(finding):
        said.append(f"Matched as {', '.join(each.rstrip(':*') for each in cpes[:3])}.")
    if finding.paths:
        said.append(f"It lies in {finding.paths[0]}.")
    return _cut(" ".join(said), 2 * _LONGEST)


def _fix(item: Vulnerability) -> str:
    fixed = _ends(item, "version_end_excluding")
    if fixed:
        return f"Fixed in {', '.join(fixed)}."
    last = _ends(item, "version_end_including")
    return f"Affected up to {', '.join(last)}." if last else "No version with a fix is told."


def _matched(finding: Finding) -> list[str]:
    """Return which of the package's CPEs the vulnerability is known for."""
    software = {_product(each.software.id) for each in finding.item.vulnerable_software}
    if finding.item.source not in {"NVD", ""} and not software:
        return []
    return [each for each in finding.cpes if not software or _product(each) in software]


def _product(cpe: str) -> str:
    """Return part, vendor and product of a CPE."""
    return ":".join(cpe.split(":")[2:5])


def _ends(item: Vulnerability, name: str) -> list[str]:
    """Return where the ranges of versions end that the package lies in."""
    ends = (getattr(each.software, name) for each in item.vulnerable_software)
    return list(dict.fromkeys(each for each in ends if each))


def _properties(finding: Finding) -> Mapping[str, object]:
    item, package = finding.item, finding.package
    fixed = _ends(item, "version_end_excluding")
    exploited = item.known_exploited_vulnerability
    return _given(
        packageName=package.name,
        installedVersion=package.version,
        fixedVersion=", ".join(fixed),
        purl=package.purl,
        cpe=_matched(finding),
        source=item.source,
        fix=f"update {package.name} to {fixed[0]}" if len(fixed) == 1 else "",
        knownExploited=exploited is not None,
        knownExploitedDue=exploited.due_date if exploited else "",
        listed=finding.listed if finding.listed > 1 else 0,
        paths=list(finding.paths[:_MOST_RELATED]),
        bundledWith=list(finding.bundled[:_MOST_RELATED]),
        aliases=[item.name] if finding.rule_id != item.name else [],
    )


def _title(item: Vulnerability) -> str:
    """Return the name, and the first sentence of the description: there is no title."""
    text = _one_line(item.description)
    sentence = match[1] if (match := _SENTENCE.match(text)) else _cut(text, 280)
    name = _one_line(item.name)
    return name if not sentence or sentence.startswith(name) else f"{name}: {sentence}"


def _label(package: Package) -> str:
    return f"{package.name} {package.version}".strip()


def _help_uri(item: Vulnerability) -> str:
    name = item.name.strip()
    if _NVD.fullmatch(name):
        return f"https://nvd.nist.gov/vuln/detail/{name}"
    if _GITHUB.fullmatch(name):
        return f"https://github.com/advisories/{name}"
    return next(_web(each.url for each in item.references), "")


def _web(links: Iterable[str | None]) -> Iterator[str]:
    return (each for each in links if each and each.startswith(("https://", "http://")))


def _given(**properties: object) -> Mapping[str, object]:
    return {name: value for name, value in properties.items() if value}


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
