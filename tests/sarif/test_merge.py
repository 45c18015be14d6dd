import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from scanrun.cli.app import run
from scanrun.cli.merge import command

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "sarif"
MANY = """
import re
import resource
import sys
from pathlib import Path
from scanrun.cli.app import run

folder = Path(sys.argv[1])
reports = [str(folder / f"{number}.sarif") for number in range(4)]
assert run(["merge", *reports, "-o", str(folder / "all.sarif")]) == 0
if sys.platform == "linux":
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) >> 10
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
print("PEAK", peak)
"""


def tool_run(name="T", results=None, **more):
    return {"tool": {"driver": {"name": name}}, "results": results or [], **more}


def finding(line=1, rule="R1"):
    place = {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": line}}
    return {
        "ruleId": rule,
        "message": {"text": "bad"},
        "locations": [{"physicalLocation": place}],
    }


def write(path, *runs):
    path.write_text(json.dumps({"version": "2.1.0", "runs": list(runs)}))
    return str(path)


def merged(tmp_path, *reports):
    assert run(["merge", *reports, "-o", str(tmp_path / "all.sarif")]) == 0
    return json.loads((tmp_path / "all.sarif").read_text())


def categories(log):
    return [each["automationDetails"]["id"].rpartition("/")[0] for each in log["runs"]]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_runs_are_kept_apart_and_their_results_with_them(tmp_path):
    one = write(tmp_path / "1.sarif", tool_run("A", [finding(1), finding(2)]), tool_run("B"))
    two = write(tmp_path / "2.sarif", tool_run("A", [finding(3)]))

    log = merged(tmp_path, one, two)

    assert [run["tool"]["driver"]["name"] for run in log["runs"]] == ["A", "B", "A"]
    assert [len(run["results"]) for run in log["runs"]] == [2, 0, 1]


def test_no_two_runs_share_a_category(tmp_path):
    own = {"automationDetails": {"id": "build/7"}}
    one = write(tmp_path / "1.sarif", tool_run("A"), tool_run("A"), tool_run("B", **own))
    two = write(tmp_path / "2.sarif", tool_run("A"), tool_run("C", **own))

    assert categories(merged(tmp_path, one, two)) == [
        "scanrun/A",
        "scanrun/A/2",
        "build",
        "scanrun/A/3",
        "build/2",
    ]


def test_log_of_ours_comes_through_as_it_was(tmp_path):
    foreign = write(tmp_path / "1.sarif", tool_run("A", [finding()]))
    ours = merged(tmp_path, foreign)
    (tmp_path / "ours.sarif").write_text(json.dumps(ours))

    again = merged(tmp_path, str(tmp_path / "ours.sarif"))

    assert again == ours


def test_merged_log_is_judged_as_its_parts_are(tmp_path):
    failed = {"invocations": [{"executionSuccessful": False}]}
    one = write(tmp_path / "1.sarif", tool_run("A", [finding()]))
    two = write(tmp_path / "2.sarif", tool_run("B", **failed))
    merged(tmp_path, one, two)

    assert run(["gate", one, two, "--fail-on", "critical"]) == 3
    assert run(["gate", str(tmp_path / "all.sarif"), "--fail-on", "critical"]) == 3
    assert run(["gate", str(tmp_path / "all.sarif"), "--fail-on", "medium"]) == 1


def test_snippets_of_other_tools_are_left_behind(tmp_path):
    word = "hunter" + "2hunter2"
    result = finding()
    result["locations"][0]["physicalLocation"]["region"]["snippet"] = {"text": word}
    report = write(tmp_path / "1.sarif", tool_run("A", [result]))

    assert word not in json.dumps(merged(tmp_path, report))


OURS = {"properties": {"scanrun": {"name": "a", "category": "sast", "status": "completed"}}}


def test_log_that_only_says_it_is_ours_is_masked_and_cleaned(tmp_path, monkeypatch):
    token, word, mine = "ghp_" + "k3Yp" * 9, "hunter" + "2hunter2", "correct" + "-horse-battery"
    monkeypatch.setenv("MY_PASSWORD", mine)
    result = finding() | {"message": {"text": f"\x1b[2J{token} {mine}"}}
    result["locations"][0]["physicalLocation"]["region"]["snippet"] = {"text": word}
    run = tool_run("A", [result], **OURS, artifacts=[{"contents": {"text": word}}])
    rule = {"id": "R1", "shortDescription": {"text": token}}
    run["tool"]["driver"] |= {"rules": [rule], "version": f"\x1b[1m{mine}"}

    (merged_run,) = merged(tmp_path, write(tmp_path / "1.sarif", run))["runs"]

    text = json.dumps(merged_run)
    assert not [each for each in (token, word, mine, "\\u001b") if each in text]
    assert merged_run["results"][0]["message"]["text"] == "******** ********"


def test_places_and_fingerprints_in_a_log_of_ours_stay_as_they_are_written(tmp_path):
    prints = {"partialFingerprints": {"secretOrdinal/v1": "secret-keyword:1"}}
    result = finding() | prints
    uri = "key=abcdefgh/a%20b.py"
    result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = uri

    (run,) = merged(tmp_path, write(tmp_path / "1.sarif", tool_run("A", [result], **OURS)))["runs"]

    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == uri
    assert run["results"][0]["partialFingerprints"] == prints["partialFingerprints"]


@pytest.mark.parametrize("rule_id", [None, 7, ["R1"], ""], ids=["none", "number", "list", "empty"])
@pytest.mark.parametrize("part", ["ruleId", "id"])
def test_log_that_says_it_is_ours_and_has_no_ids_is_incomplete(tmp_path, capsys, part, rule_id):
    result, rule = finding(), {"id": "R1"}
    (result if part == "ruleId" else rule)[part] = rule_id
    run_of_ours = tool_run("A", [result], **OURS)
    run_of_ours["tool"]["driver"]["rules"] = [rule]
    report = write(tmp_path / "1.sarif", run_of_ours)

    code = run(["merge", report, "-o", "all.sarif"])

    answer = capsys.readouterr().err
    assert code == 3
    assert "1.sarif" in answer
    assert part in answer
    assert not (tmp_path / "all.sarif").exists()


@pytest.mark.parametrize("ours", [OURS, {}], ids=["ours", "foreign"])
@pytest.mark.parametrize("part", ["head", "result"])
def test_log_that_is_nested_deeply_is_merged_or_refused(tmp_path, ours, part):
    deep = "[" * 700 + "1" + "]" * 700
    run_of_it = tool_run("A", [finding() | {"properties": {"x": 11}}], **ours)
    text = json.dumps({"version": "2.1.0", "runs": [run_of_it | {"invocations": []}]})
    there, what = ('"x": 11', f'"x": {deep}')
    if part == "head":
        there, what = ('"invocations": []', f'"invocations": [], "graphs": {deep}')
    (tmp_path / "1.sarif").write_text(text.replace(there, what))

    assert there in text
    assert run(["merge", str(tmp_path / "1.sarif"), "-o", "all.sarif"]) in {0, 3}
    assert run(["gate", str(tmp_path / "1.sarif")]) in {0, 3}
    assert run(["convert", str(tmp_path / "1.sarif"), "-o", "one.sarif"]) in {0, 3}


def test_secret_of_the_environment_is_masked_in_another_tools_log(tmp_path, monkeypatch):
    word = "hunter" + "2hunter2hunter2"
    monkeypatch.setenv("MY_PASSWORD", word)
    told = {"message": {"text": f"could not log in as {word}"}, "level": "error"}
    head = {"invocations": [{"toolExecutionNotifications": [told]}]}
    tool = tool_run(f"T {word}", [finding() | {"message": {"text": f"found {word}"}}], **head)

    assert word not in json.dumps(merged(tmp_path, write(tmp_path / "1.sarif", tool)))


def test_merged_log_is_valid_against_the_schema(tmp_path, schema_errors):
    one = write(tmp_path / "1.sarif", tool_run("A", [finding(1), finding(2)]))
    two = write(tmp_path / "2.sarif", tool_run("A", [finding(3)]))

    assert schema_errors(merged(tmp_path, one, two)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"version": "2.1.0", "runs": []}',
        b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "A"}}}]}',
        b'{"version": "2.1.0", "runs": [{"tool"',
    ],
    ids=["empty", "not-sarif", "no-run", "no-results", "cut-off"],
)
def test_report_that_can_not_be_read_is_incomplete_and_nothing_is_written(
    tmp_path, content, capsys
):
    good = write(tmp_path / "1.sarif", tool_run("A"))
    (tmp_path / "2.sarif").write_bytes(content)
    (tmp_path / "all.sarif").write_text("before")

    code = run(["merge", good, str(tmp_path / "2.sarif"), "-o", str(tmp_path / "all.sarif")])

    assert code == 3
    assert "2.sarif" in capsys.readouterr().err
    assert (tmp_path / "all.sarif").read_text() == "before"
    assert {each.name for each in tmp_path.iterdir()} == {"1.sarif", "2.sarif", "all.sarif"}


