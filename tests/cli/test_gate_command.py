import json
import os

import pytest

from scanrun.cli.app import run
from scanrun.contracts import Driver
from scanrun.model import ScanResult, Severity, Snapshot, Status
from scanrun.sarif import build
from scanrun.sarif.codec import to_json
from scanrun.sarif.run import run_head
from scanrun.sarif.writer import RunWriter, write_log


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def saved(tmp_path):
    """Write a log of ours, one run, with findings of these severities."""

    def write(*severities, name="scan", status=Status.COMPLETED, required=True, recorded=None):
        path, file = tmp_path / f"{name}.run.json", tmp_path / f"{name}.sarif"
        result = ScanResult(
            name=name,
            category="sast",
            status=status,
            reason="" if status is Status.COMPLETED else "no image",
            findings=len(severities) if recorded is None else recorded,
            required=required,
        )
        head = run_head(
            result, Driver(name), run_id="r-1", snapshot=Snapshot(root=tmp_path), cwes=()
        )
        with RunWriter(path) as writer:
            for number, severity in enumerate(severities):
                made = build.result("R1", "m", path=f"{number}.py", severity=Severity(severity))
                writer.result(to_json(made))
            writer.finish(head)
        with file.open("wb") as stream:
            write_log(stream, [path])
        return str(file)

    return write


@pytest.mark.parametrize(
    ("severities", "options", "code"),
    [
        (["medium"], [], 0),
        (["high"], [], 1),
        (["unknown"], [], 1),
        (["high"], ["--fail-on", "critical"], 0),
        (["low"], ["--fail-on", "low"], 1),
        (["critical"], ["--fail-on", "never"], 0),
        ([], [], 0),
    ],
)
def test_a_saved_log_is_judged_again(saved, severities, options, code):
    assert run(["gate", saved(*severities), *options]) == code


def test_incomplete_is_rebuilt_from_the_invocations(saved, capsys):
    code = run(["gate", saved(), saved(name="trivy", status=Status.FAILED)])

    assert code == 3
    assert "trivy did not complete (no image)" in capsys.readouterr().out


def test_findings_win_over_incompleteness(saved):
    assert run(["gate", saved("high"), saved(name="trivy", status=Status.FAILED)]) == 1


def test_a_log_that_lost_findings_is_incomplete(saved, capsys):
    code = run(["gate", saved("low", recorded=2)])

    assert code == 3
    assert "1 of the 2 findings" in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"{}", b'{"version":"2.1.0","runs":[]}', b"<xml/>"])
def test_what_cant_be_read_is_incomplete_and_hides_nothing(saved, tmp_path, data, capsys):
    (tmp_path / "bad.sarif").write_bytes(data)

    assert run(["gate", str(tmp_path / "bad.sarif")]) == 3
    assert run(["gate", str(tmp_path / "bad.sarif"), saved("high")]) == 1
    assert "bad.sarif" in capsys.readouterr().out


def test_a_mistyped_report_is_a_usage_error(saved, capsys):
    assert run(["gate", saved(), "none.sarif"]) == 2
    assert "'none.sarif' does not exist" in capsys.readouterr().err


def test_findings_are_shown_as_a_run_shows_them(saved, capsys):
    run(["gate", saved("low", "high", "low")])

    shown = capsys.readouterr().out
    assert shown.index("HIGH (1)") < shown.index("  1.py") < shown.index("LOW (2)")
    assert shown.index("  0.py") < shown.index("  2.py")
    assert "fingerprint" not in shown


def test_quiet_prints_the_verdict_alone(saved, capsys):
    run(["gate", saved("high"), "--quiet"])

    shown = capsys.readouterr()
    assert shown.out.startswith("failed: 1 finding at high or above (1 high)")
    assert (shown.out.count("\n"), shown.err) == (1, "")


def test_verbose_shows_more_findings_than_a_screen_holds(saved, capsys):
    log = saved(*["low"] * 40)

    run(["gate", log])
    few = capsys.readouterr().out
    run(["gate", log, "--verbose"])
    all_ = capsys.readouterr().out

    assert few.count("[scan]") == 30
    assert "… and 10 more: --verbose" in few
    assert all_.count("[scan]") == 40


