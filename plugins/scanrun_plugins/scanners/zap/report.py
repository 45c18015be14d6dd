"""What a report of ZAP's holds, as much of it as is read, whether it came as JSON or XML.

The JSON is made by a text template, part of it unescaped, and can come out malformed; the XML of
the same run is then read instead. All of it is decoded before anything is said.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from scanrun.api import ConversionError, read_json
from scanrun_plugins.scanners.twin import is_xml, read_either
from scanrun_plugins.scanners.web.addresses import origin
from scanrun_plugins.scanners.zap.xml_report import Json, read_xml

T = TypeVar("T")
Scalar = str | int | float | None
"""All are texts in every report known; one that is not would be no other finding."""

_NUMBER = re.compile(r"[0-9]{1,9}")
_PROGRAM = re.compile(r"(?:OWASP )?ZAP\b|Checkmarx ZAP|ZAP by ")


class Instance(Struct, rename="camel"):
    """One place where a rule gave alarm."""

    uri: str
    method: str = ""
    param: str | None = ""
    attack: str | None = ""
    evidence: str | None = ""
    otherinfo: str | None = ""
    node_name: str | None = None
    """Since 2.17: the address with the names of parameters, not their values."""


class Alert(Struct):
    """What one rule has to say of one site."""

    pluginid: Scalar
    riskcode: Scalar
    name: str = ""
    alert: str = ""
    alert_ref: Scalar = field(name="alertRef", default=None)
    confidence: Scalar = None
    desc: str | None = ""
    solution: str | None = ""
    otherinfo: str | None = ""
    reference: str | None = ""
    cweid: Scalar = None
    wascid: Scalar = None
    systemic: bool = False
    instances: list[Instance] = []
    # of the first releases, in which an alert was about one place
    uri: str = ""
    method: str = ""
    param: str | None = ""
    attack: str | None = ""
    evidence: str | None = ""

    @property
    def places(self) -> list[Instance]:
        """Return its instances; none where ZAP was told that it is a false positive."""
        if self.instances or not self.uri:
            return self.instances
        return [Instance(self.uri, self.method, self.param, self.attack, self.evidence)]

    @property
    def title(self) -> str:
        """Return its name."""
        return self.name or self.alert

    @property
    def rule_id(self) -> str:
        """Return the rule's number, with the variant where one is told: `10038-1`."""
        return str(self.alert_ref or self.pluginid or "")

    @property
    def plugin(self) -> str:
        """Return the rule's number without the variant."""
        return str(self.pluginid or self.rule_id).partition("-")[0]

    @property
    def number(self) -> int:
        """Return the same as a number; -1 where it is none."""
        return int(self.plugin) if _NUMBER.fullmatch(self.plugin) else -1


class Site(Struct):
    """One site, and its alerts. Those of sites whose name begins alike are among them."""

    name: str = field(name="@name")
    alerts: list[Alert]


class Insight(Struct):
    """What ZAP tells of the scan: `insight.code.2xx`, `69`."""

    key: str
    statistic: Scalar = None
    level: str = ""
    reason: str = ""
    site: str = ""
    description: str = ""

    @property
    def value(self) -> int:
        """Return the number; 0 for what is none."""
        text = str(self.statistic).partition(".")[0]
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0  # noqa: PLR2004 - what any count has

    @property
    def origin(self) -> str:
        """Return whose it is; empty: the scan's."""
        return origin(self.site) if self.site else ""


class _Document(Struct):
    version: str = field(name="@version")
    site: list[Site] | Site
    program: str = field(name="@programName", default="ZAP")
    created: str = ""
    insights: list[Insight] = []
    stopping: Insight | None = field(name="stoppingInsight", default=None)
    sequences: list[Raw] = []
    plan_errors: list[str] = field(name="afPlanErrors", default=[])
    plan_warnings: list[str] = field(name="afPlanWarns", default=[])
    # other tools' reports that have ZAP's sites in them
    vulnerabilities: Raw | UnsetType = UNSET
    scan: Raw | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Report:
    """One report, whatever its form."""

    version: str
    sites: tuple[Site, ...]
    created: str = ""
    """When; empty before 2.17."""
    insights: tuple[Insight, ...] = ()
    stopping: Insight | None = None
    """Why ZAP broke the scan off, losing what it had found."""
    sequences: int = 0
    plan_errors: tuple[str, ...] = ()
    plan_warnings: tuple[str, ...] = ()
    instead_of: str = ""
    """Why the JSON report could not be read, where this is the XML of the same run."""

    def of(self, site: str, key: str) -> int | None:
        """Return what an insight tells of an origin; None where it tells nothing."""
        found = (each.value for each in self.insights if (each.key, each.origin) == (key, site))
        return next(found, None)

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the origins of its sites, in order."""
        return tuple(dict.fromkeys(origin(each.name) or each.name for each in self.sites))


def read_report(path: Path, twin: Path | None = None) -> Report:
    """Return the report in `path`, JSON or XML; if it is unreadable, the one in `twin`.

    Raises:
        ConversionError: unreadable, cut off, another tool's, or of a form not yet known.
    """
    report, why = read_either(_read, path, twin)
    return replace(report, instead_of=why)


def _read(path: Path) -> Report:
    found = _shaped(read_xml(path)) if is_xml(path) else read_json(path, _Document)
    foreign = found.vulnerabilities is not UNSET or found.scan is not UNSET
    if foreign or not _PROGRAM.match(found.program) or not found.version:
        raise ConversionError(f"{path.name!r} is no report of ZAP's")
    sites = tuple(found.site) if isinstance(found.site, list) else (found.site,)
    for alert in (each for site in sites for each in site.alerts):
        if not alert.rule_id or not alert.title:
            raise ConversionError(f"{path.name!r} holds an alert without number or name")
    return Report(
        version=found.version,
        sites=sites,
        created=found.created,
        insights=tuple(found.insights),
        stopping=found.stopping,
        sequences=len(found.sequences),
        plan_errors=tuple(found.plan_errors),
        plan_warnings=tuple(found.plan_warnings),
    )


def _shaped(found: Json) -> _Document:
    try:
        return msgspec.convert(found, _Document)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConversionError(f"ZAP's report can't be read: {error}") from error
