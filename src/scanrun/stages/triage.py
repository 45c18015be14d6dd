"""What people have decided about findings: severities by rule, waivers, ignores in the source.

A decision becomes part of the result itself, so that a saved log is judged as it was shown.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from scanrun.config import Settings, Waiver
from scanrun.model import Severity
from scanrun.sarif.untrusted import as_number
from scanrun.sarif.view import FINGERPRINT

MARK = "scanrun/waiver"
"""Property of the suppressions that waivers made."""
ORIGINAL = "scanrun/original"
"""Property that holds what the scanner itself gave, where the configuration goes before it."""
_GIVEN = ("severity", "security-severity")


class Triage:
    """Applies the decisions of one configuration, and remembers which of them were of use.

    `today` is the day in UTC: a waiver no longer counts from the beginning of the day it names.
    """

    def __init__(self, settings: Settings, today: dt.date) -> None:
        self.today = today
        self._allow_inline = settings.policy.inline_ignores == "allow"
        self._waivers = settings.waiver
        live = [
            (number, waiver)
            for number, waiver in enumerate(settings.waiver)
            if not waiver.expired(today)
        ]
        self._by_id = {w.id.casefold(): n for n, w in reversed(live) if w.id}
        self._by_print = {w.fingerprint.casefold(): n for n, w in reversed(live) if w.fingerprint}
        self._severities = {
            (name, rule.casefold()): Severity(word)
            for name, scanner in settings.scanner.items()
            for rule, word in scanner.severity.items()
        }
        self._used: Counter[int] = Counter()
        self._used_severities: set[tuple[str, str]] = set()
        self._commented = 0
        self._by_tool = 0
        self._lock = Lock()  # scanners are converted side by side

    def apply(self, result: Mapping[str, Any], scanner: str) -> dict[str, Any]:
        """Return the result with its severity and its suppressions as the configuration has them.

        `suppressions` is always there: SARIF wants it on every result of a run or on none.
        """
        done = _as_scanned(result)
        if self._severities:
            self._set_severity(done, scanner)
        number = self._waiver_for(done)
        if number is None and not done.get("suppressions"):
            done["suppressions"] = []
        elif number is None:
            done["suppressions"] = [self._unwaived(each) for each in _foreign(done)]
            with self._lock:
                self._commented += any(map(_in_source, done["suppressions"]))
                self._by_tool += any(map(_by_tool, done["suppressions"]))
        else:
            with self._lock:
                self._used[number] += 1
            done["suppressions"] = [
                _suppression(self._waivers[number]),
                *(each for each in map(_accepted, _foreign(done)) if each is not None),
            ]
        return done

    def told(self) -> tuple[str, ...]:
        """Return what a reader of the verdict should know of the waivers, a sentence each."""
        return tuple(self._tell())

    def _set_severity(self, result: dict[str, Any], scanner: str) -> None:
        key = (scanner, str(result.get("ruleId", "")).casefold())
        if key in self._severities:
            _set_severity(result, self._severities[key])
            self._used_severities.add(key)

    def _waiver_for(self, result: Mapping[str, Any]) -> int | None:
        """Return the number of the waiver that fits; one for this very finding goes first."""
        if self._by_print:
            prints = _table(result.get("partialFingerprints"))
            number = self._by_print.get(str(prints.get(FINGERPRINT, "")).casefold())
            if number is not None:
                return number
        if not self._by_id:
            return None
        ids = (each.casefold() for each in _ids(result))
        return next((self._by_id[each] for each in ids if each in self._by_id), None)

    def _unwaived(self, suppression: Mapping[str, Any]) -> dict[str, Any]:
        """Return a suppression as it counts where no waiver backs it.

        One in the source, or made by the tool (its list of ignores lies in the tree as well), is
        kept and shown, but `underReview` takes its effect away, unless the policy allows a tree to
        clear itself. Doubt in what is not in the source is the tool's own, and stays.
        """
        doubted = _external(suppression) and suppression.get("status") == "underReview"
        if doubted or suppression.get("status") == "rejected":
            return dict(suppression)
        return {**suppression, "status": "accepted" if self._allow_inline else "underReview"}

    def _tell(self) -> Iterator[str]:
        if self._commented:
            yield _of_comments(self._commented, allowed=self._allow_inline)
        if self._by_tool:
            yield _of_tools(self._by_tool, allowed=self._allow_inline)
        if self._used:
            findings, waivers = self._used.total(), len(self._used)
            yield f"{_count(findings, 'finding')} waived by {_count(waivers, 'waiver')}"
        for number, waiver in enumerate(self._waivers):
            name = f"waiver of {waiver.selector!r}"
            if waiver.expired(self.today):
                yield f"{name} expired on {waiver.expires} and no longer counts"
            elif waiver.ends_soon(self.today):
                yield f"{name} expires on {waiver.expires}"
            if not waiver.expired(self.today) and not self._used[number]:
                yield f"{name} matched nothing in this run"
        for scanner, rule in sorted(self._severities.keys() - self._used_severities):
            yield f"severity of {rule!r} in [scanner.{scanner}] matched nothing in this run"


def _set_severity(result: dict[str, Any], severity: Severity) -> None:
    """Set level, rank and score as `Result.with_severity` does, and keep what the tool said."""
    properties = dict(_table(result.get("properties")))
    properties[ORIGINAL] = {key: properties[key] for key in _GIVEN if key in properties}
    result["properties"] = properties
    _put(result, severity, severity.score)


def _as_scanned(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with the severity that the tool gave: in a saved log, ours may be gone."""
    done = dict(result)
    if ORIGINAL in _table(result.get("properties")):
        properties = dict(result["properties"])
        original = _table(properties.pop(ORIGINAL))
        severity = Severity.of_word(str(original.get("severity", "")))
        score = as_number(original.get("security-severity"))
        done["properties"] = properties
        _put(done, severity, severity.score if score is None else score)
    return done


