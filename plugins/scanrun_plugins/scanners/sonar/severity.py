"""How bad an issue is, and of which kind, in the server's own mode."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from scanrun.api import Severity
from scanrun_plugins.scanners.sonar.about import Mode
from scanrun_plugins.scanners.sonar.answers import Impact

_BY_IMPACT = {
    "BLOCKER": Severity.CRITICAL,
    "HIGH": Severity.HIGH,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
    "INFO": Severity.INFO,
}
_BY_WORD = {
    "BLOCKER": Severity.CRITICAL,
    "CRITICAL": Severity.HIGH,
    "MAJOR": Severity.MEDIUM,
    "MINOR": Severity.LOW,
    "INFO": Severity.INFO,
}
_SECURITY, _RELIABILITY = "SECURITY", "RELIABILITY"


class Kind(StrEnum):
    """What an issue is about; the word that the option `count` takes."""

    VULNERABILITY = "vulnerability"
    HOTSPOT = "hotspot"
    BUG = "bug"
    CODE_SMELL = "code_smell"


class Rated(Protocol):
    """An issue or a rule."""

    severity: str
    type: str
    impacts: list[Impact]


_TYPES = {
    "VULNERABILITY": Kind.VULNERABILITY,
    "SECURITY_HOTSPOT": Kind.HOTSPOT,
    "BUG": Kind.BUG,
    "CODE_SMELL": Kind.CODE_SMELL,
}


def kind_of(item: Rated) -> Kind:
    """Return the kind. What touches security, by type or impact, or tells nothing, is security."""
    qualities = {impact.software_quality for impact in item.impacts}
    if _SECURITY in qualities and item.type != "SECURITY_HOTSPOT":
        return Kind.VULNERABILITY
    if item.type:
        return _TYPES.get(item.type, Kind.VULNERABILITY)
    if not qualities:
        return Kind.VULNERABILITY
    return Kind.BUG if _RELIABILITY in qualities else Kind.CODE_SMELL


def severity_of(item: Rated, mode: Mode) -> Severity:
    """Return how bad it is by the server's scale; by the other where it has none."""
    by_impact, by_word = _of_impacts(item.impacts), _of_word(item.severity)
    if mode is Mode.UNKNOWN:
        return _worst(each for each in (by_impact, by_word) if each is not None)
    first, second = (by_impact, by_word) if mode is Mode.MQR else (by_word, by_impact)
    return first or second or Severity.UNKNOWN


def of_probability(word: str) -> Severity:
    """Return how bad a hotspot is: it has no severity, but a likelihood of being exploited."""
    known = {"HIGH", "MEDIUM", "LOW"}
    return _BY_IMPACT[word] if word in known else Severity.UNKNOWN


def _of_impacts(impacts: list[Impact]) -> Severity | None:
    """Return the impact on security; where there is none, the worst."""
    if not impacts:
        return None
    security = [each for each in impacts if each.software_quality == _SECURITY]
    chosen = security or impacts
    return _worst(_BY_IMPACT.get(each.severity, Severity.UNKNOWN) for each in chosen)


def _of_word(word: str) -> Severity | None:
    return _BY_WORD.get(word, Severity.UNKNOWN) if word else None


def _worst(found: Iterable[Severity]) -> Severity:
    return max(found, key=lambda each: each.score, default=Severity.UNKNOWN)
