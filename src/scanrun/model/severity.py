"""How bad a finding is, and of which kind."""

import math
from enum import StrEnum
from functools import lru_cache


class Severity(StrEnum):
    """How bad a finding is. `UNKNOWN` is gated as high, never dropped."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    UNKNOWN = "unknown"

    @property
    def score(self) -> float:
        """Return the CVSS-like score on which GitHub, GitLab and DefectDojo agree for the word."""
        return _SCORES[self]

    @property
    def level(self) -> str:
        """Return SARIF's level."""
        return _LEVELS[self]

    def reaches(self, threshold: "Severity") -> bool:
        """Say whether a finding this bad counts against `threshold`."""
        return self.score >= threshold.score

    @classmethod
    def of_word(cls, word: str | None) -> "Severity":
        """Return the severity a tool's word stands for; a word nobody knows is `UNKNOWN`."""
        return _severity(word or "")

    @classmethod
    def of_score(cls, score: float) -> "Severity":
        """Return the CVSS v3 and v4 band of `score` (0 to 10); not a number is `UNKNOWN`."""
        return _band(score)


_SCORES = {
    Severity.CRITICAL: 9.5,
    Severity.HIGH: 8.0,
    Severity.UNKNOWN: 8.0,
    Severity.MEDIUM: 5.5,
    Severity.LOW: 2.0,
    Severity.INFO: 0.0,
}


_BANDS = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
)


_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.UNKNOWN: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}


_WORDS = {
    "critical": "critical",
    "blocker": "critical",
    "high": "high",
    "error": "high",
    "important": "high",
    "major": "high",
    "medium": "medium",
    "moderate": "medium",
    "warning": "medium",
    "low": "low",
    "minor": "low",
    "note": "low",
    "info": "info",
    "informational": "info",
    "negligible": "info",
    "none": "info",
}


@lru_cache(256)
def _severity(word: str) -> Severity:
    return Severity(_WORDS.get(word.strip().lower(), "unknown"))


@lru_cache(256)
def _band(score: float) -> Severity:
    if math.isnan(score):
        return Severity.UNKNOWN
    return next((severity for floor, severity in _BANDS if score >= floor), Severity.INFO)


class Category(StrEnum):
    """What kind of thing a scanner looks at."""

    SAST = "sast"
    SCA = "sca"
    DAST = "dast"
    CONTAINER = "container"
    SECRET = "secret"  # noqa: S105 - the name of a category
    IAC = "iac"
