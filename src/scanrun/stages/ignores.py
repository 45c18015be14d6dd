"""Which results a comment in the source asks to leave out: the verb is `mark`.

The scanners are made to tell all they find. What a comment would have hidden is found here, in the
tree itself, and becomes a suppression in the source, which the triage has the last word on.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from scanrun.contracts import HasIgnores, Scanner
from scanrun.model import Ignore, Reach, Snapshot
from scanrun.sarif.mask import clean_text
from scanrun.sarif.uri import decode_path
from scanrun.source import SourceLines

_LONGEST_LINE = 8192
_LONGEST_BLOCK = 2000
_LONGEST_PLACE = 500
_MOST_ABOVE = 50
_MOST_PLACES = 100_000
_PRICE = 10
"""Of a comment, in places: a hostile file has as many as it likes."""
_FILES_KEPT = 8
_REASON_LIMIT = 300
_ALONE = re.compile(r"\s*(?:#|//|/\*|\*)")


@dataclass(frozen=True, slots=True)
class _Comment:
    """An ignore comment, and the rules that it names (None: all)."""

    number: int
    reach: Reach
    rules: tuple[re.Pattern[str], ...] | None
    reason: str

    def names(self, names: frozenset[str]) -> bool:
        """Say whether it means a rule that goes by these names."""
        if self.rules is None:
            return True
        return any(rule.fullmatch(name) for rule in self.rules for name in names)


@dataclass(slots=True)
class _Comments:
    """The comments of one file, by the lines that they are about. Never very many of them."""

    on_line: dict[int, list[_Comment]] = field(default_factory=dict)
    of_file: list[_Comment] = field(default_factory=list)
    room: int = _MOST_PLACES

    def add(self, comment: _Comment, lines: range) -> None:
        """Take a comment that is about these lines."""
        self.room -= len(lines) + _PRICE
        if comment.reach is Reach.FILE:
            self.of_file.append(comment)
            return
        for number in lines:
            self.on_line.setdefault(number, []).append(comment)

    def about(self, first: int, last: int) -> Iterator[_Comment]:
        """Yield those about a place.

        Of a comment that is about a block only the place's beginning is asked: one further down
        may be about a part of the place.
        """
        yield from self.on_line.get(first, ())
        for number in range(first + 1, min(last, first + _LONGEST_PLACE) + 1):
            inside = self.on_line.get(number, ())
            yield from (each for each in inside if each.reach is Reach.LINE)
        yield from self.of_file


_NONE = _Comments()


class IgnoreComments:
    """Knows the comments in the files of one scanner's results.

    In doubt a result is not marked: it then counts, whatever the policy.
    """

    def __init__(self, scanner: Scanner, snapshot: Snapshot, today: dt.date) -> None:
        found = scanner.ignores if isinstance(scanner, HasIgnores) else ()
        self._ignores = [(each, re.compile(each.pattern)) for each in found]
        self._source = SourceLines(snapshot)
        self._today = today
        self._comments = lru_cache(_FILES_KEPT)(self._read)

    def mark(self, result: dict[str, Any], rule: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return `result`, with a suppression where a comment speaks of it."""
        if not self._ignores or result.get("suppressions"):
            return result
        physical = result["locations"][0]["physicalLocation"]
        comments = self._comments(physical["artifactLocation"]["uri"])
        if comments is _NONE:
            return result
        names = frozenset(_names(result, rule or {}))
        for comment in comments.about(*_extent(physical)):
            if comment.names(names):
                text = comment.reason or f"ignore comment on line {comment.number}"
                return {**result, "suppressions": [{"kind": "inSource", "justification": text}]}
        return result

    def _read(self, uri: str) -> _Comments:
        lines, comments = _Lines(self._source.of(decode_path(uri))), _Comments()
        for number in range(1, len(lines) + 1):
            for ignore, pattern in self._ignores:
                for match in pattern.finditer(lines.text(number)):
                    if not self._is_over(match) and comments.room > 0:
                        comment = _Comment(number, ignore.reach, _rules(match), _reason(match))
                        comments.add(comment, _reached(ignore, pattern, lines, number))
        return comments if comments.room < _MOST_PLACES else _NONE

    def _is_over(self, match: re.Match[str]) -> bool:
        until = match.groupdict().get("until")
        try:
            return until is not None and self._today >= dt.date.fromisoformat(until)
        except ValueError:
            return True


class _Lines:
    """The lines of a file, counted from 1, as text."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def text(self, number: int) -> str:
        """Return a line; of a very long one its beginning, and nothing where there is none."""
        if not 0 < number <= len(self._lines):
            return ""
        return self._lines[number - 1][:_LONGEST_LINE].decode("utf-8", "replace")

    def block(self, head: int) -> int:
        """Return the last line of the block that a line is the head of: what stands further in."""
        limit = min(len(self), head + _LONGEST_BLOCK)
        last, indent = head, _indent(self.text(head))
        for number in range(head + 1, limit + 1):
            text = self.text(number)
            if text.strip() and _indent(text) <= indent:
                break
            last = number
        return last


def _reached(ignore: Ignore, pattern: re.Pattern[str], lines: _Lines, number: int) -> range:
    """Return the lines that a comment is about."""
    if ignore.reach is not Reach.BLOCK:
        return range(number, number + 1)
    # on a line of its own it is about the next line, past others of its kind
    for _ in range(_MOST_ABOVE):
        if not (_ALONE.match(lines.text(number)) and pattern.search(lines.text(number))):
            break
        number += 1
    return range(number, lines.block(number) + 1)


def _rules(match: re.Match[str]) -> tuple[re.Pattern[str], ...] | None:
    rules = match.groupdict().get("rules")
    return None if rules is None else tuple(_wanted(rules))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _extent(physical: Mapping[str, Any]) -> tuple[int, int]:
    """Return the first and last line of what a result is about, its statement if that is known."""
    region = physical.get("contextRegion") or physical.get("region") or {}
    first = region.get("startLine", 1)
    return first, max(first, region.get("endLine", first))


def _names(result: Mapping[str, Any], rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield all names that a rule goes by."""
    aliases = (result.get("properties") or {}).get("aliases") or ()
    given = (result["ruleId"], rule.get("name"), *aliases)
    yield from (plain for each in given if each and (plain := _plain(str(each))))


def _wanted(rules: str) -> Iterator[re.Pattern[str]]:
    for word in re.split(r"[,\s]+", rules):
        parts = [_plain(part) for part in word.split("*")]
        if len(parts) > 1 or parts[0]:
            yield re.compile(".*".join(parts))


def _plain(name: str) -> str:
    """Return a name without what people write now one way and now another."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _reason(match: re.Match[str]) -> str:
    text = clean_text(match.groupdict().get("reason") or "", _REASON_LIMIT)
    return " ".join(text.strip(" \t-–—:;,#*/()[]").split())  # noqa: RUF001 - people do write it
