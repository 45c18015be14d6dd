"""`[evidence.lower]`: which proof is not insisted on, for which scanner, and how that is told."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from scanrun.api import (
    Canary,
    Database,
    Edition,
    Input,
    Notification,
    Outputs,
    Proof,
    Role,
    Sign,
    Snapshot,
    Step,
    Target,
)
from scanrun.cli.app import run
from scanrun.stages.evidence import UsedDatabase, weigh

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Doubtful:
    """A scanner of which every proof fails."""

    signs = (Sign("skipped", "a file was skipped"),)

    def canary(self):
        return Canary({"a": b""}, "R1")

    def expects(self, target):
        return (Input("a.py", "Python file"),)

    def accounted(self, outputs):
        return frozenset()


def weighed(tmp_path, *lower):
    log = tmp_path / "log"
    log.write_text("skipped a.py\n")
    step = Step(role=Role.UPDATE, outputs=("/db/",))
    old = Database(name="facts-1", title="facts", update=step, read=lambda folder: None)
    return weigh(
        Doubtful(),
        Target(snapshot=Snapshot(root=tmp_path)),
        Outputs({}, log=log),
        canary_found=frozenset(),
        databases=[UsedDatabase(old, Edition(NOW - timedelta(days=30)), timedelta(days=7))],
        notifications=[
            Notification("b.py: syntax error", "error"),
            Notification("no canary in it", "error", proof=Proof.CANARY),
        ],
        lower=lower,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("proof", "texts"),
    [
        (Proof.CANARY, ["did not find its canary", "no canary in it"]),
        (Proof.INPUTS, ["not analysed: 'a.py'"]),
        (Proof.AGE, ["facts is 30 d old"]),
        (Proof.SIGNS, ["a file was skipped"]),
        (Proof.ERRORS, ["b.py: syntax error"]),
    ],
)
def test_only_the_proof_that_is_named_is_lowered(tmp_path, proof, texts):
    full, done = weighed(tmp_path), weighed(tmp_path, proof)

    assert len(done.lowered) == len(texts)
    assert all(text in given for text, given in zip(texts, done.lowered, strict=True))
    assert len(full.problems) == 6
    assert {*full.problems} == {*done.problems, *done.lowered}
    assert full.lowered == ()


def test_all_of_them_leave_no_problem_and_are_all_still_said(tmp_path):
    done = weighed(tmp_path, *Proof)

    assert done.problems == ()
    assert len(done.lowered) == 6
    assert (done.canary, done.missing) == ("missing", ("a.py",))


@pytest.fixture
def scan(tmp_path):
    """Return a function that runs bandit on a file it can't parse, with a configuration."""

    def call(config, *more):
        (tmp_path / "scanrun.toml").write_text(config)
        (tmp_path / "bad.py").write_text("def f(:\n")
        code = run(["scan", "bandit", str(tmp_path), "--engine", "local", "-q", *more])
        folder = tmp_path / ".scanrun"
        return code, json.loads((folder / "verdict.json").read_text()), folder / "results.sarif"

    return call


def test_a_tree_that_lowers_evidence_passes_and_both_are_told(scan):
    code, verdict, log = scan('[evidence.lower]\nbandit = ["errors"]\n')

    (bandit,) = verdict["scanners"]
    assert (code, bandit["status"]) == (0, "completed")
    assert bandit["evidence"]["problems"] == []
    (lowered,) = bandit["evidence"]["lowered"]
    assert lowered.startswith("bad.py: ")
    assert f"bandit is believed all the same (evidence.lower): {lowered}" in verdict["told"]
    assert (
        "scanrun.toml of the scanned tree asks less evidence of bandit (errors)" in verdict["told"]
    )
    assert sum("bad.py" in each for each in verdict["told"]) == 1
    assert run(["gate", str(log)]) == 0


def test_without_it_the_same_tree_is_incomplete_in_verdict_and_log(scan):
    code, verdict, log = scan("[evidence.lower]\nbandit = ['canary', 'age', 'inputs', 'signs']\n")

    assert code == 3
    assert verdict["scanners"][0]["evidence"]["lowered"] == []
    assert run(["gate", str(log)]) == 3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('[evidence.lower]\nbandti = ["errors"]\n', "did you mean 'bandit'?"),
        ('[evidence.lower]\nbandit = ["everything"]\n', "everything"),
        ('[evidence.lower]\nbandit = "errors"\n', "evidence.lower.bandit"),
    ],
)
def test_a_mistake_is_an_error_and_lowers_nothing(tmp_path, config, words, capsys):
    (tmp_path / "scanrun.toml").write_text(config)

    assert run(["scan", "bandit", str(tmp_path), "--engine", "local"]) == 2
    assert words in capsys.readouterr().err
