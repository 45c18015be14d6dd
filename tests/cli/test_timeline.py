import io
from datetime import UTC, datetime, timedelta

import pytest

from scanrun.cli.terminal import Terminal, Verbosity
from scanrun.cli.timeline import timeline
from scanrun.model import Outcome, Phase, ScanResult, Status, Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def phases(*parts):
    """Return phases one after the other: name, seconds."""
    made, now = [], 0.0
    for name, seconds in parts:
        made.append(Phase(name, at(now), at(now + seconds)))
        now += seconds
    return tuple(made)


def result(name, *parts):
    return ScanResult(
        name=name, category="dast", status=Status.COMPLETED, phases=phases(*parts), started=START
    )


def verdict(*results, seconds=20.0):
    return Verdict(
        run_id="run-1",
        status=Outcome.PASSED,
        exit_code=0,
        reason="passed",
        fail_on="high",
        counts={},
        scanners=results,
        started=START,
        ended=at(seconds),
    )


SERVED = result("zap", ("starting app", 10.0), ("scan", 9.9), ("reading its report", 0.1))
QUICK = result("bandit", ("scan", 5.0), ("reading its report", 0.1))


def test_parts_lie_where_they_were_in_the_run():
    lines = list(timeline(verdict(SERVED, QUICK), width=77, plain=True))

    assert lines == [
        "timeline, 20.0 s in all",
        "  zap                      ########################################   20.0 s",
        "    starting app           ####################....................   10.0 s",
        "    scan                   ....................####################    9.9 s",
        "  bandit                   ##########..............................    5.1 s",
    ]


def test_parts_that_everybody_has_make_no_timeline():
    assert list(timeline(verdict(QUICK), width=80, plain=True)) == []


def test_a_moment_at_the_end_is_still_seen():
    late = result("late", ("databases", 19.0), ("scan", 1.0))

    *_, line = timeline(verdict(late, seconds=500.0), width=80, plain=True)

    assert line.count("#") == 1


@pytest.mark.parametrize("width", [1, 60, 80, 100_000])
def test_no_line_is_wider_than_the_terminal_nor_absurd(width):
    wide = result("n" * 300, ("starting " + "\x1b[2Jx" * 90, 3.0), ("scan", 17.0))

    lines = list(timeline(verdict(wide), width=width, plain=False))

    assert max(map(len, lines)) < min(max(width, 40), 120)
    assert "\x1b" not in "".join(lines)


def test_a_clock_that_went_back_breaks_nothing():
    back = ScanResult(
        name="odd",
        category="dast",
        status=Status.FAILED,
        phases=(Phase("starting app", at(5), at(9)), Phase("scan", at(9), at(1))),
    )

    lines = list(timeline(verdict(back, seconds=-3.0), width=80, plain=True))

    assert lines[0] == "timeline, 9.0 s in all"


def shown(monkeypatch, encoding, verbosity=Verbosity.NORMAL):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.delenv("TERM", raising=False)
    listing = type("Nothing", (), {"groups": lambda _: (), "suppressed": lambda _: ()})()
    Terminal(verbosity).verdict(verdict(SERVED), listing, where="results.sarif")
    out.flush()
    return out.buffer.getvalue().decode(encoding)


def test_a_terminal_that_can_not_do_more_is_given_ascii(monkeypatch):
    assert "###" in shown(monkeypatch, "ascii")


def test_a_terminal_that_can_is_given_blocks(monkeypatch):
    assert "███" in shown(monkeypatch, "utf-8")


def test_quiet_shows_no_timeline(monkeypatch):
    assert "timeline" not in shown(monkeypatch, "utf-8", Verbosity.QUIET)
