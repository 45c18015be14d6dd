"""How bad Dependency-Check says a vulnerability is: CVSS 4, then 3, then 2, then a word."""

from scanrun.api import Severity
from scanrun_plugins.scanners.dependency_check.report import Cvss, Vulnerability

_HIGHEST = 10.0
_END_OF_HIGH = 8.9
"""CVSS 2 knows no critical: from 7 on, all is high."""


def judged(item: Vulnerability) -> tuple[Severity, float | None]:
    """Return the severity, and the score it comes from if there is one.

    The newest score goes first, not the highest. Where nothing is told, nothing is guessed:
    `UNKNOWN` is gated as high.
    """
    for newer in (item.cvssv4, item.cvssv3):
        if newer is not None and (found := _of_score(newer)) is not None:
            return found, newer.base_score
    score = item.cvssv2.score if item.cvssv2 else None
    if score is not None and 0 < score <= _HIGHEST:
        score = min(score, _END_OF_HIGH)
        return Severity.of_score(score), score
    return _of_word(item.severity), None


def _of_score(cvss: Cvss) -> Severity | None:
    """Return the band of a score. 0 is what a missing score looks like, unless it says "none"."""
    score = cvss.base_score
    if score is None or not 0 <= score <= _HIGHEST:
        return None
    if score == 0 and cvss.base_severity.upper() != "NONE":
        return None
    return Severity.of_score(score)


def _of_word(word: str) -> Severity:
    """Return what the word means; it may also be a number, of which -1 and 0 say nothing.

    `Unknown`, `UNKNOWN` and the misspelt `UNKOWN` do occur, and are no word of ours.
    """
    try:
        score = float(word)
    except ValueError:
        return Severity.of_word(word)
    return Severity.of_score(score) if 0 < score <= _HIGHEST else Severity.UNKNOWN
