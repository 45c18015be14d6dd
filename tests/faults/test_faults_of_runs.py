"""A run that is asked to stop, killed, or run twice leaves nothing, and nobody an old verdict."""

import random
import signal
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from harness import GOOD, LIMIT_S, Done, hung, left_behind

from scanrun import context, pipeline
from scanrun.cli import app
from scanrun.stages import execute, outcome
from scanrun_plugins.engines.docker import owner, reaping

pytestmark = [pytest.mark.docker, pytest.mark.lab]

SLOW = GOOD + hung()
SCAN = ("scan", "good,bad", "--engine", "docker")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_run_keeps_what_completed_and_leaves_nothing(program, number):
    process = program.start(SLOW, *SCAN, until="good: 1 finding")

    process.send_signal(number)
    done = program.finish(process)

    assert (done.code, done.verdict["status"]) == (130, "interrupted"), done.shown
    assert done.status == {"bad": "failed", "good": "completed"}
    assert done.rules == {"KEPT"}
    assert "interrupted before the scan was complete" in done.shown
    assert left_behind(done.verdict["run_id"]) == []


def test_second_ctrl_c_ends_the_run_at_once_and_leaves_nothing(program):
    process = program.start(SLOW, *SCAN)

    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    done = program.finish(process)

    assert (done.code, done.verdict["status"]) == (130, "interrupted"), done.shown
    assert "Traceback" not in done.shown
    assert left_behind(done.verdict["run_id"]) == []


STUCK = """
import threading
from scanrun.api import Applies, Category, Step, hookimpl


class Stuck:
    name = "bad"
    category = Category.SAST

    def applies(self, target):
        return Applies.to(target.files)

    def steps(self, target):
        return (Step(image="busybox:1.35", argv=("true",)),)

    def convert(self, outputs):
        while True:
            threading.Event().wait(1)
        yield


@hookimpl
def scanrun_register_scanners():
    return [Stuck()]
"""


@pytest.fixture
def stuck(tmp_path):
    path = tmp_path / "stuck.py"
    path.write_text(STUCK)
    return path


def test_ctrl_c_ends_a_run_whose_plugin_hangs(program, stuck):
    process = program.start(GOOD, *SCAN, "--plugin", stuck, until="bad: reading its report")

    process.send_signal(signal.SIGINT)
    done = program.finish(process)

    assert (done.code, done.verdict["status"]) == (130, "interrupted"), done.shown
    assert done.status == {"bad": "failed", "good": "completed"}
    assert left_behind(done.verdict["run_id"]) == []


def test_second_run_in_one_tree_is_refused_and_the_first_goes_on(program):
    process = program.start(GOOD + hung(timeout="600s"), *SCAN, until="good: 1 finding")

    second = program.run(GOOD, "scan", "good")
    alive = process.poll() is None
    process.send_signal(signal.SIGINT)
    first = program.finish(process)

    assert second.code == 2
    assert "another run is writing" in second.err
    assert "wait for it, or choose another folder" in second.err
    assert alive
    assert (first.code, first.verdict["status"]) == (130, "interrupted")
    assert first.status == {"bad": "failed", "good": "completed"}


@pytest.mark.slow_fault
def test_run_killed_at_twenty_moments_is_reaped_and_its_neighbour_is_not(program, tmp_path):
    neighbour = type(program)(program.tree, tmp_path / "neighbour.toml")
    beside = neighbour.start(
        hung("bad", timeout="600s"), "scan", "bad", "--output", tmp_path / "beside"
    )
    beside_id = Done(0, "", "", tmp_path / "beside").verdict["run_id"]
    chance = random.Random(4)
    killed = set()
    began = time.monotonic()
    assert program.run(GOOD, "scan", "good").code == 0
    whole = time.monotonic() - began  # what a run takes here: the moments are spread over it
    for _ in range(20):
        process = program.start(GOOD + hung(timeout="30s"), *SCAN, until="")
        time.sleep(chance.uniform(0.1, 1.5) * whole)
        process.send_signal(signal.SIGKILL)
        done = program.finish(process)
        if done.verdict is not None:
            assert done.verdict["status"] == "incomplete"
            killed.add(done.verdict["run_id"])

    after = program.run(GOOD, "scan", "good")

    assert len(killed) > 5
    assert after.code == 0, after.shown
    assert [left_behind(each) for each in killed] == [[] for _ in killed]
    assert left_behind(beside_id), "the neighbour's container is gone"
    assert beside.poll() is None
    beside.send_signal(signal.SIGINT)
    assert beside.communicate(timeout=LIMIT_S)
    assert beside.returncode == 130
    assert left_behind(beside_id) == []


class Backwards(datetime):
    """A clock that goes back an hour each time somebody looks."""

    looks = 0

    @classmethod
    def now(cls, tz=None):
        cls.looks += 1
        return datetime(2026, 1, 31, tzinfo=UTC) - timedelta(hours=cls.looks)


def test_clock_that_goes_back_changes_no_verdict(program, monkeypatch, capsys):
    for module in (context, execute, outcome, pipeline):
        monkeypatch.setattr(module, "datetime", Backwards)
    program.config.write_text(GOOD)

    code = app.run([*SCAN[:1], "good", str(program.tree), "--config", str(program.config)])

    done = Done(code, *capsys.readouterr(), program.tree / ".scanrun")
    assert Backwards.looks > 2
    assert (done.code, done.verdict["status"]) == (0, "passed"), done.shown
    assert [each["duration_s"] for each in done.verdict["scanners"]] == [0.0]
    assert left_behind(done.verdict["run_id"]) == []


def test_clock_that_goes_back_reaps_no_live_run(program, monkeypatch, tmp_path, capsys):
    neighbour = type(program)(program.tree, tmp_path / "neighbour.toml")
    process = neighbour.start(hung(), "scan", "bad", "--output", tmp_path / "beside")
    for module in (owner, reaping):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 0.0, sleep=time.sleep))
    program.config.write_text(GOOD)

    code = app.run([*SCAN[:1], "good", str(program.tree), "--config", str(program.config)])

    assert code == 0, capsys.readouterr()
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    beside = Done(process.returncode, "", "", tmp_path / "beside")
    assert beside.verdict["status"] == "interrupted"
    assert left_behind(beside.verdict["run_id"]) == []