def test_verbose_shows_what_is_suppressed_and_why(saved, tmp_path, capsys):
    (tmp_path / "scanrun.toml").write_text(
        '[[waiver]]\nid = "R1"\nreason = "test data"\nexpires = 2999-01-01\n'
    )
    log = saved("high")

    run(["gate", log])
    few = capsys.readouterr().out
    run(["gate", log, "--verbose"])
    all_ = capsys.readouterr().out

    assert "1 suppressed (by waivers or in the source)" in few
    assert "R1" not in few.replace("waiver", "")
    assert "SUPPRESSED (1)" in all_
    assert "suppressed: test data" in all_


def test_a_secret_in_another_tools_message_is_not_shown(tmp_path, capsys):
    token = "ghp_" + "a1B2" * 9
    result = {"ruleId": "R", "message": {"text": f"found {token}"}, "level": "error"}
    run_ = {"tool": {"driver": {"name": "t"}}, "results": [result]}
    (tmp_path / "t.sarif").write_text(json.dumps({"version": "2.1.0", "runs": [run_]}))

    run(["gate", str(tmp_path / "t.sarif")])

    shown = capsys.readouterr().out
    assert "found" in shown
    assert token not in shown


@pytest.mark.parametrize("options", [[], ["--json"], ["--verbose"]], ids=["plain", "json", "long"])
def test_a_secret_of_the_environment_is_not_shown(tmp_path, monkeypatch, capsys, options):
    word = "hunter" + "2hunter2hunter2"
    monkeypatch.setenv("MY_PASSWORD", word)
    told = {"message": {"text": f"no login with {word}"}, "level": "error"}
    head = {"invocations": [{"toolExecutionNotifications": [told]}]}
    result = {"ruleId": "R1", "level": "error", "message": {"text": f"found {word}"}}
    tool = {"driver": {"name": f"T {word}", "version": word}}
    log = {"version": "2.1.0", "runs": [{"tool": tool, "results": [result], **head}]}
    (tmp_path / "1.sarif").write_text(json.dumps(log))

    code = run(["gate", "1.sarif", *options])

    answer = capsys.readouterr()
    assert code == 1
    assert "********" in answer.out
    assert word not in answer.out + answer.err


def test_no_report_at_all_is_a_usage_error():
    assert run(["gate"]) == 2


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"results": [{"message": {"text": "m"}, "level": "error"}]}, 1),
        ({"results": [{"message": {"text": "m"}}]}, 0),
        ({"results": []}, 0),
        ({}, 3),
        ({"results": None}, 3),
        ({"results": [], "invocations": [{"executionSuccessful": False}]}, 3),
    ],
)
def test_another_tools_log_is_judged_too(tmp_path, more, code):
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, **more}]}
    (tmp_path / "t.sarif").write_text(json.dumps(log))

    assert run(["gate", str(tmp_path / "t.sarif")]) == code


@pytest.mark.parametrize(
    "result",
    [
        {"rule": {"index": 0, "toolComponent": {"index": 0}}},
        {"ruleId": "D/1", "ruleIndex": 0},
        {"ruleIndex": 0},
    ],
    ids=["in an extension", "below a rule", "by place"],
)
def test_another_tools_severity_is_found_wherever_its_rule_stands(tmp_path, result):
    error = {"defaultConfiguration": {"level": "error"}}
    tool = {
        "driver": {"name": "t", "rules": [{"id": "D", **error}]},
        "extensions": [{"name": "x", "rules": [{"id": "X", **error}]}],
    }
    run_ = {"tool": tool, "results": [{"message": {"text": "m"}, **result}]}
    (tmp_path / "t.sarif").write_text(json.dumps({"version": "2.1.0", "runs": [run_]}))

    assert run(["gate", str(tmp_path / "t.sarif")]) == 1


