import pytest

from scanrun.model import GatePolicy, Limit, Outcome, ScanResult, Severity, Status
from scanrun.sarif.view import Finding
from scanrun.stages.gate import Tally, judge

HIGH = GatePolicy(fail_on=Severity.HIGH)


def scan(name="scan", status=Status.COMPLETED, *, counts=None, **more):
    counts = {Severity(key): value for key, value in (counts or {}).items()}
    given = {"category": "sast", "findings": sum(counts.values()), **more}
    return ScanResult(name=name, status=status, counts=counts, **given)


def verdict(*results, policy=HIGH, **more):
    return judge(results, policy, run_id="r-1", **more)


def test_findings_at_the_level_fail():
    found = verdict(scan(counts={"critical": 2, "high": 1, "low": 4}))

    assert (found.status, found.exit_code) == (Outcome.FAILED, 1)
    assert found.reason == (
        "failed: 3 findings at high or above (2 critical, 1 high); fails on high"
    )


def test_findings_below_the_level_pass_and_are_told():
    found = verdict(scan(counts={"medium": 2}, suppressed=3))

    assert (found.status, found.exit_code) == (Outcome.PASSED, 0)
    assert found.reason == (
        "passed: no findings at high or above (2 medium, 3 suppressed); 1 scanner completed"
    )


def test_an_unknown_severity_is_gated_as_high():
    found = verdict(scan(counts={"unknown": 1}))

    assert found.status is Outcome.FAILED
    assert "1 unknown" in found.reason


@pytest.mark.parametrize(
    ("fail_on", "status"),
    [("critical", "passed"), ("high", "failed"), ("info", "failed"), (None, "passed")],
)
def test_the_level_decides(fail_on, status):
    policy = GatePolicy(fail_on=Severity(fail_on) if fail_on else None)

    assert verdict(scan(counts={"high": 1}), policy=policy).status == status


def test_a_scanner_that_did_not_complete_makes_a_clean_scan_incomplete():
    broken = scan("trivy", Status.FAILED, reason="image\n\x1b[31mmissing")

    found = verdict(scan(), broken)

    assert (found.status, found.exit_code) == (Outcome.INCOMPLETE, 3)
    assert found.reason == "incomplete: trivy did not complete (image missing)"


def test_findings_win_over_incompleteness_and_both_are_told():
    found = verdict(scan(counts={"high": 1}), scan("trivy", Status.FAILED, reason="no image"))

    assert (found.status, found.exit_code) == (Outcome.FAILED, 1)
    assert "1 finding at high or above" in found.reason
    assert "incomplete: trivy did not complete (no image)" in found.reason


def test_a_gate_that_never_fails_is_still_incomplete():
    found = verdict(scan(status=Status.FAILED), policy=GatePolicy(fail_on=None))

    assert found.exit_code == 3


@pytest.mark.parametrize("status", [Status.FAILED, Status.NOT_APPLICABLE, Status.SKIPPED])
def test_only_required_scanners_must_complete(status):
    optional = verdict(scan(), scan("other", status, required=False))
    required = verdict(scan(), scan("other", status, required=True))

    assert (optional.exit_code, required.exit_code) == (0, 3)


def test_a_required_scanner_that_is_not_there_at_all_is_incomplete():
    found = verdict(scan(), required=["trivy"])

    assert (found.exit_code, found.reason) == (3, "incomplete: trivy is required and did not run")


def test_a_required_name_goes_before_what_the_result_says():
    assert verdict(scan(), scan("x", Status.SKIPPED, required=False), required=["x"]).exit_code == 3


@pytest.mark.parametrize(
    "results", [(), (scan(status=Status.NOT_APPLICABLE, required=False),)], ids=["none", "n/a"]
)
def test_a_tree_that_nothing_checked_is_not_clean(results):
    found = verdict(*results)

    assert (found.status, found.exit_code) == (Outcome.INCOMPLETE, 3)
    assert "nothing was checked" in found.reason


