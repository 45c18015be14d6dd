"""Alerts: what rules have raised, which of it is kept, and as what it counts."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from standin.rules import RISKS, RULES, SYSTEMIC, Rule
from standin.spider import node_name
from standin.web import Message, origin

PER_RULE = 10
SYSTEMIC_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """One place at which a rule has raised an alert."""

    ref: str
    message: Message
    param: str = ""
    evidence: str = ""
    other: str = ""
    attack: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Return what no two instances of an alert have in common."""
        request = self.message.request
        return (node_name(request), request.method, self.param)


@dataclass(slots=True)
class Alert:
    """All instances of one rule at one site."""

    rule: Rule
    hits: list[Hit]
    systemic: bool = False
    false_positive: bool = False
    ids: list[int] = field(default_factory=list)

    @property
    def confidence(self) -> int:
        """Return it as ZAP's number."""
        return 0 if self.false_positive else self.rule.confidence


@dataclass(frozen=True, slots=True)
class Filter:
    """Makes alerts of a rule at matching addresses false positives."""

    plugin: str
    url: str

    def takes(self, hit: Hit) -> bool:
        """Say whether it is about this one."""
        same = RULES[hit.ref].plugin == self.plugin
        return same and re.match(self.url, hit.message.url) is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """How many instances are kept."""

    per_rule: int = PER_RULE
    systemic: int = SYSTEMIC_LIMIT
    """0: no limit of its own."""


def collect(
    hits: Iterable[Hit], filters: Sequence[Filter], limits: Limits
) -> Mapping[str, list[Alert]]:
    """Return the alerts of each origin, as a report orders them."""
    ordered: dict[tuple[str, str, bool], dict[tuple[str, ...], Hit]] = {}
    for hit in hits:
        false = any(each.takes(hit) for each in filters)
        place = (origin(hit.message.url), hit.ref, false)
        ordered.setdefault(place, {}).setdefault(hit.key, hit)
    sites: dict[str, list[Alert]] = {}
    for (site, ref, false), found in ordered.items():
        rule = RULES[ref]
        kept = [] if false else _kept(rule, list(found.values()), limits)
        systemic = not false and 0 < limits.systemic < len(found) and rule.plugin in SYSTEMIC
        alert = Alert(rule, kept, systemic, false, random.sample(range(1, 100), len(kept)))
        sites.setdefault(site, []).append(alert)
    for alerts in sites.values():
        alerts.sort(key=_order)
    return sites


def _kept(rule: Rule, hits: list[Hit], limits: Limits) -> list[Hit]:
    """Return those that are reported: of a systemic rule the first, and any others."""
    if rule.plugin in SYSTEMIC and 0 < limits.systemic < len(hits):
        others = random.sample(hits[1:], limits.systemic - 1)
        hits = [hits[0], *others]
    kept = hits[: limits.per_rule or None]
    return sorted(kept, key=lambda hit: hit.message.url)


def _order(alert: Alert) -> tuple[int, int, str]:
    return (alert.false_positive, -alert.rule.risk, alert.rule.name)


def risk_text(alert: Alert, confidence: str) -> str:
    """Return risk and confidence for people: `Low (Medium)`."""
    return f"{RISKS[alert.rule.risk]} ({confidence})"
