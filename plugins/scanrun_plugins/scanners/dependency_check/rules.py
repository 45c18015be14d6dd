"""Whether Dependency-Check will take a suppression file: one bad rule, and it drops all of them."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from xml.parsers import expat

from scanrun.api import Notification, StepError, Target
from scanrun_plugins.scanners.dependency_check.command import HOME, Options

_LARGEST = 16 << 20
_NAMESPACE = re.compile(
    r"https://(?:jeremylong|dependency-check)\.github\.io/DependencyCheck/"
    r"dependency-suppression\.1\.[1-4]\.xsd"
)
_WHAT = ("filePath", "sha1", "gav", "packageUrl")
_WHY = ("cpe", "cve", "vulnerabilityName", "cwe", "cvssBelow", "cvssV2Below", "cvssV3Below",
        "cvssV4Below")  # fmt: skip
_CVE = re.compile(r"(?:\w+-)?CVE-\d{4}-\d+|\d+")
_UNTIL = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?")
_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
_ONLY_JAVAS = re.compile(r"\\[QEpPhHRX]|&&|\\x\{|\(\?<")
"""Python's regular expressions say nothing about those."""


def suppression_files(target: Target, options: Options) -> dict[str, bytes]:
    """Return absolute path in the container -> content of each configured suppression file.

    Raises:
        StepError: there is none such in the tree, or Dependency-Check would drop it.
    """
    known = {file.path for file in target.files}
    found = {}
    for number, path in enumerate(options.suppressions):
        if path not in known:
            raise StepError(
                f"the suppression file {path!r} is not among the scanned files",
                hint="name it as a path in the scanned tree",
            )
        content = (target.snapshot.root / path).read_bytes()[: _LARGEST + 1]
        for line, problem in problems(content):
            raise StepError(
                f"{path!r} line {line}: {problem}",
                hint="Dependency-Check would drop every suppression for it",
            )
        found[f"{HOME}/suppressions-{number}.xml"] = content
    return found


def told(root: Path, options: Options) -> Iterator[Notification]:
    """Yield a word on rules that take findings out of the report, or more than they seem to."""
    for path in options.suppressions:
        text = (root / path).read_text("utf-8", "replace")
        if "<cpe" in text:
            yield Notification(
                f"{path!r} takes names of software (cpe) out: what is known of those is not in"
                " the report, not even as suppressed",
                path=path,
            )
        if re.search(r"<cvss\w*Below", text):
            yield Notification(
                f"{path!r} has cvssBelow, which suppresses what any of the scores is below of:"
                " CVSS 2 is often lower than CVSS 3",
                path=path,
            )


def problems(content: bytes) -> Iterator[tuple[int, str]]:
    """Yield line and reason of what makes Dependency-Check drop the file."""
    if len(content) > _LARGEST:
        yield 1, "it is over 16 MiB"
        return
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)  # noqa: FBT003 - expat's
    except (expat.ExpatError, ValueError) as error:
        yield getattr(error, "lineno", 1), f"it is no XML: {error}"
        return
    yield from reader.found


class _Reader:
    """Goes through a file once, and notes what is wrong and where."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._open: list[str] = []
        self._said: list[str] = []
        self._words = ""
        self._regex = False

    def _note(self, text: str) -> None:
        self.found.append((self.parser.CurrentLineNumber, text))

    def _doctype(self, *_: object) -> None:
        raise ValueError("a DOCTYPE is refused")

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        space, _, name = full.rpartition(" ")
        if not self._open and (name != "suppressions" or not _NAMESPACE.fullmatch(space)):
            self._note("the root is <suppressions> with dependency-suppression.1.3.xsd as xmlns")
        self._open.append(name)
        self._words = ""
        self._regex = attributes.get("regex") == "true"
        if name == "suppress":
            self._said = []
            self._suppress(attributes)

    def _suppress(self, attributes: dict[str, str]) -> None:
        if attributes.get("base", "false") != "false":
            self._note('base="true" would keep what it suppresses out of the report')
        if strange := sorted(attributes.keys() - {"until", "base"}):
            self._note(f"<suppress> has no attribute {strange[0]!a}")
        if (until := attributes.get("until")) is not None and not _is_date(until):
            self._note(f"until is a date such as 2030-01-31, not {until[:40]!a}")

    def _text(self, text: str) -> None:
        self._words += text

    def _end(self, _: str) -> None:
        name = self._open.pop()
        if name == "suppress":
            self._order()
        elif self._open[-1:] == ["suppress"]:
            self._said.append(name)
            self._value(name, self._words.strip())
        self._words = ""

    def _order(self) -> None:
        """Note what is not: notes, then which dependency, then which vulnerabilities."""
        ranks = [_rank(name) for name in self._said]
        if None in ranks:
            strange = next(name for name in self._said if _rank(name) is None)
            self._note(f"<suppress> holds no <{strange[:40]}>")
        elif ranks != sorted(each for each in ranks if each is not None):
            self._note("in <suppress>, what it is about stands before cve, cpe and the like")
        elif ranks.count(1) > 1 or ranks.count(0) > 1:
            self._note("<suppress> is about one dependency, with one text of notes")
        elif 2 not in ranks:  # noqa: PLR2004 - the last rank
            self._note("<suppress> names no cve, vulnerabilityName, cpe, cwe or cvssBelow")

    def _value(self, name: str, value: str) -> None:
        if name == "cve" and not _CVE.fullmatch(value):
            self._note(f"{value[:60]!a} is no CVE: use <vulnerabilityName>")
        elif name == "sha1" and not _SHA1.fullmatch(value):
            self._note("sha1 has 40 hexadecimal digits")
        elif name == "cwe" and not value.isdecimal():
            self._note("cwe is a number")
        elif name.startswith("cvss") and not re.fullmatch(r"\d{1,2}(?:\.\d+)?", value):
            self._note(f"{name} is a score")
        elif self._regex and not _ONLY_JAVAS.search(value):
            try:
                re.compile(value)
            except re.error as error:
                self._note(f"no regular expression: {error}")


def _rank(name: str) -> int | None:
    if name == "notes":
        return 0
    if name in _WHAT:
        return 1
    return 2 if name in _WHY else None


def _is_date(text: str) -> bool:
    match = _UNTIL.fullmatch(text)
    try:
        return match is not None and bool(date.fromisoformat(match[1]))
    except ValueError:
        return False
