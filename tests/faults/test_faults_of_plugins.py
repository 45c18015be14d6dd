"""A plugin that raises, exits, prints, answers nonsense or hangs costs its own part."""

import json

import pytest
from harness import GOOD, assert_costs_only_itself, left_behind

pytestmark = [pytest.mark.docker, pytest.mark.lab]

SCAN = ("scan", "good,bad", "--engine", "docker")

SCANNER = """
import sys, threading
import scanrun.stages.select
from scanrun.api import Applies, Canary, Category, Step, hookimpl

scanrun.stages.select.PATIENCE_S = 2.0


def hang():
    while True:
        threading.Event().wait(1)


def fail():
    raise RuntimeError("broken inside")


class Bad:
    name = "bad"
    category = Category.SAST

    def applies(self, target):
        return Applies.to(target.files)

    def steps(self, target):
        return (Step(image="busybox:1.35", argv=("true",), timeout_s=3.0),)

    def convert(self, outputs):
        return iter(())


class Worse(Bad):
    def METHOD(self, *_args):
        ACTION


@hookimpl
def scanrun_register_scanners():
    return [Worse()]
"""

ACTIONS = {
    "raises": ("fail()", "broken inside"),
    "exits": ("sys.exit(0)", "SystemExit"),
    "answers nonsense": ("return [17]", ""),
    "answers nothing": ("return None", ""),
    "hangs": ("hang()", "took longer than"),
}


@pytest.fixture
def plugin(tmp_path):
    """Return a function that writes a plugin."""

    def write(text, **replaced):
        path = tmp_path / "plugged.py"
        for word, new in replaced.items():
            text = text.replace(word, new)
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("method", ["applies", "steps", "canary", "databases", "convert"])
@pytest.mark.parametrize("action", ACTIONS)
def test_scanner_plugin_that_goes_wrong_costs_itself(program, plugin, method, action):
    code, words = ACTIONS[action]
    path = plugin(SCANNER, METHOD=method, ACTION=code)

    done = program.run(GOOD, *SCAN, "--plugin", path)

    assert_costs_only_itself(done, words)
    assert "  try: " in done.shown


def test_plugin_that_prints_does_not_spoil_json(program, plugin):
    code = 'print("hello from the plugin"); return iter(())'
    path = plugin(SCANNER, METHOD="convert", ACTION=code)

    done = program.run(GOOD, *SCAN, "--json", "--plugin", path)

    assert json.loads(done.out)["status"] == "passed"
    assert "hello from the plugin" in done.err


OBSERVER = """
import sys, threading
import scanrun.plugins
from scanrun.api import hookimpl

scanrun.plugins.OBSERVE_S = 1.0


@hookimpl
def HOOK:
    ACTION
"""
HOOKS = (
    "scanrun_run_started(plan)",
    "scanrun_scan_finished(result)",
    "scanrun_run_finished(verdict)",
)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    "action", ["raise ValueError('seen enough')", "sys.exit(0)", "threading.Event().wait()"]
)
def test_observer_that_goes_wrong_is_told_and_changes_nothing(program, plugin, hook, action):
    path = plugin(OBSERVER, HOOK=hook, ACTION=action)

    done = program.run(GOOD, "scan", "good", "--plugin", path)

    assert (done.code, done.rules) == (0, {"KEPT"}), done.shown
    assert f"failed in {hook.partition('(')[0]}" in done.shown
    assert left_behind(done.verdict["run_id"]) == []


REPORTER = """
import sys, threading
import scanrun.stages.report
from scanrun.api import hookimpl

scanrun.stages.report.REPORT_S = 1.0


class Reporter:
    name = "odd"
    filename = "odd.txt"

    def write(self, stream, findings, verdict):
        ACTION


@hookimpl
def scanrun_register_reporters():
    return [Reporter()]
"""


@pytest.mark.parametrize(
    "action", ["raise ValueError('no ink')", "sys.exit(0)", "threading.Event().wait()"]
)
def test_report_that_can_not_be_written_is_incomplete_and_the_log_is_kept(program, plugin, action):
    path = plugin(REPORTER, ACTION=action)

    done = program.run(GOOD + '[report]\nformats = ["odd"]\n', "scan", "good", "--plugin", path)

    assert done.code == 3, done.shown
    assert "report 'odd.txt' can't be written" in done.err
    assert "leave it out of [report] formats" in done.err
    assert (done.verdict["status"], done.rules) == ("incomplete", {"KEPT"})
    assert left_behind(done.verdict["run_id"]) == []


ENGINE = """
import sys
from scanrun.api import hookimpl


class Engine:
    name = "odd"
    runs = "image"

    def open(self, settings):
        ACTION

    def diagnose(self, settings):
        return iter(())


@hookimpl
def scanrun_register_engines():
    return [Engine()]
"""


@pytest.mark.parametrize("action", ["raise ValueError('no fuel')", "sys.exit(0)", "return None"])
def test_engine_plugin_that_does_not_open_is_an_error(program, plugin, action):
    path = plugin(ENGINE, ACTION=action)

    done = program.run(GOOD, "scan", "good", "--engine", "odd", "--plugin", path)

    assert done.code == 2, done.shown
    assert "the plugin of engine 'odd' failed" in done.err
    assert "choose another engine with --engine" in done.err
    assert done.verdict["status"] == "incomplete"


@pytest.mark.parametrize("line", ["sys.exit(0)", "raise ValueError", "import no_such_module", "("])
def test_plugin_that_can_not_be_loaded_is_an_error(program, plugin, line):
    path = plugin(f"import sys\n{line}\n")

    done = program.run(GOOD, "scan", "good", "--plugin", path)

    assert done.code == 2, done.shown
    assert "can't be loaded" in done.err
    assert "mend or uninstall it" in done.err