def _put(result: dict[str, Any], severity: Severity, score: float) -> None:
    result["properties"] |= {"severity": severity.value, "security-severity": f"{score:.1f}"}
    if result.get("kind", "fail") == "fail":
        result |= {"level": severity.level, "rank": round(score * 10, 1)}


def _suppression(waiver: Waiver) -> dict[str, Any]:
    properties = {MARK: waiver.selector}
    if waiver.expires is not None:
        properties["expires"] = waiver.expires.isoformat()
    return {
        "kind": "external",
        "status": "accepted",
        "justification": waiver.reason,
        "properties": properties,
    }


def _foreign(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the suppressions that no waiver made: in a saved log, that waiver may be gone."""
    found = result.get("suppressions")
    for each in found if isinstance(found, list) else ():
        # what is no object suppresses nothing
        if isinstance(each, Mapping) and MARK not in _table(each.get("properties")):
            yield each


def _in_source(suppression: Mapping[str, Any]) -> bool:
    """Say whether a comment made the suppression, and nobody has rejected it."""
    return not _external(suppression) and suppression.get("status") != "rejected"


def _by_tool(suppression: Mapping[str, Any]) -> bool:
    return _external(suppression) and suppression.get("status") != "rejected"


def _external(suppression: Mapping[str, Any]) -> bool:
    """Say whether it stands outside the source; of an unknown kind, it is taken for a comment."""
    return suppression.get("kind") == "external"


def _of_comments(number: int, *, allowed: bool) -> str:
    one = number == 1
    what = f"{_count(number, 'finding')} {'carries' if one else 'carry'} an ignore comment"
    if allowed:
        return f"{what} in the source, which is obeyed (policy.inline_ignores)"
    return f"{what} in the source; {'it counts' if one else 'they count'} all the same"


def _of_tools(number: int, *, allowed: bool) -> str:
    what = f"{_count(number, 'finding')} suppressed by the tool itself"
    if allowed:
        return f"{what}, which is obeyed (policy.inline_ignores)"
    return f"{what}; {'it counts' if number == 1 else 'they count'} all the same"


def _accepted(suppression: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a suppression as a waiver leaves it: people's decision goes before a tool's doubt.

    SARIF takes a result for suppressed only if every one of its suppressions is accepted.
    """
    if not _external(suppression):
        return {**suppression, "status": "accepted"}
    return dict(suppression) if suppression.get("status", "accepted") == "accepted" else None


def _ids(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rule's id and the other names that the world has for the same thing."""
    yield str(result.get("ruleId") or "")
    aliases = _table(result.get("properties")).get("aliases")
    yield from (str(each) for each in (aliases if isinstance(aliases, list) else ()))


def _table(value: object) -> Mapping[str, Any]:
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
