import datetime as dt
from threading import Thread

import pytest

from scanrun.config import PolicySettings, ScannerSettings, Settings, Waiver
from scanrun.model import Severity
from scanrun.sarif.build import result
from scanrun.sarif.codec import to_json
from scanrun.sarif.view import FINGERPRINT, Finding, suppressed
from scanrun.stages.triage import Triage

TODAY = dt.date(2030, 1, 1)
IN_SOURCE = {"kind": "inSource", "justification": "nosec"}


def waiver(**keys):
    return Waiver(**{"id": "B101", "reason": "only in tests"} | keys)


def triage(*waivers, today=TODAY, inline="count", severity=None):
    settings = Settings(
        waiver=waivers,
        policy=PolicySettings(inline_ignores=inline),
        scanner={"bandit": ScannerSettings(severity=severity or {})},
    )
    return Triage(settings, today)


def finding(rule="B101", *, fingerprint="f" * 32, suppressions=(), kind="fail", **properties):
    made = to_json(
        result(rule, "m", path="a.py", severity=Severity.HIGH, kind=kind, properties=properties)
    )
    made["partialFingerprints"] = {FINGERPRINT: fingerprint}
    return made | {"suppressions": [dict(each) for each in suppressions]}


def test_a_waived_finding_is_kept_and_suppressed_with_the_reason():
    done = triage(waiver(expires=dt.date(2030, 6, 1))).apply(finding(), "bandit")

    assert done["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "only in tests",
            "properties": {"scanrun/waiver": "B101", "expires": "2030-06-01"},
        }
    ]
    assert suppressed(done)


@pytest.mark.parametrize(
    "selector",
    [{"id": "b101"}, {"id": "cve-2030-1"}, {"id": None, "fingerprint": "F" * 32}],
    ids=["rule", "alias", "fingerprint"],
)
def test_a_waiver_fits_by_rule_alias_or_fingerprint_in_any_case(selector):
    done = triage(waiver(**selector)).apply(finding(aliases=["CVE-2030-1"]), "bandit")

    assert suppressed(done)


@pytest.mark.parametrize(
    "selector",
    [{"id": "B1"}, {"id": "B1011"}, {"id": "*"}, {"id": None, "fingerprint": "f" * 31}],
)
def test_a_waiver_fits_the_whole_name_or_not_at_all(selector):
    assert not suppressed(triage(waiver(**selector)).apply(finding(), "bandit"))


def test_a_waiver_of_a_fingerprint_never_fits_a_finding_without_one():
    item = finding()
    del item["partialFingerprints"]

    done = triage(waiver(id=None, fingerprint="None")).apply(item, "bandit")

    assert not suppressed(done)


def test_a_waiver_counts_until_the_day_it_names_and_no_longer():
    last = triage(waiver(expires=TODAY), today=TODAY - dt.timedelta(days=1))
    over = triage(waiver(expires=TODAY), today=TODAY)

    assert suppressed(last.apply(finding(), "bandit"))
    assert not suppressed(over.apply(finding(), "bandit"))
    assert over.told() == ("waiver of 'B101' expired on 2030-01-01 and no longer counts",)


def test_an_expired_waiver_does_not_stand_before_a_later_one():
    stage = triage(waiver(expires=TODAY), waiver(reason="again", expires=dt.date(2031, 1, 1)))

    done = stage.apply(finding(), "bandit")

    assert done["suppressions"][0]["justification"] == "again"


def test_the_waiver_of_this_very_finding_goes_before_one_of_its_rule():
    stage = triage(waiver(), waiver(id=None, fingerprint="f" * 32, reason="this one"))

    done = stage.apply(finding(), "bandit")

    assert done["suppressions"][0]["justification"] == "this one"


def test_what_became_of_the_waivers_is_told():
    stage = triage(
        waiver(),
        waiver(id="B102"),
        waiver(id="B103", expires=TODAY + dt.timedelta(days=30)),
    )
    for rule in ("B101", "B101", "B103"):
        stage.apply(finding(rule), "bandit")

    assert stage.told() == (
        "3 findings waived by 2 waivers",
        "waiver of 'B102' matched nothing in this run",
        "waiver of 'B103' expires on 2030-01-31",
    )


def test_nothing_is_told_where_nothing_was_waived():
    stage = triage()
    stage.apply(finding(), "bandit")

    assert stage.told() == ()


def test_a_saved_log_loses_the_waiver_that_is_gone():
    saved = triage(waiver()).apply(finding(), "bandit")

    again = triage().apply(saved, "bandit")

    assert again["suppressions"] == []


def test_triage_twice_is_triage_once():
    item = finding(suppressions=[IN_SOURCE])
    once = triage(waiver(), severity={"B101": "low"}).apply(item, "bandit")

    assert triage(waiver(), severity={"B101": "low"}).apply(once, "bandit") == once


def test_an_ignore_in_the_source_is_kept_and_counts_unless_the_policy_allows_it():
    item = finding(suppressions=[IN_SOURCE])

    counted = triage().apply(item, "bandit")
    allowed = triage(inline="allow").apply(item, "bandit")

    assert counted["suppressions"] == [{**IN_SOURCE, "status": "underReview"}]
    assert not suppressed(counted)
    assert suppressed(allowed)


