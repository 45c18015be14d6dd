import json
import re
from pathlib import Path

import pytest

from scanrun.cli.app import run

DOCUMENT = Path(__file__).parents[2] / "docs" / "plan.md"


@pytest.fixture
def plan(tmp_path, capsys):
    """Return a function that shows the plan of a small tree, and what it prints."""
    root = tmp_path / "tree"
    (root / "vendor").mkdir(parents=True)
    (root / "app.py").write_text("x = 1\n")
    (root / "vendor" / "lib.py").write_text("")
    (root / "old.py").write_text("")

    def call(*arguments):
        code = run(["all", str(root), "--engine", "local", "--dry-run", *arguments])
        answer = capsys.readouterr()
        assert (code, answer.err) == (0, "")
        return answer.out

    return call


def test_what_is_left_out_is_counted_as_what_it_is(plan):
    shown = plan("--exclude", "vendor/", "--exclude", "old.py")

    assert ": 1 file, 0.0 kB\n        left out: 1 folder, 1 file: exclude\n" in shown


def test_limits_that_the_engine_does_not_enforce_are_not_promised(plan):
    shown = plan()

    assert "network not isolated, memory and processes not limited, 15 min" in shown
    assert not re.search(r"\d MB|\d processes", shown)


def test_a_scanner_that_has_nothing_to_do_does_not_apply(plan):
    assert "- zizmor: does not apply: no workflow files" in plan()


def test_quiet_and_verbose_print_the_plan_that_was_asked_for(plan):
    assert "+ bandit" in plan("--quiet")
    assert "scan: " in plan("--verbose")


@pytest.mark.parametrize("form", ["--quiet", "--json"])
def test_what_the_tree_s_file_sets_is_told_masked(plan, tmp_path, form):
    token = "ghp_" + "k3Yp" * 9
    (tmp_path / "tree" / "scanrun.toml").write_text(f'[scan]\nexclude = ["{token}"]\n')

    shown = plan(form)

    assert "leaves files out ('********')" in shown
    assert token not in shown


def keys(value, path=""):
    """Return the dotted keys of all objects in a JSON value."""
    if isinstance(value, list):
        return {key for each in value for key in keys(each, f"{path}[]")}
    if isinstance(value, dict):
        below = {key for name, each in value.items() for key in keys(each, f"{path}.{name}")}
        return below | {f"{path}.{name}" for name in value}
    return set()


def test_json_has_the_documented_keys(plan):
    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)

    shown = json.loads(plan("--json", "--exclude", "vendor/"))

    documented = keys(json.loads(example))
    inner = {
        key
        for key in documented
        if re.search(r"\.((databases|services|secrets)\[\]|application)\.", key)
    }
    assert keys(shown) | inner == documented
