"""Which findings a report holds: alerts of ZAP's, put together so that two scans have the same.

ZAP lists an alert once for each site whose name its address begins with, and of rules that fire
everywhere it shows a few pages only, other ones each time.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from scanrun_plugins.scanners.web.addresses import normal, origin
from scanrun_plugins.scanners.zap.report import Alert, Instance, Report, Site

_TAGGED = frozenset((
    3, 10009, 10010, 10011, 10015, 10017, 10019, 10020, 10021, 10024, 10025, 10029, 10030, 10032,
    10033, 10035, 10036, 10037, 10038, 10039, 10040, 10049, 10050, 10052, 10054, 10055, 10056,
    10061, 10063, 10096, 10098, 10109, 10202, 90003, 90004, 90011, 90033,
))  # fmt: skip
"""Rules that ZAP itself calls systemic: with many pages, it is chance which of them are listed."""
_RETIRE_JS = "10003"
_LIBRARY = re.compile(r"identified library ([^\s,]{1,100}), version ([^\s,]{1,60}) is vulnerable")
_NODE = re.compile(r"(?s)(.*?)((?: ?\([^()]*\)(?:\([^()]*\))?)?)\Z")
"""An address, and the names of its parameters: `http://h/a (id,sort)(name)`."""
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,9}\b")

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """A JavaScript library that the Retire.js rule knows, and what it is vulnerable to."""

    name: str
    version: str
    cves: tuple[str, ...]


@dataclass(slots=True)
class Finding:
    """What one rule has to say of one page, or of a whole site."""

    key: Key
    alert: Alert
    origin: str
    """Whose it is; what the site is called where it has none."""
    page: str
    """Address and names of parameters; empty where it is about the whole site."""
    param: str
    library: Library | None
    suppressed: bool
    alerts: set[tuple[int, int]] = field(default_factory=set)
    """Places in the report (site, alert) of what was put together."""
    instances: dict[Key, Instance] = field(default_factory=dict)
    listed: int = 0
    """How often it stands in the report."""

    @property
    def identity(self) -> str:
        """Return what tells it from others, the same in each scan."""
        return sha256("\0".join(self.key).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def first(self) -> Instance | None:
        """Return its first instance in the order of the addresses."""
        return min(self.instances.values(), key=lambda each: (each.uri, each.method), default=None)


def findings_of(report: Report) -> Iterable[Finding]:
    """Return the findings, in the order of the report."""
    flagged = {each.rule_id for site in report.sites for each in site.alerts if each.systemic}
    found: dict[Key, Finding] = {}
    for row, site in enumerate(report.sites):
        for number, alert in enumerate(site.alerts):
            whole = alert.rule_id in flagged or alert.number in _TAGGED
            for each in _of_alert(site, alert, whole=whole):
                _add(found, each, (row, number))
    return found.values()


def library_of(alert: Alert, instance: Instance | None) -> Library | None:
    """Return the library that a Retire.js alert is about: the report tells it in words only."""
    if alert.plugin != _RETIRE_JS:
        return None
    text = (instance.otherinfo if instance else "") or alert.otherinfo or ""
    match = _LIBRARY.search(text)
    if match is None:
        return None
    cves = dict.fromkeys(_CVE.findall(text))
    return Library(match[1], match[2], tuple(sorted(cves)))


def false_positive(alert: Alert) -> bool:
    """Say whether ZAP was told that it is none."""
    return str(alert.confidence) == "0" or str(alert.riskcode) == "-1"


def _of_alert(site: Site, alert: Alert, *, whole: bool) -> Iterator[Finding]:
    for instance in alert.places:
        owner = origin(instance.uri) or origin(site.name) or site.name
        page = "" if whole else _page(instance.uri, instance.node_name)
        method = "" if whole else instance.method
        param = instance.param or ""
        library = library_of(alert, instance)
        named = (library.name, library.version) if library else ()
        key = (alert.rule_id, alert.title, owner, method, page, param, *named)
        made = Finding(key, alert, owner, page, param, library, false_positive(alert))
        place = (instance.uri, instance.method, param, instance.evidence or "")
        made.instances[place] = instance
        made.listed = 1
        yield made
    if not alert.places:
        owner = origin(site.name) or site.name
        key = (alert.rule_id, alert.title, owner, "no instances")
        library = library_of(alert, None)
        yield Finding(key, alert, owner, "", "", library, false_positive(alert))


def _page(uri: str, node_name: str | None) -> str:
    """Return the page that an instance is about: the names of its parameters, not their values.

    It is ZAP's own name for it where the report tells that (since 2.17), else one made alike.
    """
    if node_name:
        match = _NODE.match(node_name)
        address, names = (match[1], match[2]) if match else (node_name, "")
        return normal(address) + names
    if not origin(uri):
        return uri
    query = urlsplit(uri).query
    named = sorted({name for name, _ in parse_qsl(query, keep_blank_values=True)})
    return normal(uri.partition("?")[0]) + (f" ({','.join(named)})" if named else "")


def _add(found: dict[Key, Finding], other: Finding, at: tuple[int, int]) -> None:
    """Put a finding to the one that it is, too: the worst that is told of it counts."""
    one = found.setdefault(other.key, other)
    one.alerts.add(at)
    if one is other:
        return
    one.listed += other.listed
    one.instances.update(other.instances)
    one.suppressed = one.suppressed and other.suppressed
    if _risk(other.alert) > _risk(one.alert):
        one.alert = other.alert


def _risk(alert: Alert) -> int:
    text = str(alert.riskcode)
    return int(text) if text in {"-1", "0", "1", "2", "3"} else 9
