import json

import pytest

from scanrun.model import Category, Notification, ScanResult, Severity, Snapshot, Status
from scanrun.sarif import build
from scanrun.sarif.writer import RunWriter

RULE = {"short": "text", "severity": Severity.HIGH, "category": Category.SAST}


def result(rule_id, **more):
    return build.result(rule_id, "message", path="a.py", severity=Severity.HIGH, **more)


def test_what_is_written_is_valid_sarif(write_run, log_of, schema_errors, tmp_path):
    ended = ScanResult(
        name="scan",
        category="sast",
        status=Status.FAILED,
        reason="no \x1b[31mdatabase",
        version="1.2.3",
        exit_code=-9,
        notifications=(Notification("odd", "note", path="a b.py"),),
    )
    items = (
        build.rule("R1", cwe=["CWE-79"], **RULE),
        result("R1", line=3, component="pkg:x/y", suppressed="known"),
        result("R2", kind="review"),
    )
    snapshot = Snapshot(root=tmp_path, commit="c" * 40, repository="https://example.org/r.git")

    log = log_of(
        write_run(*items, result=ended, cwes=[79, 89], snapshot=snapshot),
        write_run(name="other"),
        properties={"scanrun": {"version": "1"}},
    )

    assert schema_errors(log) == []
    assert next(iter(log)) == "$schema"
    assert [len(run["results"]) for run in log["runs"]] == [2, 0]


def test_rules_without_a_result_stay_out_and_indices_fit(write_run, log_of):
    rules = [build.rule(name, **RULE) for name in ("unused", "B", "A")]

    (run,) = log_of(write_run(*rules, result("A"), result("B"), result("A")))["runs"]

    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["A", "B"]
    assert [each["ruleIndex"] for each in run["results"]] == [0, 1, 0]


def test_of_two_rules_with_one_id_the_first_counts(write_run, log_of):
    first = build.rule("A", **RULE)
    second = build.rule("A", short="other", severity=Severity.LOW, category=Category.SAST)

    (run,) = log_of(write_run(first, second, result("A")))["runs"]

    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["shortDescription"] == {"text": "text"}


def test_a_rule_nobody_gave_does_not_change_the_severity(write_run, log_of):
    (run,) = log_of(write_run(result("ghost")))["runs"]

    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["defaultConfiguration"]["level"] == run["results"][0]["level"] == "error"


def test_every_result_says_whether_it_is_suppressed(write_run, log_of):
    (run,) = log_of(write_run(result("A"), result("A", suppressed="known")))["runs"]

    assert [len(each["suppressions"]) for each in run["results"]] == [0, 1]


def test_an_interrupted_writer_leaves_nothing_behind(tmp_path):
    path = tmp_path / "run.json"

    with pytest.raises(KeyError), RunWriter(path) as writer:
        writer.result({"no": "rule"})

    assert list(tmp_path.iterdir()) == []


def test_the_same_results_give_the_same_bytes(write_run):
    items = [build.rule("A", cwe=["79", "22"], **RULE), result("A", identity={"x/v1": "1"})]

    first = write_run(*items, name="one").read_bytes()
    second = write_run(*items, name="one").read_bytes()

    assert first == second


def test_a_run_file_is_its_owners_only(write_run):
    assert write_run(result("A")).stat().st_mode & 0o077 == 0


def test_a_log_of_no_runs_is_whole(log_of):
    assert json.dumps(log_of()["runs"]) == "[]"
