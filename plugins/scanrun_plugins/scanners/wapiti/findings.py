"""How wapiti's findings become rules and results."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from scanrun.api import Category, Result, Rule, Severity, result, rule
from scanrun_plugins.scanners.wapiti.options import PASSIVE
from scanrun_plugins.scanners.wapiti.report import Finding, Kind, Report
from scanrun_plugins.scanners.web.addresses import place, telling
from scanrun_plugins.scanners.web.texts import by_method, cut, one_line, redacted

_LEVELS = (Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_CWE = re.compile(r"https?://cwe\.mitre\.org/data/definitions/(\d{1,5})\.html")
_NOT_IN_AN_ID = re.compile(r"[^a-z0-9]+")
_HELP = 4000
Known = tuple[str, Finding, str]
"""Kind, finding, and what tells it from others."""


def rules_and_results(report: Report) -> Iterator[Rule | Result]:
    """Yield each rule before its first result; the order of modules differs between runs."""
    known = sorted(_told_apart(report), key=lambda each: (_id(each[0]), each[2]))
    worst: dict[str, int] = {}
    for kind, found, _ in known:
        worst[kind] = max(worst.get(kind, 0), found.level)
    told: set[str] = set()
    for kind, found, identity in known:
        if _id(kind) not in told:
            told.add(_id(kind))
            yield _rule(kind, report.classifications.get(kind, Kind()), _LEVELS[worst[kind]])
        yield _result(kind, found, identity, report)


def _told_apart(report: Report) -> Iterable[Known]:
    """Return the findings that differ: a cookie that is set twice is reported twice."""
    apart: dict[tuple[str, str], Known] = {}
    for kind, found in report.findings:
        identity = _identity(found)
        earlier = apart.get((_id(kind), identity))
        if earlier is None or earlier[1].level < found.level:
            apart[_id(kind), identity] = (kind, found, identity)
    return apart.values()


def _identity(found: Finding) -> str:
    """Return what stays the same from scan to scan.

    The text of an attack's finding may hold a marker that is made anew each time. That of a
    passive module names the cookie or directive, which nothing else does.
    """
    what = one_line(found.info) if found.module in PASSIVE else ""
    parts = (found.module, found.method, found.path, found.parameter or "", what)
    return "|".join(quote(each, safe="/ ", errors="backslashreplace") for each in parts)


def _id(kind: str) -> str:
    return _NOT_IN_AN_ID.sub("-", kind.lower()).strip("-")[:80] or "wapiti"


def _rule(kind: str, meaning: Kind, severity: Severity) -> Rule:
    links = [url for url in meaning.ref.values() if _is_web(url)]
    parts = (meaning.desc, f"Solution: {meaning.sol}" if meaning.sol else "", "\n".join(links))
    return rule(
        _id(kind),
        short=one_line(kind),
        full=one_line(meaning.desc, 1000),
        severity=severity,
        category=Category.DAST,
        help_text=cut("\n\n".join(filter(None, parts)), _HELP),
        help_uri=links[0] if links else "",
        cwe=[match[1] for url in links if (match := _CWE.fullmatch(url))],
        tags=[one_line(each, 60) for each in meaning.wstg or ()][:5],
    )


def _result(kind: str, found: Finding, identity: str, report: Report) -> Result:
    url = f"{_top(report.infos.target)}/{found.path.lstrip('/')}"
    parameter = redacted(found.parameter, 200)
    param = f" ({parameter})" if parameter else ""
    # "cookie : NAME" reads as a cookie with its value, which is masked
    info = found.info.partition("\n")[0].replace("cookie : ", "cookie ")
    said = one_line(redacted(info))
    properties = {
        "url": telling(url),
        "method": one_line(found.method, 20),
        "param": parameter,
        "module": one_line(found.module, 60),
        "title": one_line(kind),
    }
    return result(
        _id(kind),
        f"{said or one_line(kind)}{param}{by_method(found.method)} at {telling(url)}",
        path=place(url, site=False),
        severity=_LEVELS[found.level],
        component=telling(url),
        component_kind="resource",
        identity={"wapitiFinding/v1": identity},
        properties={name: value for name, value in properties.items() if value},
    )


def _top(target: str) -> str:
    scheme, _, rest = target.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _is_web(url: str) -> bool:
    return url.startswith("https://") and url.isprintable() and " " not in url
