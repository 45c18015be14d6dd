import pytest

from scanrun.model import Severity
from scanrun.sarif.view import Finding, severity_of, suppressed


def score(value):
    return {"properties": {"security-severity": value}}


@pytest.mark.parametrize(
    ("result", "rule", "severity"),
    [
        ({"properties": {"severity": "CRITICAL"}, "level": "note"}, score("1.0"), "critical"),
        ({"properties": {"severity": "Banana"}, "level": "note"}, {}, "unknown"),
        ({"properties": {"severity": 3}, "level": "note"}, {}, "unknown"),
        ({**score("9.1"), "level": "note"}, score("2.0"), "critical"),
        ({"level": "note"}, score("7.5"), "high"),
        ({"level": "note"}, score(""), "low"),
        ({"level": "note"}, score("n/a"), "unknown"),
        ({"level": "note"}, score("NaN"), "unknown"),
        ({"level": "note"}, score("-1"), "unknown"),
        ({"level": "note"}, score("11"), "unknown"),
        ({"rank": 92.5, "level": "note"}, {}, "critical"),
        ({"rank": -1, "level": "error"}, {}, "high"),
        ({"level": "error"}, {"defaultConfiguration": {"level": "note"}}, "high"),
        ({}, {"defaultConfiguration": {"level": "note"}}, "low"),
        ({}, {}, "medium"),
        ({"level": "none"}, {}, "info"),
        ({"level": "catastrophic"}, {}, "unknown"),
        ({"kind": "pass", "level": "none"}, score("9.9"), "info"),
        ({"kind": "no such kind", "level": "error"}, {}, "high"),
        ({"rank": 0, "level": "error"}, {}, "high"),
        ({"rank": 0}, {"defaultConfiguration": {"level": "error"}}, "high"),
        ({"rank": 20}, {}, "low"),
        ({"kind": "review", "level": "error"}, {}, "high"),
        ({"kind": "open", "level": "note"}, {}, "low"),
        ({"kind": "open", "level": "none"}, {"defaultConfiguration": {"level": "error"}}, "high"),
        ({"kind": "review", "level": "none"}, {}, "unknown"),
        ({"kind": "review", "level": "none"}, score("9.1"), "critical"),
        ({"kind": "informational", "level": "error"}, {}, "info"),
    ],
)
def test_severity_is_the_first_thing_said_and_nonsense_is_unknown(result, rule, severity):
    assert severity_of(result, rule) is Severity(severity)


@pytest.mark.parametrize(
    ("suppressions", "expected"),
    [
        (None, False),
        ([], False),
        ([{"kind": "external"}], True),
        ([{"kind": "inSource", "status": "accepted"}], True),
        ([{"kind": "inSource", "status": "underReview"}], False),
        ([{"kind": "external"}, {"kind": "external", "status": "rejected"}], False),
        ([{"kind": "external", "status": "whatever"}], False),
        ("yes", False),
    ],
)
def test_only_accepted_suppressions_count(suppressions, expected):
    assert suppressed({"suppressions": suppressions}) is expected


def test_a_finding_has_what_its_rule_adds():
    rule = {
        "id": "R1",
        "name": "BadThing",
        "helpUri": "https://example.org/R1",
        "properties": {"category": "iac"},
    }
    result = {
        "ruleId": "R1",
        "message": {"text": "bad"},
        "level": "error",
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "a%20b.tf"},
                    "region": {"startLine": 3, "endLine": 5},
                },
                "logicalLocations": [{"fullyQualifiedName": "aws_s3.x"}],
            }
        ],
        "partialFingerprints": {"scanrun/v1": "f00"},
        "properties": {"fix": "make it private"},
        "suppressions": [{"kind": "external", "justification": "known"}],
    }

    finding = Finding.of(result, {"R1": rule}, scanner="s", category="sast")

    assert (finding.path, finding.line, finding.end_line) == ("a b.tf", 3, 5)
    assert (finding.category, finding.rule_name, finding.component) == (
        "iac",
        "BadThing",
        "aws_s3.x",
    )
    assert (finding.severity, finding.score) == (Severity.HIGH, 8.0)
    assert (finding.fix, finding.fingerprint) == ("make it private", "f00")
    assert (finding.suppressed, finding.justification) == (True, "known")


@pytest.mark.parametrize(
    "result",
    [{}, {"locations": []}, {"locations": [None]}, {"locations": "x", "message": 3}],
)
def test_a_result_without_the_usual_parts_is_still_a_finding(result):
    finding = Finding.of(result, {}, scanner="s")

    assert (finding.severity, finding.path, finding.line) == (Severity.MEDIUM, "", None)


def seen(message, path, line=1, component=""):
    """Return the view of a result at a place."""
    place = {"artifactLocation": {"uri": path}, "region": {"startLine": line}}
    logical = [{"fullyQualifiedName": component}]
    result = {
        "message": {"text": message},
        "locations": [{"physicalLocation": place, "logicalLocations": logical}],
    }
    return Finding.of(result, {}, scanner="scan")


@pytest.mark.parametrize(
    ("found", "place", "words"),
    [
        (seen("bad", "a.py", 3), "a.py:3", "bad"),
        (seen("bad", "a.py", None), "a.py", "bad"),
        (seen("bad", "poetry.lock", 7, "pkg:pypi/a@1"), "poetry.lock:7", "bad"),
        (seen("bad at http://h/a", "h/a", 1, "http://h/a"), "http://h/a", "bad"),
        (seen("bad at http://h/ab", "h/a", 1, "http://h/a"), "http://h/a", "bad at http://h/ab"),
    ],
)
def test_what_is_about_a_page_stands_at_its_address_which_is_said_once(found, place, words):
    assert (found.place, found.words) == (place, words)