def test_nothing_to_do_is_explained():
    found = verdict(idle="the tree has no files")

    assert found.reason == (
        "incomplete: no scanner ran, so nothing was checked: the tree has no files"
    )


def test_a_tree_that_could_not_be_read_is_incomplete_and_the_places_are_named():
    places = [f"'d{number}/' (unreadable)" for number in range(7)]

    found = verdict(scan(), unread=places)

    assert (found.status, found.exit_code) == (Outcome.INCOMPLETE, 3)
    assert found.reason.startswith("incomplete: not read: 'd0/' (unreadable), ")
    assert found.reason.endswith("'d4/' (unreadable) and 2 more")
    assert found.conditions[-1].name == "the tree could be read"


def test_findings_win_over_a_tree_that_could_not_be_read():
    found = verdict(scan(counts={"high": 1}), unread=["'d/' (unreadable)"])

    assert found.exit_code == 1
    assert "not read: 'd/' (unreadable)" in found.reason


def test_an_interrupted_run_is_neither_passed_nor_failed():
    found = verdict(scan(counts={"high": 1}), interrupted=True)

    assert (found.status, found.exit_code) == (Outcome.INTERRUPTED, 130)


SAST = scan("a", counts={"medium": 3, "low": 1})
MIXED = scan(
    "b",
    category="container",
    counts={"medium": 2, "unknown": 1},
    counts_by_category={"sca": {Severity.MEDIUM: 2}, "secret": {Severity.UNKNOWN: 1}},
)


@pytest.mark.parametrize(
    ("limit", "passed"),
    [
        (Limit(5, Severity.MEDIUM), True),
        (Limit(4, Severity.MEDIUM), False),
        (Limit(7), True),
        (Limit(6), False),
        (Limit(2, Severity.MEDIUM, scanner="b"), True),
        (Limit(2, Severity.MEDIUM, scanner="a"), False),
        (Limit(3, category="sast"), False),
        (Limit(0, category="container"), True),
        (Limit(1, category="sca"), False),
        (Limit(0, Severity.HIGH, category="secret"), False),
        (Limit(0, Severity.CRITICAL), True),
    ],
)
def test_a_limit_counts_what_it_names(limit, passed):
    policy = GatePolicy(fail_on=None, limits=(limit,))

    found = verdict(SAST, MIXED, policy=policy)

    assert (found.status is Outcome.PASSED) is passed
    assert found.conditions[1].passed is passed


def test_a_broken_limit_says_by_how_much():
    limit = Limit(2, Severity.MEDIUM, scanner="a")

    found = verdict(SAST, policy=GatePolicy(fail_on=Severity.HIGH, limits=(limit,)))

    assert found.reason == "failed: 3 medium findings of a, 2 allowed; over the limit"


def test_every_question_of_the_gate_is_listed_with_its_answer():
    found = verdict(SAST, policy=GatePolicy(limits=(Limit(9),)))

    assert [(each.name, each.passed) for each in found.conditions] == [
        ("fail on high", True),
        ("at most 9 findings", True),
        ("complete", True),
    ]


def finding(severity, *, category="sast", suppressed=False):
    return Finding(
        scanner="s",
        category=category,
        rule_id="r",
        severity=Severity(severity),
        score=0,
        message="",
        uri="",
        path="",
        line=None,
        suppressed=suppressed,
    )


def test_a_tally_counts_by_severity_and_category_and_leaves_suppressed_ones_out():
    tally = Tally()
    for each in (
        finding("high"),
        finding("high", category="secret"),
        finding("low", suppressed=True),
    ):
        tally.add(each)

    assert (tally.counts, tally.total, tally.suppressed) == ({Severity.HIGH: 2}, 2, 1)
    assert tally.by_category == {"sast": {Severity.HIGH: 1}, "secret": {Severity.HIGH: 1}}
