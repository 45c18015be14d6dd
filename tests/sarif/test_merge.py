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
