"""ZAP's rule file: read before ZAP does, which would break off at it, or look at nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scanrun.api import App, Snapshot, StepError
from scanrun_plugins.scanners.web.texts import one_line
from scanrun_plugins.scanners.zap.context import excluded_by
from scanrun_plugins.scanners.zap.options import Crawling, Options
from scanrun_plugins.scanners.zap.tree_file import tree_file

NAME = "rules.tsv"
_LEVELS = frozenset({"PASS", "IGNORE", "INFO", "WARN", "FAIL"})
_OUT = "OUTOFSCOPE"
_LEAST_PARTS = 3
_ID = re.compile(r"\d{1,9}")
_HOST = "[^/]+//[^/]+"
_NOT_WHOLE = re.compile(r"(?i)(?:\^|\(\?[a-z]+\)|\((?:\?:)?)*(?:\\?/|(?!h)[a-z0-9])")
"""Patterns that begin so match no whole address: they ask for a path, or for a word."""
_QUERY = (r"\?", "[?]")
_OPTIONAL_QUERY = re.compile(r"\((?:\?:)?(?:\\\?|\[\?\])[^()]*\)[?*]|(?:\\\?|\[\?\])[?*]")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a configuration says of rules and pages."""

    levels: Mapping[str, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    """Pages that are not looked at."""
    filtered: tuple[tuple[str, str], ...] = ()
    """Numbers of rules, with commas between, and the pages on which they don't count."""

    def tsv(self) -> bytes:
        """Return it as zap-baseline.py's own file; empty where it says nothing."""
        rows = (
            *((number, level, "(rule)") for number, level in self.levels.items()),
            *(("*", _OUT, pattern) for pattern in self.excluded),
            *((numbers, _OUT, pattern) for numbers, pattern in self.filtered),
        )
        return "".join("\t".join(row) + "\n" for row in rows).encode()

    def ignored(self, plugin: str) -> str:
        """Return why what a rule finds is to be suppressed; empty where it is not."""
        return "IGNORE in ZAP's rules" if self.levels.get(plugin) == "IGNORE" else ""

    def told(self) -> Iterator[str]:
        """Yield a sentence on each thing that is not looked at."""
        for pattern in self.excluded:
            if why := _never(pattern):
                yield f"still looked at: what {pattern!a:.300} is to exclude, for {why}"
            else:
                yield f"not looked at: addresses that match {pattern!a:.300}"
        for numbers, pattern in self.filtered:
            yield f"out of scope for rule {numbers}: addresses that match {pattern!a:.300}"


def rule_set(options: Crawling, snapshot: Snapshot) -> RuleSet:
    """Return what the configuration says.

    Raises:
        StepError: a file that it names is not there, or has a line that ZAP does not take, or
            `exclude` has a pattern that matches nothing.
    """
    levels: dict[str, str] = {}
    excluded = [*map(_own_pattern, options.exclude), *excluded_by(options, snapshot)]
    filtered: list[tuple[str, str]] = []
    if isinstance(options, Options):
        if options.rules_file:
            content = tree_file(snapshot, options.rules_file, "rule file")
            for number, line in enumerate(_lines(content, options.rules_file), 1):
                _take(line, f"{options.rules_file!r} line {number}", levels, excluded, filtered)
        levels.update(options.rules)
    for pattern in (*excluded, *(each for _, each in filtered)):
        _check_pattern(pattern)
    return RuleSet(levels, tuple(dict.fromkeys(excluded)), tuple(filtered))


def _own_pattern(pattern: str) -> str:
    """Return a pattern of `exclude` as ZAP matches it: one that begins with `/` is a path.

    Raises:
        StepError: it can't match any address, and what it means would be looked at.
    """
    if pattern.startswith("/"):
        pattern = _HOST + (f"(?:{pattern})" if "|" in pattern else pattern)
    if why := _never(pattern):
        raise StepError(
            f"`exclude` has {pattern!a:.200}, which excludes nothing: {why}",
            hint=r"write a path (`/logout`), or a pattern of whole addresses (`.*/logout`)",
        )
    return pattern


def _never(pattern: str) -> str:
    """Return why a pattern surely matches no address; empty where it may."""
    if "|" in pattern and "http" in pattern:
        return ""
    due = _OPTIONAL_QUERY.sub("", pattern)
    if "|" not in due and any(each in due for each in _QUERY):
        return "ZAP matches addresses without their query"
    if _NOT_WHOLE.match(pattern):
        return "ZAP matches whole addresses, from http on"
    return ""


def check_scope(rules: RuleSet, app: App) -> None:
    """Refuse rules by which nothing would be looked at: ZAP then tells of nothing but passes.

    Raises:
        StepError: the page at which the scan begins is excluded.
    """
    bare = app.url.partition("?")[0].rstrip("/")
    starts = (bare, f"{bare}/")
    for pattern in rules.excluded:
        if any(re.fullmatch(pattern, start, re.IGNORECASE) for start in starts):
            raise StepError(
                f"{pattern!a:.200} excludes {app.url}, at which the scan begins",
                hint="narrow `exclude`, the OUTOFSCOPE lines of `rules_file`, or the context",
            )


def _lines(content: bytes, path: str) -> list[str]:
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise StepError(f"the rule file {path!r} is no text in UTF-8") from error


def _take(
    line: str,
    where: str,
    levels: dict[str, str],
    excluded: list[str],
    filtered: list[tuple[str, str]],
) -> None:
    if not line.strip() or line.startswith("#"):
        return
    parts = line.split("\t")
    if len(parts) < _LEAST_PARTS:
        raise _refused(where, line, "it needs two tabs: NUMBER, LEVEL, (name)")
    numbers, level, rest = (part.strip() for part in parts[:3])
    if level == _OUT and numbers == "*":
        excluded.append(rest)
    elif level == _OUT and all(_ID.fullmatch(each.strip()) for each in numbers.split(",")):
        filtered.append((numbers.replace(" ", ""), rest))
    elif level in _LEVELS and _ID.fullmatch(numbers):
        levels[numbers] = "WARN" if level == "PASS" else level
    elif level not in {_OUT, *_LEVELS}:
        raise _refused(where, line, f"the level is one of {', '.join(sorted(_LEVELS))}, {_OUT}")
    else:
        raise _refused(where, line, "a rule is named by its number, without a variant (10038)")


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise StepError(f"{pattern!a:.200} is no regular expression: {error}") from error
    if not pattern or set(pattern) & set("\t\r\n\0"):
        raise StepError(f"{pattern!a:.200} can't be a pattern of ZAP's")


def _refused(where: str, line: str, why: str) -> StepError:
    return StepError(f"{where} ({one_line(line, 80)!a}): {why}", hint="ZAP would break off at it")
