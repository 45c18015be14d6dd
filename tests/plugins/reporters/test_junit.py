import io
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from scanrun.model import Condition, GatePolicy, Outcome, ScanResult, Severity, Status, Verdict
from scanrun.sarif.view import Finding
from scanrun.stages.gate import judge
from scanrun_plugins.reporters.junit import JUnit


def finding(severity="high", **more):
    given = {
        "scanner": "scan",
        "category": "sast",
        "rule_id": "R1",
        "score": 8.0,
        "message": "bad",
        "uri": "a.py",
        "path": "a.py",
        "line": 3,
        **more,
    }
    return Finding(severity=Severity(severity), **given)


def report(*findings, scanners=None, fail_on="high"):
    """Return the scanners' suites."""
    return whole_report(*findings, scanners=scanners, fail_on=fail_on)[:-1]


def whole_report(*findings, scanners=None, fail_on="high", conditions=()):
    scanners = scanners or (ScanResult(name="scan", category="sast", status=Status.COMPLETED),)
    verdict = Verdict(
        run_id="r",
        status=Outcome.FAILED,
        exit_code=1,
        reason="because",
        fail_on=fail_on,
        counts={},
        scanners=scanners,
        conditions=conditions,
    )
    stream = io.BytesIO()
    JUnit().write(stream, iter(findings), verdict)
    return ET.fromstring(stream.getvalue())


def numbers(suite):
    return {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}


def test_what_fails_the_gate_fails_what_is_suppressed_is_skipped_the_rest_passes():
    (suite,) = report(
        finding(),
        finding("medium"),
        finding("unknown"),
        finding(suppressed=True, justification="ok"),
    )

    assert numbers(suite) == {"tests": 5, "failures": 2, "errors": 0, "skipped": 1}
    kinds = [[child.tag for child in case] for case in suite]
    assert kinds == [[], ["failure"], ["system-out"], ["failure"], ["skipped"]]
    assert suite[4][0].get("message") == "ok"


def test_with_fail_on_never_nothing_fails():
    (suite,) = report(finding("critical"), fail_on="never")

    assert numbers(suite)["failures"] == 0


def test_a_case_says_what_where_and_what_to_do():
    (suite,) = report(finding(fix="use b", help_uri="https://example.org", fingerprint="f00"))

    case = suite[1]
    assert (case.get("classname"), case.get("file"), case.get("line")) == ("scan.R1", "a.py", "3")
    assert case[0].get("message") == "high: bad"
    for part in ("a.py:3", "use b", "https://example.org", "f00"):
        assert part in case[0].text


def test_a_scanner_that_did_not_complete_is_an_error():
    broken = ScanResult(
        name="trivy", category="sca", status=Status.FAILED, reason="no image", hint="pull it"
    )

    (suite,) = report(scanners=(broken,))

    assert numbers(suite) == {"tests": 1, "failures": 0, "errors": 1, "skipped": 0}
    assert suite[0][0].get("message") == "no image"
    assert "pull it" in suite[0][0].text


@pytest.mark.parametrize(("required", "tag"), [(True, "error"), (False, "skipped")])
def test_a_scanner_that_does_not_apply_is_skipped_unless_required(required, tag):
    other = ScanResult(
        name="zizmor",
        category="sast",
        status=Status.NOT_APPLICABLE,
        reason="no workflows",
        required=required,
    )

    (suite,) = report(scanners=(other,))

    assert [child.tag for child in suite[0]] == [tag]


def test_each_scanner_has_its_suite_with_its_time():
    started, ended = (datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC) for second in (5, 7))
    scanners = (
        ScanResult(
            name="a", category="sast", status=Status.COMPLETED, started=started, ended=ended
        ),
        ScanResult(name="b", category="sast", status=Status.COMPLETED),
    )

    suites = report(finding(scanner="a"), scanners=scanners)

    assert [suite.get("name") for suite in suites] == ["a", "b"]
    assert (suites[0].get("time"), suites[0].get("timestamp")) == ("2.000", "2026-01-02T03:04:05")


@pytest.mark.parametrize(
    "text",
    ["a\x00b\x1b[31m", "]]></failure><x>", "\"'&<>", "\ufffe\uffff", "caf\udce9", "a\nb\tc"],
    ids=["control", "markup", "quotes", "noncharacters", "surrogate", "white space"],
)
def test_no_text_can_break_the_xml(text):
    hostile = finding(message=text, rule_id=text, path=text, component=text, justification=text)

    (suite,) = report(hostile, finding(suppressed=True, justification=text))

    assert numbers(suite)["tests"] == len(suite) == 3


def test_what_was_not_read_of_the_tree_is_an_error_and_no_failure():
    scanner = ScanResult(name="scan", category="sast", status=Status.COMPLETED, required=True)
    verdict = judge((scanner,), GatePolicy(), run_id="r", unread=["'a.py' (unreadable)"])

    gate = whole_report(conditions=verdict.conditions)[-1]

    assert (numbers(gate)["failures"], numbers(gate)["errors"]) == (0, 1)
    assert "'a.py' (unreadable)" in gate.find("testcase/error").get("message")


def test_a_broken_limit_and_incompleteness_are_seen_without_a_finding():
    conditions = (
        Condition("fail on high", passed=True, detail="none"),
        Condition("at most 5 medium findings", passed=False, detail="6 medium findings"),
        Condition("complete", passed=False, detail="no scanner ran"),
    )

    gate = whole_report(conditions=conditions)[-1]

    assert numbers(gate) == {"tests": 3, "failures": 1, "errors": 1, "skipped": 0}
    assert [[child.get("message") for child in case] for case in gate] == [
        [],
        ["6 medium findings"],
        ["no scanner ran"],
    ]
