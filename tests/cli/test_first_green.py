"""A first user gets to green: what the gate fails on, excluded, lowered or waived."""

import json
import os
import subprocess
import sys

import pytest

SHELL = "import subprocess\nsubprocess.call(input(), shell=True)\n"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "app.py").write_text(SHELL)
    return tmp_path


def scan(tree, *more):
    command = [sys.executable, "-m", "scanrun", "scan", "bandit,detect-secrets", str(tree), *more]
    environment = {**os.environ, "CI": "true"}
    done = subprocess.run(
        [*command, "--engine", "local"], capture_output=True, check=False, env=environment
    )
    (log, *_) = (tree / ".scanrun").glob("results.sarif")
    runs = json.loads(log.read_text())["runs"]
    return done.returncode, [each for run in runs for each in run["results"]]


def configure(tree, text):
    (tree / "scanrun.toml").write_text(text)


def test_by_a_waiver_of_the_fingerprint(tree):
    code, before = scan(tree)
    (shell,) = [each for each in before if each["ruleId"] == "B602"]
    fingerprint = shell["partialFingerprints"]["scanrun/v1"]
    configure(tree, f'[[waiver]]\nfingerprint = "{fingerprint}"\nreason = "trusted input"\n')

    after, results = scan(tree)

    assert (code, after) == (1, 0)
    (waived,) = [each for each in results if each["ruleId"] == "B602"]
    assert waived["suppressions"][0]["justification"] == "trusted input"


def test_by_a_waiver_of_the_rule_until_it_expires(tree):
    waiver = '[[waiver]]\nid = "B602"\nreason = "trusted input"\nexpires = {}\n'
    configure(tree, waiver.format("2999-01-01"))
    before, _ = scan(tree)
    configure(tree, waiver.format("2020-01-01"))

    after, _ = scan(tree)

    assert (before, after) == (0, 1)


def test_by_the_severity_of_the_rule(tree):
    configure(tree, '[scanner.bandit.severity]\nB602 = "low"\n')

    code, results = scan(tree)

    (lowered,) = [each for each in results if each["ruleId"] == "B602"]
    assert (code, lowered["level"]) == (0, "note")


def test_by_an_exclusion(tree):
    (tree / "clean.py").write_text("one = 1\n")

    code, results = scan(tree, "--exclude", "app.py")

    assert (code, results) == (0, [])