def test_log_goes_to_stdout_without_a_file(tmp_path):
    report = write(tmp_path / "1.sarif", tool_run("A", [finding()]))

    done = CliRunner().invoke(command, [report])

    assert done.exit_code == 0
    assert len(json.loads(done.stdout)["runs"]) == 1


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus beside the project")
def test_logs_of_real_tools_are_merged_with_all_their_results(tmp_path, schema_errors):
    reports = sorted(each for each in CORPUS.rglob("*") if each.suffix in {".sarif", ".json"})
    readable = [each for each in reports if run(["convert", str(each), "-o", "one.sarif"]) == 0]
    parts = [json.loads(each.read_text("utf-8-sig"))["runs"] for each in readable]
    expected = sum(len(each["results"]) for part in parts for each in part)

    log = merged(tmp_path, *map(str, readable))

    assert len(readable) > 5
    assert sum(len(each["results"]) for each in log["runs"]) == expected
    assert len(set(categories(log))) == len(log["runs"]) == sum(map(len, parts))
    assert schema_errors(log) == []


def test_a_hundred_thousand_results_are_merged_in_little_memory(tmp_path):
    ours = {"properties": {"scanrun": {"name": "a"}}}
    for number in range(4):
        results = [finding(line, f"R{line % 50}") for line in range(1, 25_001)]
        write(tmp_path / f"{number}.sarif", tool_run("A", results, **ours))

    done = subprocess.run(
        [sys.executable, "-c", MANY, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout.rpartition("PEAK ")[2]) < 200
    assert (tmp_path / "all.sarif").read_bytes().count(b'"ruleIndex"') == 100_000