def test_a_suppression_of_the_tools_own_follows_the_policy_too():
    item = finding(suppressions=[{"kind": "external", "justification": "its own list"}])
    strict, lax = triage(), triage(inline="allow")

    assert not suppressed(strict.apply(item, "bandit"))
    assert suppressed(lax.apply(item, "bandit"))
    assert strict.told() == ("1 finding suppressed by the tool itself; it counts all the same",)
    assert "which is obeyed" in lax.told()[0]


@pytest.mark.parametrize("kind", [{}, {"kind": "strange"}])
def test_a_suppression_of_no_known_kind_counts_as_one_in_the_source(kind):
    stage = triage()

    done = stage.apply(finding(suppressions=[{**kind, "status": "accepted"}]), "bandit")

    assert not suppressed(done)
    assert "carries an ignore comment" in stage.told()[0]


def test_a_tools_own_doubt_stays_where_the_policy_allows_ignores():
    doubt = {"kind": "external", "status": "underReview"}

    assert not suppressed(triage(inline="allow").apply(finding(suppressions=[doubt]), "bandit"))


def test_a_severity_of_a_rule_that_matched_nothing_is_told():
    stage = triage(severity={"B101": "low", "nosuchrule": "info"})
    stage.apply(finding(), "bandit")

    assert stage.told() == (
        "severity of 'nosuchrule' in [scanner.bandit] matched nothing in this run",
    )


def test_a_log_judged_under_the_other_policy_follows_that_policy():
    item = finding(suppressions=[IN_SOURCE])

    counted_then_allowed = triage(inline="allow").apply(triage().apply(item, "bandit"), "bandit")
    allowed_then_counted = triage().apply(triage(inline="allow").apply(item, "bandit"), "bandit")

    assert suppressed(counted_then_allowed)
    assert not suppressed(allowed_then_counted)


def test_a_waiver_backs_an_ignore_in_the_source():
    done = triage(waiver()).apply(finding(suppressions=[IN_SOURCE]), "bandit")

    assert [each["kind"] for each in done["suppressions"]] == ["external", "inSource"]
    assert suppressed(done)


def test_a_tools_own_doubt_does_not_undo_a_waiver():
    doubt = {"kind": "external", "status": "rejected"}

    waived = triage(waiver()).apply(finding(suppressions=[doubt]), "bandit")
    unwaived = triage().apply(finding(suppressions=[doubt]), "bandit")

    assert suppressed(waived)
    assert not suppressed(unwaived)


@pytest.mark.parametrize("nonsense", [None, {}, "x", [1], ["x"], [{}], [{"kind": 7}]])
def test_nonsense_suppresses_nothing(nonsense):
    done = triage().apply(finding() | {"suppressions": nonsense}, "bandit")

    assert not suppressed(done)
    assert isinstance(done["suppressions"], list)


def test_a_severity_by_rule_changes_all_that_consumers_read():
    done = triage(severity={"b101": "low"}).apply(finding(), "bandit")

    assert (done["level"], done["rank"]) == ("note", 20.0)
    assert done["properties"]["security-severity"] == "2.0"
    original = {"severity": "high", "security-severity": "8.0"}
    assert done["properties"]["scanrun/original"] == original
    view = Finding.of(done, {}, scanner="bandit")
    assert (view.severity, view.score) == (Severity.LOW, 2.0)


def test_a_saved_log_loses_the_severity_that_is_gone():
    saved = triage(severity={"B101": "low"}).apply(finding(), "bandit")

    assert triage().apply(saved, "bandit") == finding()


@pytest.mark.parametrize("nonsense", [None, {}, {"severity": "harmless"}, "low"])
def test_an_original_that_makes_no_sense_is_gated_as_high(nonsense):
    item = finding()
    item["properties"]["scanrun/original"] = nonsense

    done = triage().apply(item, "bandit")

    assert Finding.of(done, {}, scanner="bandit").severity is Severity.UNKNOWN


def test_a_severity_holds_for_its_own_scanner_only():
    done = triage(severity={"B101": "low"}).apply(finding(), "other")

    assert Finding.of(done, {}, scanner="other").severity is Severity.HIGH


def test_a_result_that_is_no_failure_keeps_level_none():
    done = triage(severity={"B101": "low"}).apply(finding(kind="review"), "bandit")

    assert done["level"] == "none"


def test_the_result_that_came_in_is_not_changed():
    item = finding(suppressions=[IN_SOURCE])
    before = finding(suppressions=[IN_SOURCE])

    triage(waiver(), severity={"B101": "low"}).apply(item, "bandit")

    assert item == before


def test_scanners_side_by_side_lose_no_count():
    stage = triage(waiver())
    work = [
        Thread(target=lambda: [stage.apply(finding(), "bandit") for _ in range(200)])
        for _ in range(2)
    ]

    for each in work:
        each.start()
    for each in work:
        each.join()

    assert stage.told() == ("400 findings waived by 1 waiver",)
