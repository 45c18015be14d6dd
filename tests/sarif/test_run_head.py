import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scanrun.contracts import Driver
from scanrun.errors import ConversionError
from scanrun.model import Condition, Evidence, Notification, ScanResult, Severity, Snapshot, Status
from scanrun.sarif.codec import dumps
from scanrun.sarif.run import run_head, saved_result

SNAPSHOT = Snapshot(root=Path())
TOOL = {"tool": {"driver": {"name": "Tool", "version": "2"}}}


def head_of(result, **more):
    given = {"run_id": "r-1", "snapshot": SNAPSHOT, "cwes": (), **more}
    return run_head(
        result, Driver("Scan", "Scan the Scanner", "Org", "https://example.org"), **given
    )


def test_how_a_scan_ended_is_read_back_as_it_was():
    result = ScanResult(
        name="scan",
        category="sca",
        status=Status.COMPLETED,
        engine="docker",
        image="example.org/scan:1",
        digest="sha256:00",
        version="1.2.3",
        exit_code=1,
        started=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        ended=datetime(2026, 1, 2, 3, 5, tzinfo=UTC),
        findings=3,
        suppressed=1,
        counts={Severity.HIGH: 3},
        counts_by_category={"sca": {Severity.HIGH: 3}},
        evidence=Evidence(canary="found", expected=2, accounted=2, kinds={"lock file": 2}),
        notifications=(Notification("slow", "warning", "a b.txt"),),
        required=False,
    )

    assert saved_result(head_of(result)) == result


def test_a_failed_scan_is_told_by_its_invocation():
    result = ScanResult(name="scan", category="sast", status=Status.FAILED, reason="no image")

    (invocation,) = head_of(result)["invocations"]

    assert invocation["executionSuccessful"] is False
    (notice,) = invocation["toolExecutionNotifications"]
    assert (notice["level"], notice["message"]) == ("error", {"text": "no image"})


def test_the_category_on_github_stays_from_run_to_run():
    result = ScanResult(name="scan", category="sast", status=Status.COMPLETED)

    ids = [head_of(result, run_id=run)["automationDetails"]["id"] for run in ("r-1", "r-2")]

    assert [each.rpartition("/")[0] for each in ids] == ["scanrun/scan", "scanrun/scan"]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("version", "semantic"), [("1.2.3", "1.2.3"), ("1.2", None), ("v1.2.3", None)]
)
def test_a_semantic_version_is_only_claimed_where_it_is_one(version, semantic):
    result = ScanResult(name="s", category="sast", status=Status.COMPLETED, version=version)

    driver = head_of(result)["tool"]["driver"]

    assert (driver["version"], driver.get("semanticVersion")) == (version, semantic)


@pytest.mark.parametrize(
    ("run", "status"),
    [
        ({}, Status.COMPLETED),
        ({"invocations": []}, Status.COMPLETED),
        ({"invocations": [{"executionSuccessful": True}]}, Status.COMPLETED),
        ({"invocations": [{"executionSuccessful": False}]}, Status.FAILED),
        ({"invocations": [{}]}, Status.FAILED),
        (
            {"invocations": [{"executionSuccessful": True}, {"executionSuccessful": "yes"}]},
            Status.FAILED,
        ),
        ({"results": None}, Status.FAILED),
        (
            {
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": "x"}}
                        ],
                    }
                ]
            },
            Status.FAILED,
        ),
    ],
)
def test_a_strangers_run_completed_only_if_nothing_speaks_against_it(run, status):
    result = saved_result({**TOOL, **run})

    assert (result.name, result.status) == ("Tool", status)


def test_our_word_completed_does_not_hide_a_failed_invocation():
    head = head_of(ScanResult(name="scan", category="sast", status=Status.COMPLETED))
    head["invocations"][0]["executionSuccessful"] = False

    assert saved_result(head).status is Status.FAILED


@pytest.mark.parametrize("damage", [{"status": "fine"}, {"findings": "many"}, {"name": 3}])
def test_damaged_properties_are_refused(damage):
    head = head_of(ScanResult(name="scan", category="sast", status=Status.COMPLETED))
    head["properties"]["scanrun"].update(damage)

    with pytest.raises(ConversionError, match="damaged"):
        saved_result(head)


def test_what_a_log_tells_of_its_run_is_cleaned_as_it_is_read():
    condition = Condition("gate", passed=False, detail="\x1b[2Jtoken " + "ghp_" + "k3Yp" * 9)
    result = ScanResult(
        name="scan",
        category="sast",
        status=Status.FAILED,
        reason="\x1b]0;title\x07no image",
        conditions=(condition,),
    )

    saved = saved_result(json.loads(dumps(head_of(result))))

    assert saved.reason == "no image"
    assert saved.conditions == (Condition("gate", passed=False, detail="token ********"),)
