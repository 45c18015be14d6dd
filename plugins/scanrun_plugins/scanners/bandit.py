"""Bandit: common mistakes in Python code. Read from its JSON; its SARIF loses and misplaces.

https://bandit.readthedocs.io
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scanrun.api import (
    Applies,
    Canary,
    Category,
    Driver,
    Ignore,
    Influence,
    Input,
    Notification,
    Outputs,
    Result,
    Rule,
    Scanner,
    Severity,
    Sign,
    Step,
    Target,
    hookimpl,
    read_json,
    result,
    rule,
)
from scanrun_plugins.scanners.python_files import not_read

IMAGE = "ghcr.io/pycqa/bandit/bandit:1.9.4"
REPORT = "/out/bandit.json"
SETTINGS = "/etc/bandit/bandit.ini"
PYTHON = ("*.py", "*.pyw")

_TELLING = frozenset({"B105", "B106", "B107"})
"""Rules whose message quotes the password."""
_WORD = r"(?:B\d+|\w+_\w+)"
_NOSEC = rf"(?i)#\s*nosec:?\s*(?P<rules>{_WORD}(?:[,\s]+{_WORD})*|\w+(?=\s*(?:#|$)))?(?P<reason>.*)"
"""A word alone is the name of a test, as far as we can know; several are a reason."""
_PRECISION = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low"}


class _Cwe(msgspec.Struct):
    id: int = 0


class _Issue(msgspec.Struct):
    test_id: str
    test_name: str
    issue_text: str
    issue_severity: str
    issue_confidence: str
    filename: str
    line_number: int
    more_info: str = ""
    col_offset: int = -1
    end_col_offset: int = -1
    line_range: list[int] = msgspec.field(default_factory=list)
    issue_cwe: _Cwe = msgspec.field(default_factory=_Cwe)


class _Error(msgspec.Struct):
    filename: str
    reason: str


class _Report(msgspec.Struct):
    errors: list[_Error]
    metrics: dict[str, Any]
    results: list[_Issue]


class Bandit:
    """Scans all Python files; a file it can't parse makes the scan incomplete."""

    name = "bandit"
    category = Category.SAST
    driver = Driver("Bandit", "Bandit for Python", "PyCQA", "https://bandit.readthedocs.io")
    on_request = False
    embedded = True
    signs = (
        Sign(r"Bandit internal error running: \S+", "a test failed inside a file"),
        Sign(r"\[(?:tester|manager)\]\s+ERROR", "a file was not scanned whole"),
        Sign(r"Exception occurred when executing tests against", "a file was not scanned"),
    )

    tells: Mapping[str, Influence] = {
        ".bandit": Influence(effect="switches tests off", left_out=False),
        "pyproject.toml": Influence(
            effect="has settings of bandit",
            left_out=False,
            holding=r"^\s*\[\s*tool\s*\.\s*bandit\b",
        ),
    }
    ignores = (Ignore(_NOSEC),)

    def applies(self, target: Target) -> Applies:
        """Apply to Python files."""
        return Applies.to(target.match(*PYTHON), "Python file")

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Give it settings of our own: else any `.bandit` in the tree could switch it off."""
        argv = ("-q", "-r", "--ini", SETTINGS, "--ignore-nosec", "-x", "", "-f", "json")
        return (
            Step.scan(
                IMAGE,
                (*argv, "-o", REPORT, *target.args, "."),
                output=REPORT,
                ok_exit_codes={0, 1},
                executable="bandit",
                workdir="/src",
                files={SETTINGS: b"[bandit]\n"},
            ),
        )

    def canary(self) -> Canary:
        """Return a call that is never right."""
        return Canary({"canary.py": b"exec(input())\n"}, rule_id="B102")

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return the files that it looks for."""
        return tuple(Input(file.path, "Python file") for file in target.match(*PYTHON))

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return the files with metrics; those it could not parse are told as errors."""
        report = read_json(outputs[REPORT], _Report)
        return _looked_at(report)

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what it found, and each file that it could not scan as an error."""
        report = read_json(outputs[REPORT], _Report)
        yield from not_read(outputs.snapshot, PYTHON)
        if not _looked_at(report):
            yield Notification("Bandit names no file that it has looked at", level="error")
        for error in sorted(report.errors, key=lambda each: each.filename):
            path = _path(error.filename)
            yield Notification(f"{path}: {error.reason}", level="error", path=path)
        by_rule: dict[str, list[_Issue]] = {}
        for issue in report.results:
            by_rule.setdefault(issue.test_id, []).append(issue)
        for issues in by_rule.values():
            # a test may be worse in one place than in another; the rule is as bad as it gets
            yield _rule(max(issues, key=lambda each: _severity(each).score))
            yield from map(_result, issues)


def _looked_at(report: _Report) -> frozenset[str]:
    """Return the files with metrics: given a folder without `-r`, Bandit reads none of it."""
    return frozenset(_path(name) for name in report.metrics if name != "_totals")


def _rule(issue: _Issue) -> Rule:
    return rule(
        issue.test_id,
        short=_name(issue),
        full=_text(issue),
        severity=_severity(issue),
        category=Category.SAST,
        cwe=(issue.issue_cwe.id,),
        precision=_PRECISION.get(issue.issue_confidence, ""),
        help_uri=issue.more_info,
    )


def _name(issue: _Issue) -> str:
    """Return the rule's name. All blacklists share one; their own is in the link."""
    anchor = issue.more_info.rpartition("#")[2] if "#" in issue.more_info else ""
    own = anchor.lower().removeprefix(f"{issue.test_id.lower()}-") or issue.test_id
    name = own if issue.test_name == "blacklist" else issue.test_name
    return name.replace("_", " ").replace("-", " ")


def _result(issue: _Issue) -> Result:
    # its line_range spans a whole literal, so only the end of a one-line issue is known
    one_line = len(issue.line_range) <= 1
    end_column = issue.end_col_offset + 1 if one_line and issue.end_col_offset > 0 else None
    return result(
        issue.test_id,
        _text(issue),
        path=_path(issue.filename),
        severity=_severity(issue),
        line=max(1, issue.line_number),
        column=issue.col_offset + 1 if issue.col_offset >= 0 else None,
        end_column=end_column,
        context=None if one_line else (min(issue.line_range), max(issue.line_range)),
        properties={"confidence": issue.issue_confidence.lower()},
    )


def _text(issue: _Issue) -> str:
    return issue.issue_text.partition(":")[0] if issue.test_id in _TELLING else issue.issue_text


def _severity(issue: _Issue) -> Severity:
    return Severity.of_word(issue.issue_severity)


def _path(name: str) -> str:
    return name.removeprefix("./")


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add Bandit."""
    return [Bandit()]
