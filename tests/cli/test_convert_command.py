import contextlib
import io
import json
from pathlib import Path

import pytest

from scanrun.cli.app import run

DATA = Path(__file__).parents[1] / "plugins" / "data"
BANDIT = str(DATA / "bandit" / "mixed.json")
PLUGIN = """
from scanrun.api import Applies, Category, Driver, Severity, Step, hookimpl, result

class Lines:
    category, driver = Category.SAST, Driver("Lines")

    def __init__(self, name):
        self.name = name

    def applies(self, target):
        return Applies.to(target.snapshot.files)

    def steps(self, target):
        return (Step.scan("lines:1", (), output="/out/report"),)

    def convert(self, outputs):
        for line in outputs["/out/report"].read_text().splitlines():
            yield result(line, "found", path="app.py", severity=Severity.HIGH)

@hookimpl
def scanrun_register_scanners():
    return [Lines("lines")]
"""
VERSIONED = """
import os
Lines.version = lambda self, outputs: "1 \\x1b[2J" + os.environ["MY_PASSWORD"]
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def log(tmp_path):
    """Return a log of two tools, the second of which says that it failed."""
    place = {"physicalLocation": {"artifactLocation": {"uri": f"{tmp_path.as_uri()}/a.py"}}}
    result = {"ruleId": "R1", "message": {"text": "m"}, "level": "error", "locations": [place]}
    runs = [
        {"tool": {"driver": {"name": "One", "organization": "Org"}}, "results": [result]},
        {
            "tool": {"driver": {"name": "Two"}},
            "results": [],
            "invocations": [{"executionSuccessful": False}],
        },
    ]
    path = tmp_path / "tools.sarif"
    path.write_text(json.dumps({"version": "2.1.0", "runs": runs}))
    return str(path)


def test_a_named_scanners_report_becomes_sarif_on_stdout(capsysbinary):
    code = run(["convert", BANDIT, "--from", "bandit"])

    (converted,) = json.loads(capsysbinary.readouterr().out)["runs"]
    assert code == 0
    assert converted["tool"]["driver"]["name"] == "Bandit"
    assert converted["conversion"]["tool"]["driver"]["name"] == "scanrun"
    assert len(converted["results"]) > 0


def test_the_scanner_is_guessed(capsysbinary):
    run(["convert", BANDIT])
    guessed = capsysbinary.readouterr().out

    run(["convert", BANDIT, "--from", "bandit"])

    assert guessed == capsysbinary.readouterr().out


def test_any_sarif_is_recognised_run_by_run(log, tmp_path):
    code = run(["convert", log, "-o", "out.sarif"])

    one, two = json.loads((tmp_path / "out.sarif").read_text())["runs"]
    assert code == 0
    assert one["tool"]["driver"]["organization"] == "Org"
    place = one["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "a.py"
    assert two["invocations"][0]["executionSuccessful"] is False


def test_a_converted_log_is_judged_as_the_report_would_be(log):
    run(["convert", log, "-o", "out.sarif"])

    assert run(["gate", "out.sarif"]) == 1
    assert run(["gate", "out.sarif", "--fail-on", "never"]) == 3


def test_converting_twice_changes_nothing(log, tmp_path):
    run(["convert", log, "-o", "one.sarif"])
    run(["convert", "one.sarif", "-o", "two.sarif"])
    one, two = (json.loads((tmp_path / f"{n}.sarif").read_text()) for n in ("one", "two"))

    assert one["runs"][0]["results"] == two["runs"][0]["results"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, 0),
        ({"findings": 5}, 3),
        ({"unread": ["a.py: permission denied"]}, 3),
        ({"conditions": [{"name": "gate", "passed": False, "detail": "", "required": True}]}, 1),
    ],
)
def test_a_log_of_ours_is_judged_the_same_once_converted(tmp_path, more, code):
    ours = {"name": "sonar", "category": "sast", "status": "completed", "required": True}
    head = {"scanrun": {**ours, "findings": 0, "suppressed": 0, **more}}
    told = {"tool": {"driver": {"name": "S"}}, "results": [], "properties": head}
    (tmp_path / "ours.sarif").write_text(json.dumps({"version": "2.1.0", "runs": [told]}))

    assert run(["gate", "ours.sarif"]) == code
    assert run(["convert", "ours.sarif", "-o", "again.sarif"]) == 0
    assert run(["gate", "again.sarif"]) == code


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"<xml/>", b'{"version": "2.1.0", "runs": []}', b"[1, 2"],
    ids=["empty", "nobody's", "xml", "no run", "cut off"],
)
def test_what_nobody_recognises_is_refused_and_leaves_no_file(tmp_path, data, capsys):
    (tmp_path / "report").write_bytes(data)

    code = run(["convert", "report", "-o", "out.sarif"])

    assert code == 3
    assert "report" in capsys.readouterr().err
    assert not (tmp_path / "out.sarif").exists()


def test_the_refusal_names_what_was_tried(tmp_path, capsys):
    (tmp_path / "report").write_text("{}")

    run(["convert", "report"])

    told = capsys.readouterr()
    assert "bandit" in told.err
    assert "--from" in told.err
    assert told.out == ""


@pytest.mark.parametrize("name", ["detect-secrets", "ruff", "zizmor", "sarif"])
def test_another_scanners_report_is_refused(name):
    assert run(["convert", BANDIT, "--from", name]) == 3


@pytest.mark.parametrize("name", ["sarif", "tool"])
def test_a_secret_of_the_environment_and_escapes_are_not_written(
    tmp_path, monkeypatch, capsys, name
):
    word = "hunter" + "2hunter2hunter2"
    monkeypatch.setenv("MY_PASSWORD", word)
    tool = {"driver": {"name": "One", "version": f"1 \x1b[2J{word}"}}
    result = {"ruleId": "R1", "message": {"text": f"found {word}"}}
    log = json.dumps({"version": "2.1.0", "runs": [{"tool": tool, "results": [result]}]})
    (tmp_path / "report").write_text(log if name == "sarif" else "R1\n")
    plugin = tmp_path.parent / f"{tmp_path.name}.py"
    plugin.write_text(PLUGIN.replace('"lines"', '"tool"') + VERSIONED)

    code = run(["convert", "report", "--from", name, "--plugin", str(plugin), "-o", "out.sarif"])

    (run_of_it,) = json.loads((tmp_path / "out.sarif").read_text())["runs"]
    text = json.dumps(run_of_it)
    assert (code, capsys.readouterr().err) == (0, "")
    assert len(run_of_it["results"]) == 1
    assert run_of_it["tool"]["driver"]["version"] == "1 ********"
    assert word not in text
    assert "\\u001b" not in text


def test_a_misspelt_scanner_is_a_usage_error_with_the_nearest_name(capsys):
    assert run(["convert", BANDIT, "--from", "bandid"]) == 2
    told = "error: --from: no scanner 'bandid'\n  try: did you mean 'bandit'?\n"
    assert capsys.readouterr().err == told


def test_a_mistyped_report_is_a_usage_error(capsys):
    assert run(["convert", "none.json"]) == 2
    assert "'none.json' does not exist" in capsys.readouterr().err


def test_an_older_file_survives_a_refused_report(tmp_path):
    (tmp_path / "out.sarif").write_text("old")
    (tmp_path / "report").write_text("{}")

    run(["convert", "report", "-o", "out.sarif"])

    assert (tmp_path / "out.sarif").read_text() == "old"


def test_of_two_scanners_of_one_tool_the_first_is_taken_and_told(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    plugin = tmp_path / "lines.py"
    plugin.write_text(PLUGIN.replace('[Lines("lines")]', '[Lines("lines"), Lines("lines-too")]'))
    (tmp_path / "report").write_text("eval\n")

    with contextlib.chdir(tmp_path / "empty"):
        code = run(["convert", "../report", "--plugin", str(plugin)])

    told = capsys.readouterr()
    assert code == 0, told.err
    assert json.loads(told.out)["runs"][0]["properties"]["scanrun"]["name"] == "lines"
    assert "--from lines-too" in told.err


def test_a_report_is_read_from_stdin(monkeypatch, capsysbinary):
    with Path(BANDIT).open("rb") as stream:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        assert run(["convert", "-", "--from", "bandit"]) == 0
    from_stdin = capsysbinary.readouterr().out

    assert run(["convert", BANDIT, "--from", "bandit"]) == 0
    assert from_stdin == capsysbinary.readouterr().out


def test_a_local_plugins_report_is_converted(tmp_path, capsys):
    plugin = tmp_path / "plugins" / "mine.py"
    plugin.parent.mkdir()
    plugin.write_text(PLUGIN)
    (tmp_path / "empty").mkdir()
    (tmp_path / "report").write_text("eval\n")

    with contextlib.chdir(tmp_path / "empty"):
        code = run(["convert", "../report", "--from", "lines", "--plugin", str(plugin)])

    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert json.loads(shown.out)["runs"][0]["results"][0]["ruleId"] == "eval"


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("trivy", "trivy/tree.json"),
        ("trivy-image", "trivy/image-canary.json"),
        ("dependency-check", "dependency-check/subset-12.2.2.json"),
        ("sonar", "sonar/issues_26_9.json"),
    ],
)
def test_every_scanner_of_several_steps_converts_its_main_report(name, report, capsysbinary):
    assert run(["convert", str(DATA / report), "--from", name]) == 0

    (converted,) = json.loads(capsysbinary.readouterr().out)["runs"]
    assert converted["results"]


def test_an_empty_list_is_no_clean_report_of_anybodys(tmp_path, capsys):
    (tmp_path / "report").write_text("[]")

    assert run(["convert", "report", "-o", "out.sarif"]) == 3
    assert run(["convert", "report", "--from", "ruff", "-o", "out.sarif"]) == 3
    assert "any tool could have written it" in capsys.readouterr().err
    assert not (tmp_path / "out.sarif").exists()


def test_bandits_report_on_no_file_does_not_pass_the_gate(tmp_path):
    report = {"errors": [], "metrics": {"_totals": {"loc": 0}}, "results": []}
    (tmp_path / "report").write_text(json.dumps(report))

    run(["convert", "report", "-o", "out.sarif"])

    assert run(["gate", "out.sarif"]) == 3


def test_a_tools_own_fingerprints_are_cleaned_as_its_messages_are(log, tmp_path):
    token = "ghp_" + "k3Yp" * 9
    report = json.loads(Path(log).read_text())
    report["runs"][0]["results"][0]["partialFingerprints"] = {"it/v1": f"\x1b[31mof {token}"}
    Path(log).write_text(json.dumps(report))

    run(["convert", log, "-o", "out.sarif"])

    (found,) = json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]
    assert found["partialFingerprints"]["it/v1"] == "of ********"
