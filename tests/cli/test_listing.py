import random

import pytest

from scanrun.cli.listing import Listing
from scanrun.model import Severity
from scanrun.sarif.view import Finding


def finding(path, line=1, severity="high", **more):
    values = {"scanner": "s", "category": "sast", "rule_id": "R", "message": "m", "uri": path}
    severity = Severity(severity)
    return Finding(path=path, line=line, severity=severity, score=severity.score, **(values | more))


def test_findings_are_sorted_by_path_then_line():
    found = [finding("b.py", 1), finding("a.py", 10), finding("a.py", 9), finding("a.py", None)]

    ((_, shown, _),) = Listing.of(found, limit=30).groups()

    assert [(each.path, each.line) for each in shown] == [
        ("a.py", None),
        ("a.py", 9),
        ("a.py", 10),
        ("b.py", 1),
    ]


def test_the_worst_severity_comes_first_and_an_unknown_one_right_below_high():
    words = ["info", "unknown", "low", "critical", "medium", "high"]

    groups = Listing.of([finding("a", severity=word) for word in words], limit=30).groups()

    assert [severity.value for severity, _, _ in groups] == [
        "critical",
        "high",
        "unknown",
        "medium",
        "low",
        "info",
    ]


@pytest.mark.parametrize("number", [4, 5, 6, 9, 10, 11, 200])
def test_the_first_by_place_are_shown_and_all_are_counted(number):
    found = [finding(f"{n:03}.py") for n in range(number)]
    random.Random(number).shuffle(found)

    ((_, shown, count),) = Listing.of(found, limit=5).groups()

    assert [each.path for each in shown] == [f"{n:03}.py" for n in range(min(number, 5))]
    assert count == number


def test_no_more_than_twice_the_limit_is_held():
    listing = Listing(limit=5)

    for n in range(1000):
        listing.add(finding(f"{n}.py"))
        assert len(listing._shown[Severity.HIGH]) <= 10


def test_suppressed_findings_are_listed_without_a_limit_only():
    found = [finding("b", suppressed=True), finding("a", suppressed=True)]

    assert [each.path for each in Listing.of(found, limit=None).suppressed()] == ["a", "b"]
    assert not Listing.of(found, limit=5).suppressed()
    assert not list(Listing.of(found, limit=None).groups())


@pytest.mark.parametrize("limit", [3, None])
def test_what_may_be_left_out_by_its_place_would_not_have_been_shown(limit):
    chance = random.Random(1)
    found = [
        finding(
            f"{chance.randint(0, 40):03}.py", chance.randint(1, 5), chance.choice(["high", "low"])
        )
        for _ in range(400)
    ]
    found += [finding("a.py", suppressed=True)]
    chance.shuffle(found)

    quick = Listing(limit)
    for each in found:
        if quick.shows(each.severity, each.path, each.line, suppressed=each.suppressed):
            quick.add(each)
        else:
            quick.count(each.severity, suppressed=each.suppressed)

    whole = Listing.of(found, limit)
    assert list(quick.groups()) == list(whole.groups())
    assert quick.suppressed() == whole.suppressed()
