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
