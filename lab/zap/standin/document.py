"""What a report holds, as values: the JSON report as it is, and the XML report's source."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from standin.alerts import Alert, Hit, risk_text
from standin.insights import Insight
from standin.rules import CONFIDENCES
from standin.spider import node_name
from standin.web import port_of

VERSION = "2.17.0"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a run has to report."""

    sites: Mapping[str, list[Alert]]
    """Origin -> its alerts; one without any is there, too."""
    insights: Iterable[Insight]
    stopping: Insight | None = None
    errors: Iterable[str] = ()
    warnings: Iterable[str] = ()
    statistics: Mapping[str, int] = field(default_factory=dict)


def document(contents: Contents, *, plus: bool = False) -> dict[str, Any]:
    """Return the JSON report; `plus` has requests and answers, and what the plan came to."""
    now = datetime.now(UTC)
    made: dict[str, Any] = {
        "@programName": "ZAP",
        "@version": VERSION,
        "@generated": now.strftime("%a, %-d %b %Y %H:%M:%S"),
        "created": now.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
        "insights": [_insight(each) for each in contents.insights],
    }
    if contents.stopping:
        # other words than among the insights, and a number: so it was measured
        made["stoppingInsight"] = _insight(contents.stopping) | {
            "level": contents.stopping.level.upper(),
            "reason": contents.stopping.reason.upper().replace(" ", "_"),
            "statistic": contents.stopping.statistic,
        }
    if plus:
        made["afPlanErrors"] = list(contents.errors)
        made["afPlanWarns"] = list(contents.warnings)
        made["statistics"] = dict(contents.statistics)
    names = sorted(contents.sites, reverse=True)
    made["site"] = [_site(name, contents.sites, plus=plus) for name in names]
    return made


def _insight(each: Insight) -> dict[str, Any]:
    return {
        "level": each.level,
        "reason": each.reason,
        "site": each.site,
        "key": each.key,
        "description": each.description,
        "statistic": str(each.statistic),
    }


def _site(name: str, sites: Mapping[str, list[Alert]], *, plus: bool) -> dict[str, Any]:
    parts = urlsplit(name)
    alerts = [_alert(each, plus=plus) for each in _below(name, sites)]
    site = {
        "@name": name,
        "@host": parts.hostname or "",
        "@port": str(port_of(name)),
        "@ssl": str(parts.scheme == "https").lower(),
        "alerts": alerts,
    }
    return site | ({"statistics": {}} if plus else {})


def _below(name: str, sites: Mapping[str, list[Alert]]) -> list[Alert]:
    """Return the alerts of all addresses that begin with a site's name: of other ports, too."""
    merged: dict[tuple[str, bool], Alert] = {}
    for site in sorted(sites, key=lambda each: each != name):
        if not site.startswith(name):
            continue
        for alert in sites[site]:
            key = (alert.rule.ref, alert.false_positive)
            known = merged.get(key)
            if known is None:
                merged[key] = alert
            else:
                hits, ids = [*known.hits, *alert.hits], [*known.ids, *alert.ids]
                systemic = known.systemic or alert.systemic
                merged[key] = Alert(alert.rule, hits, systemic, alert.false_positive, ids)
    return list(merged.values())


def _alert(alert: Alert, *, plus: bool) -> dict[str, Any]:
    rule = alert.rule
    pairs = zip(alert.ids, alert.hits, strict=True)
    instances = [_instance(number, hit, plus=plus) for number, hit in pairs]
    other = alert.hits[0].other if alert.hits else ""
    made = {
        "pluginid": rule.plugin,
        "alertRef": rule.ref,
        "alert": rule.name,
        "name": rule.name,
        "riskcode": str(rule.risk),
        "confidence": str(alert.confidence),
        "riskdesc": risk_text(alert, CONFIDENCES[alert.confidence]),
        "desc": _paragraphs(rule.desc),
        "instances": instances,
        "count": str(len(instances)),
        "systemic": alert.systemic,
        "solution": _paragraphs(rule.solution),
        "otherinfo": _paragraphs(other),
        "reference": _paragraphs(rule.reference),
        "cweid": str(rule.cwe),
        "wascid": str(rule.wasc),
        "sourceid": str(next(_SOURCES)),
    }
    return made | ({"tags": []} if plus else {})


_SOURCES = count(1)


def _instance(number: int, hit: Hit, *, plus: bool) -> dict[str, Any]:
    request = hit.message.request
    made = {
        "id": str(number),
        "uri": plain(request.url),
        "nodeName": plain(node_name(request)),
        "method": request.method,
        "param": plain(hit.param),
        "attack": plain(hit.attack),
        "evidence": plain(hit.evidence),
        "otherinfo": plain(hit.other),
    }
    if plus:
        headers = "\r\n".join(f"{name}: {value}" for name, value in hit.message.headers)
        line = f"HTTP/1.1 {hit.message.status} {hit.message.reason}"
        made |= {
            "request-header": f"{request.method} {plain(request.url)} HTTP/1.1\r\n\r\n",
            "request-body": "&".join(f"{key}={value}" for key, value in request.form),
            "response-header": plain(f"{line}\r\n{headers}\r\n\r\n"),
            "response-body": plain(hit.message.text[:10_000]),
        }
    return made


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{plain(line)}</p>" for line in text.split("\n")) if text else ""


def plain(text: str) -> str:
    """Return text in which control characters are told, not there."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):04x}", text)
