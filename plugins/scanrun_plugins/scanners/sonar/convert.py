"""From a server's answers to rules and results: the verb is `convert_answers`."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Raw

from scanrun.api import ConversionError, Notification, Result, Rule, read_json
from scanrun_plugins.scanners.sonar.about import Mode
from scanrun_plugins.scanners.sonar.answers import Hotspot, Issue, RuleText, decoded
from scanrun_plugins.scanners.sonar.findings import (
    Context,
    hotspot_result,
    hotspot_rule_id,
    issue_result,
    rule_of,
    unknown_rule,
)
from scanrun_plugins.scanners.sonar.folder import About, Names, Summary
from scanrun_plugins.scanners.sonar.places import Places
from scanrun_plugins.scanners.sonar.raw import gaps, read_pages
from scanrun_plugins.scanners.sonar.severity import (
    Kind,
    kind_of,
    of_probability,
    severity_of,
)
from scanrun_plugins.scanners.sonar.task import ComputeTask

Item = Rule | Result | Notification
_SHOWN_WARNINGS = 20


@dataclass(slots=True)
class _Conversion:
    """One answer on its way."""

    context: Context
    ruled: set[str] = field(default_factory=set)
    seen: set[tuple[str, int]] = field(default_factory=set)

    def rule(self, raw: bytes | Raw) -> Iterator[Item]:
        text = decoded(raw, RuleText, "a rule of SonarQube")
        if text.key not in self.ruled and (text.description_sections or text.name):
            self.ruled.add(text.key)
            yield rule_of(text, self.context)

    def issue(self, raw: bytes | Raw) -> Iterator[Item]:
        issue = decoded(raw, Issue, "an issue of SonarQube")
        if not self._new(issue.key, raw):
            return
        if issue.rule not in self.ruled:
            self.ruled.add(issue.rule)
            severity = severity_of(issue, self.context.mode)
            yield unknown_rule(issue.rule, severity, kind_of(issue), self.context)
        yield issue_result(issue, self.context)

    def hotspot(self, raw: bytes | Raw) -> Iterator[Item]:
        hotspot = decoded(raw, Hotspot, "a hotspot of SonarQube")
        if not self._new(hotspot.key, raw):
            return
        rule_id = hotspot_rule_id(hotspot)
        if rule_id not in self.ruled:
            self.ruled.add(rule_id)
            severity = of_probability(hotspot.vulnerability_probability)
            yield unknown_rule(rule_id, severity, Kind.HOTSPOT, self.context)
        yield hotspot_result(hotspot, self.context)

    def _new(self, key: str, raw: bytes | Raw) -> bool:
        """Say whether a finding is seen for the first time: saved pages may overlap.

        Where somebody has blackened the keys, two findings may share one.
        """
        mark = key, hash(bytes(raw))
        if mark in self.seen:
            return False
        self.seen.add(mark)
        return True


def convert_answers(path: Path, *, count: Collection[str] = ()) -> Iterator[Item]:
    """Yield what a folder that `collect` filled, or a saved answer of the server, holds.

    `count` names kinds of issue that the gate is to count besides vulnerabilities and hotspots.

    Raises:
        ConversionError: it can't be read, is cut off, or is another tool's.
    """
    counted = frozenset(Kind(each) for each in count)
    yield from _folder(path, counted) if path.is_dir() else _saved(path, counted)


def version_in(path: Path) -> str:
    """Return the server's version; a saved answer does not tell it."""
    return read_json(path / Names.SERVER, About).version if path.is_dir() else ""


def _folder(folder: Path, counted: frozenset[Kind]) -> Iterator[Item]:
    summary = read_json(folder / Names.SUMMARY, Summary)
    about = read_json(folder / Names.SERVER, About)
    places = Places(read_json(folder / Names.COMPONENTS, dict[str, str]))
    mode = Mode(about.mode) if about.mode in set(Mode) else Mode.UNKNOWN
    context = Context(places, mode, counted, about.url, about.project, about.scope)
    conversion = _Conversion(context)
    for problem in summary.problems:
        yield Notification(problem, "error")
    yield from _warnings(read_json(folder / Names.TASK, ComputeTask))
    for line in _lines(folder / Names.RULES, summary.rules):
        yield from conversion.rule(line)
    for line in _lines(folder / Names.ISSUES, summary.issues):
        yield from conversion.issue(line)
    for line in _lines(folder / Names.HOTSPOTS, summary.hotspots):
        yield from conversion.hotspot(line)


def _warnings(task: ComputeTask) -> Iterator[Notification]:
    for text in task.warnings[:_SHOWN_WARNINGS]:
        yield Notification(f"the server warns: {text}", "note")


def _lines(path: Path, expected: int) -> Iterator[bytes]:
    """Yield the lines of a file, of which there have to be `expected`."""
    held = 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                held += 1
                yield line
    except OSError as error:
        raise ConversionError(f"{path.name!r} can't be read: {error.strerror}") from error
    if held != expected:
        raise ConversionError(f"{path.name!r} holds {held} lines, and should hold {expected}")


def _saved(path: Path, counted: frozenset[Kind]) -> Iterator[Item]:
    pages = read_pages(path)
    components = {each.key: each.path for page in pages for each in page.components}
    conversion = _Conversion(Context(Places(components), counted=counted))
    for gap in gaps(pages):
        yield Notification(gap, "error")
    for page in pages:
        for raw in page.rules:
            yield from conversion.rule(raw)
        for raw in page.issues or ():
            yield from conversion.issue(raw)
        for raw in page.hotspots or ():
            yield from conversion.hotspot(raw)
    if not conversion.seen:
        yield Notification(
            "there is nothing in it; a server answers the same of a project that is not there,"
            " or that may not be seen",
            "error",
        )