def test_limits_waivers_and_required_scanners_of_the_configuration_count(saved, tmp_path):
    limits = '[gate]\nlimits = [{ maximum = 1, severity = "medium" }]\n'
    waiver = '[[waiver]]\nid = "R1"\nreason = "known"\nexpires = 2999-01-01\n'
    (tmp_path / "limits.toml").write_text(limits)
    (tmp_path / "waived.toml").write_text(limits + waiver)
    (tmp_path / "required.toml").write_text('[scan]\nrequired = ["bandit"]\n')
    report = saved("medium", "medium")

    codes = [
        run(["gate", report, "--config", f"{name}.toml"])
        for name in ("limits", "waived", "required")
    ]

    assert codes == [1, 0, 3]


def test_the_verdict_goes_to_stdout_as_json_and_nothing_else(saved, capsys):
    run(["gate", saved("high", "low"), "--json"])

    told = capsys.readouterr()
    verdict = json.loads(told.out)
    assert (verdict["status"], verdict["exit_code"], verdict["run_id"]) == ("failed", 1, "r-1")
    assert (verdict["counts"]["high"], verdict["scanners"][0]["findings"]) == (1, 2)
    assert "failed: 1 finding at high or above" in told.err


def test_a_log_named_twice_is_judged_once_and_told(saved, tmp_path, capsys):
    log = saved("high", "high")
    alias = tmp_path / "alias.sarif"
    alias.symlink_to(log)

    run(["gate", log, log, str(alias), "--json"])

    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["high"] == 2
    assert sum("judged once" in line for line in told["told"]) == 2


@pytest.mark.parametrize("kind", ["toolExecutionNotifications", "toolConfigurationNotifications"])
@pytest.mark.parametrize(("level", "code"), [("error", 3), ("dreadful", 3), ("warning", 0)])
def test_an_error_that_another_tool_notes_makes_its_log_incomplete(tmp_path, kind, level, code):
    notice = {"level": level, "message": {"text": "rules could not be loaded"}}
    invocation = {"executionSuccessful": True, kind: [notice]}
    tool = {"driver": {"name": "other"}}
    log = {"version": "2.1.0", "runs": [{"tool": tool, "results": [], "invocations": [invocation]}]}
    path = tmp_path / "other.sarif"
    path.write_text(json.dumps(log))

    assert run(["gate", str(path)]) == code


@pytest.mark.parametrize("suppression", [{}, {"kind": "external"}, {"kind": "strange"}])
def test_a_tool_does_not_clear_its_own_findings(tmp_path, suppression):
    result = {"ruleId": "R1", "message": {"text": "m"}, "level": "error"}
    run_ = {"tool": {"driver": {"name": "other"}}, "results": [result]}
    result["suppressions"] = [suppression]
    path = tmp_path / "other.sarif"
    path.write_text(json.dumps({"version": "2.1.0", "runs": [run_]}))

    assert run(["gate", str(path)]) == 1


def test_a_value_that_is_a_scanners_name_hides_it_from_no_limit(saved, tmp_path, monkeypatch):
    (tmp_path / "scanrun.toml").write_text(
        '[[gate.limits]]\nscanner = "detect-secrets"\nmaximum = 0\n'
    )
    log = saved("low", name="detect-secrets")
    monkeypatch.setenv("SECRET_SCANNER", "detect-secrets")

    codes = [run(["gate", log]), run(["merge", log, "-o", "all.sarif"]), run(["gate", "all.sarif"])]

    assert codes == [1, 0, 1]


@pytest.mark.parametrize(("report", "code"), [("scan.sarif", 0), ("nosuch.sarif", 2)])
def test_a_secret_that_is_no_text_changes_no_exit_code(saved, monkeypatch, report, code):
    saved("low")
    monkeypatch.setenv("DB_PASSWORD", os.fsdecode(b"abcdefgh\xe9"))

    assert run(["gate", report]) == code


def test_an_error_that_can_not_be_shown_keeps_its_exit_code(monkeypatch):
    def broken(_):
        raise ValueError("unshowable")

    monkeypatch.setattr("scanrun.cli.app.show_error", broken)

    assert run(["gate", "nosuch.sarif"]) == 2
