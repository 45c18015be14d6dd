"""JUnit XML: a test suite for each scanner and the gate, a test case for each finding.

What CodeBuild's report groups and Jenkins read. https://github.com/testmoapp/junitxml
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from scanrun.api import Finding, Reporter, ScanResult, Severity, Status, Verdict, hookimpl

_NO_XML = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""What no XML 1.0 document may hold, not even escaped; and what turns a line around."""
_UNKNOWN = frozenset({"complete", "the tree could be read"})
"""Conditions that say how much is known, not that anything bad was found."""
_SUMMARY = 200
_BLOCK = 1 << 20


class JUnit:
    """Findings that the gate counts fail; suppressed ones are skipped; the others pass."""

    name = "junit"
    filename = "junit.xml"

    def write(self, stream: IO[bytes], findings: Iterator[Finding], verdict: Verdict) -> None:
        """Write suite after suite; a suite's numbers stand before its cases, so it is spooled."""
        told = {result.name: result for result in verdict.scanners}
        stream.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="scanrun">\n')
        seen = set()
        for scanner, group in groupby(findings, key=lambda finding: finding.scanner):
            seen.add(scanner)
            _suite(stream, scanner, group, told.get(scanner), verdict)
        for scanner, result in told.items():
            if scanner not in seen:
                _suite(stream, scanner, (), result, verdict)
        _put(stream, "gate", {}, _gate_cases(verdict))
        stream.write(b"</testsuites>\n")


def _suite(
    stream: IO[bytes],
    scanner: str,
    findings: Iterable[Finding],
    result: ScanResult | None,
    verdict: Verdict,
) -> None:
    times = {"time": f"{result.duration_s:.3f}" if result else "0"}
    if result and result.started:
        times["timestamp"] = result.started.strftime("%Y-%m-%dT%H:%M:%S")
    cases = (_case(finding, verdict) for finding in findings)
    _put(stream, scanner, times, chain(_scan_case(scanner, result), cases))


def _put(
    stream: IO[bytes], name: str, times: Mapping[str, str], cases: Iterable[tuple[str, str]]
) -> None:
    """Write one suite: its cases, a kind and its XML each, behind their numbers."""
    numbers: Counter[str] = Counter()
    with tempfile.TemporaryFile() as spool:
        for kind, case in cases:
            numbers.update(("tests", kind))
            spool.write(case.encode())
        counts = {key: numbers[key] for key in ("tests", "failures", "errors", "skipped")}
        stream.write(_tag("testsuite", {"name": name, **counts, **times}).encode() + b"\n")
        spool.seek(0)
        while block := spool.read(_BLOCK):
            stream.write(block)
    stream.write(b"</testsuite>\n")


def _gate_cases(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Yield a case for each condition: a broken limit is nobody's finding, and must be seen."""
    for condition in verdict.conditions:
        head = _tag("testcase", {"classname": "gate", "name": condition.name, "time": "0"})
        if condition.passed:
            yield "passed", f"{head}</testcase>\n"
            continue
        unknown = condition.name in _UNKNOWN
        kind, tag = ("errors", "error") if unknown else ("failures", "failure")
        told = _tag(tag, {"message": _line(condition.detail), "type": verdict.status.value})
        yield kind, f"{head}{told}{_text(condition.detail)}</{tag}></testcase>\n"


def _scan_case(scanner: str, result: ScanResult | None) -> Iterator[tuple[str, str]]:
    """Yield the case that says how the scan itself went: a suite without any looks forgotten."""
    if result is None:
        return
    head = _tag("testcase", {"classname": scanner, "name": "scan", "time": "0"})
    reason = result.reason or result.status.value
    if result.status is Status.COMPLETED:
        yield "passed", f"{head}</testcase>\n"
    elif result.status is Status.FAILED or result.required:
        told = _tag("error", {"message": _line(reason), "type": "incomplete"})
        text = "\n".join(part for part in (reason, result.hint) if part)
        yield "errors", f"{head}{told}{_text(text)}</error></testcase>\n"
    else:
        yield (
            "skipped",
            f"{head}{_tag('skipped', {'message': _line(reason)})}</skipped></testcase>\n",
        )


def _kind(finding: Finding, verdict: Verdict) -> str:
    if finding.suppressed:
        return "skipped"
    counts = verdict.fail_on != "never" and finding.severity.reaches(Severity(verdict.fail_on))
    return "failures" if counts else "passed"


def _case(finding: Finding, verdict: Verdict) -> tuple[str, str]:
    kind = _kind(finding, verdict)
    named = dict.fromkeys((finding.rule_id, finding.component, finding.place))
    attributes = {
        "classname": f"{finding.scanner}.{finding.rule_id}",
        "name": " ".join(part for part in named if part),
        "file": finding.path,
        "line": finding.line or 1,
        "time": "0",
    }
    body = _BODIES[kind](finding, _text(_details(finding, finding.place)))
    return kind, f"{_tag('testcase', attributes)}{body}</testcase>\n"


def _failure(finding: Finding, details: str) -> str:
    message = _line(f"{finding.severity}: {finding.message}")
    return f"{_tag('failure', {'message': message, 'type': finding.severity})}{details}</failure>"


def _skipped(finding: Finding, details: str) -> str:
    message = _line(finding.justification or "suppressed")
    return f"{_tag('skipped', {'message': message})}{details}</skipped>"


def _passed(_: Finding, details: str) -> str:
    return f"<system-out>{details}</system-out>"


_BODIES = {
    "failures": _failure,
    "skipped": _skipped,
    "passed": _passed,
}


def _details(finding: Finding, place: str) -> str:
    lines = (
        finding.message,
        f"severity: {finding.severity} ({finding.score})",
        f"place: {place}",
        f"fix: {finding.fix}" if finding.fix else "",
        finding.help_uri,
        f"fingerprint: {finding.fingerprint}" if finding.fingerprint else "",
    )
    return "\n".join(line for line in lines if line)


def _line(text: str) -> str:
    return " ".join(text.split())[:_SUMMARY]


def _tag(name: str, attributes: Mapping[str, object]) -> str:
    given = (f" {key}={quoteattr(_clean(str(value)))}" for key, value in attributes.items())
    return f"<{name}{''.join(given)}>"


def _text(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """Return `text` with what XML can't hold shown as U+FFFD."""
    return _NO_XML.sub("\ufffd", text)


@hookimpl
def scanrun_register_reporters() -> list[Reporter]:
    """Add JUnit."""
    return [JUnit()]
