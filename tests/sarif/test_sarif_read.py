import csv
import json
from pathlib import Path

import msgspec
import pytest

from scanrun.errors import ConversionError
from scanrun.model import Category, Notification
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.codec import dumps, to_json
from scanrun.sarif.read import read_json, read_runs, read_sarif

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
NOT_SARIF = {"sarif.json", "Empty_runs.sarif", "No_runs.sarif"}
"""One without a version, two without a run: no scanner stands behind them."""


def results(path, **more):
    return [to_json(item) for item in read_sarif(path, **more) if isinstance(item, Result)]


def place(uri, **more):
    return {"physicalLocation": {"artifactLocation": {"uri": uri, **more}}}


def uri_of(result):
    return result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def finding(**more):
    return {"ruleId": "R1", "message": {"text": "m"}, "locations": [place("a.py")], **more}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b'{"a": [1, 2', "truncated"),
        (b'{"a": 1} and more', "trailing"),
        (b"panic: out of memory", "expected report"),
        (b"[1]", "object"),
        (b'{"a": "\xff"}', "utf-8"),
        (b'{"a":' + b"[" * 100_000, "deep"),
    ],
)
def test_json_that_is_not_the_report_is_refused(tmp_path, data, reason):
    path = tmp_path / "report.json"
    path.write_bytes(data)

    with pytest.raises(ConversionError, match=reason) as caught:
        read_json(path, dict[str, object])

    assert "report.json" in str(caught.value)


def test_a_missing_report_is_an_error(tmp_path):
    with pytest.raises(ConversionError, match="can't be read"):
        read_json(tmp_path / "none.json", dict[str, object])


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    class Shape(msgspec.Struct):
        a: int

    assert read_json(path, Shape).a == 1


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ({}, "version"),
        ({"version": "2.1.0"}, "runs"),
        ({"version": "2.1.0", "runs": None}, "runs"),
        ({"version": "2.1.0", "runs": []}, "without a run"),
        ({"version": "2.0.0", "runs": [{}]}, "2.0.0"),
        ({"version": "2.1.0", "runs": [3]}, "object"),
        ({"version": "2.1.0", "runs": [{"results": []}]}, "tool"),
        ({"version": "2.1.0", "runs": [{"tool": {}, "results": []}]}, "tool"),
        ({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}}]}, "did not run"),
        (
            {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": None}]},
            "did not run",
        ),
        (
            {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": {}}]},
            "array",
        ),
        (
            {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": [7]}]},
            "object",
        ),
        (
            {
                "version": "2.1.0",
                "runs": [{"tool": {"driver": {"name": "t"}}, "results": []}],
                "inlineExternalProperties": [{"results": [{}]}],
            },
            "outside",
        ),
        (
            {
                "version": "2.1.0",
                "runs": [
                    {
                        "tool": {"driver": {"name": "t"}},
                        "results": [],
                        "externalPropertyFileReferences": {"results": [{}]},
                    }
                ],
            },
            "other files",
        ),
    ],
)
def test_a_log_without_an_answer_is_refused(tmp_path, log, reason):
    path = tmp_path / "tool.sarif"
    path.write_text(json.dumps(log))

    with pytest.raises(ConversionError, match=reason):
        list(read_sarif(path))


@pytest.mark.parametrize(
    "damage",
    [
        {"locations": "a.py"},
        {"locations": [3]},
        {"suppressions": "all"},
        {"fixes": [None]},
    ],
)
def test_a_result_that_is_not_sarif_is_refused(sarif_file, damage):
    with pytest.raises(ConversionError, match="not SARIF"):
        results(sarif_file(finding(**damage)))


def test_a_log_with_no_results_is_an_answer(sarif_file):
    assert results(sarif_file()) == []


@pytest.mark.parametrize(
    ("uri", "more", "expected"),
    [
        ("/src/a/b.py", {}, "a/b.py"),
        ("file:///src/a%20b.py", {}, "a%20b.py"),
        ("./a/../b.py", {}, "b.py"),
        ("a:b.py", {}, "b.py"),
        ("b.py", {"uriBaseId": "SUB"}, "sub/b.py"),
        ("/usr/lib/x.py", {}, "usr/lib/x.py"),
        ("../x.py", {}, "x.py"),
        ("C:\\work\\x.cs", {}, "C%3A/work/x.cs"),
        ("https://user:pw@example.org/login?next=1", {}, "example.org/login"),
        ("", {}, "no-location"),
    ],
)
def test_every_place_becomes_relative(sarif_file, uri, more, expected):
    bases = {"ROOT": {"uri": "file:///src/"}, "SUB": {"uri": "sub", "uriBaseId": "ROOT"}}
    path = sarif_file(finding(locations=[place(uri, **more)]), originalUriBaseIds=bases)

    assert uri_of(results(path)[0]) == expected


def test_the_page_a_result_is_about_is_kept_without_its_password(sarif_file):
    (result,) = results(sarif_file(finding(locations=[place("https://u:pw@example.org/a?b=1")])))

    assert result["properties"]["url"] == "https://********@example.org/a?b=1"


def test_a_place_may_stand_in_the_runs_own_table(sarif_file):
    location = {"physicalLocation": {"artifactLocation": {"index": 1}}}
    artifacts = [{}, {"location": {"uri": "b.py"}}]
    path = sarif_file(finding(locations=[location]), artifacts=artifacts)

    assert uri_of(results(path)[0]) == "b.py"


def test_no_source_text_is_passed_on(sarif_file):
    told = "hunter" + "2"
    region = {"startLine": 3, "snippet": {"text": told}}
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": "a.py"},
            "region": region,
            "contextRegion": region,
        }
    }
    change = {
        "artifactLocation": {"uri": "a.py"},
        "replacements": [{"deletedRegion": region, "insertedContent": {"text": told}}],
    }
    path = sarif_file(
        finding(
            locations=[location],
            relatedLocations=[location],
            codeFlows=[{"threadFlows": [{"locations": [{"location": location}]}]}],
            fixes=[{"description": {"text": "do not"}, "artifactChanges": [change]}],
            properties={"code": told},
        )
    )

    (result,) = results(path)

    assert told not in dumps(result).decode()
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    assert result["properties"]["fix"] == "do not"


def test_a_message_is_put_together_and_cleaned(sarif_file):
    rule = {"id": "R1", "messageStrings": {"default": {"text": "call of {0} in {1}"}}}
    message = {"id": "default", "arguments": ["\x1b[31meval\x1b[0m", "f\x00"]}
    path = sarif_file(finding(message=message), rules=[rule])

    assert results(path)[0]["message"] == {"text": "call of eval in f"}


@pytest.mark.parametrize(
    ("result", "rule_id", "level"),
    [
        ({"ruleId": "B", "ruleIndex": 0}, "B", "note"),
        ({"ruleId": "A/1", "ruleIndex": 0}, "A", "error"),
        ({"ruleId": None, "ruleIndex": 1}, "B", "note"),
        ({"ruleId": None, "rule": {"index": 0, "toolComponent": {"index": 0}}}, "X", "error"),
        ({"ruleId": None}, "no-rule-id", "warning"),
        ({"ruleId": "A", "ruleIndex": 99}, "A", "error"),
    ],
)
def test_a_result_is_given_its_own_rule(sarif_file, result, rule_id, level):
    rules = [
        {"id": "A", "defaultConfiguration": {"level": "error"}},
        {"id": "B", "defaultConfiguration": {"level": "note"}},
    ]
    extension = {"name": "x", "rules": [{"id": "X", "defaultConfiguration": {"level": "error"}}]}
    tool = {"driver": {"name": "tool", "rules": rules}, "extensions": [extension]}

    (made,) = results(sarif_file(finding(**result), tool=tool))

    assert (made["ruleId"], made["level"]) == (rule_id, level)


def test_a_rule_has_what_consumers_look_for(sarif_file, schema_errors, write_run, log_of):
    rule = {
        "id": "R1",
        "name": "bad thing",
        "helpUri": "javascript:alert(1)",
        "properties": {"tags": ["CWE-79: XSS", "web"], "security-severity": "9.8"},
    }
    path = sarif_file(finding(), rules=[rule, {"id": "R1", "name": "again"}])
    items = list(read_sarif(path, category=Category.DAST))

    (run,) = log_of(write_run(*items))["runs"]

    (made,) = run["tool"]["driver"]["rules"]
    assert made["properties"]["tags"] == [
        "security",
        "dast",
        "web",
        "external/cwe/cwe-079",
        "cwe-79",
    ]
    assert made["properties"]["security-severity"] == "9.8"
    assert made["help"]["text"] == "bad thing"
    assert "helpUri" not in made
    assert run["results"][0]["properties"]["severity"] == "critical"
    assert schema_errors({"version": "2.1.0", "runs": [run]}) == []


def test_a_rule_of_unknown_kind_claims_none(sarif_file):
    rules = [
        each for each in read_sarif(sarif_file(rules=[{"id": "R1"}])) if isinstance(each, Rule)
    ]

    assert [to_json(each)["properties"].get("category") for each in rules] == [None]


@pytest.mark.parametrize(
    ("invocation", "levels"),
    [
        ({"executionSuccessful": True}, []),
        ({"executionSuccessful": False}, ["error"]),
        ({}, ["error"]),
        (
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": "x"}},
                    {"level": "note", "message": {"text": "x"}},
                    {"message": {"text": "x"}},
                    {"level": "fatal", "message": {"text": "x"}},
                ],
            },
            ["error", "warning", "error"],
        ),
    ],
)
def test_a_tool_that_says_it_failed_is_heard(sarif_file, invocation, levels):
    path = sarif_file(invocations=[invocation])

    told = [each for each in read_sarif(path) if isinstance(each, Notification)]

    assert [each.level for each in told] == levels


def test_a_doubtful_suppression_suppresses_nothing(sarif_file):
    given = [{"kind": "strange", "status": "perhaps", "justification": "because"}]

    (result,) = results(sarif_file(finding(suppressions=given)))

    assert result["suppressions"] == [
        {"kind": "inSource", "status": "underReview", "justification": "because"}
    ]


def test_more_places_than_one_become_related_ones(sarif_file):
    (result,) = results(
        sarif_file(finding(locations=[place("a.py"), place("b.py"), place("b.py")]))
    )

    assert len(result["locations"]) == 1
    assert [uri_of({"locations": [each]}) for each in result["relatedLocations"]] == ["b.py"]


def test_people_and_commits_are_no_fingerprints(sarif_file):
    given = {
        "commitSha": "0" * 40,
        "email": "a@example.org",
        "primary/v1": "x",
        "vulnerabilityHash": "y",
    }

    (result,) = results(sarif_file(finding(partialFingerprints=given)))

    assert result["partialFingerprints"] == {"primary/v1": "x", "vulnerabilityHash": "y"}


def test_a_saved_run_tells_not_run_from_nothing_found(sarif_file):
    path = sarif_file()
    (empty,) = read_runs(path)
    log = json.loads(path.read_text())
    del log["runs"][0]["results"]
    path.write_text(json.dumps(log))

    (absent,) = read_runs(path)

    assert "results" not in empty.head
    assert absent.head["results"] is None
    assert (list(empty.results), list(absent.results)) == ([], [])


def _manifest():
    if not CORPUS.exists():
        return []
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [row for row in rows if row["scanner"] == "sarif"]


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the checkout")
@pytest.mark.parametrize("row", _manifest(), ids=lambda row: row["path"])
def test_recorded_logs_have_every_finding_or_are_refused(row, write_run, log_of, schema_errors):
    path = CORPUS / row["path"]
    if path.name in NOT_SARIF:
        with pytest.raises(ConversionError):
            list(read_sarif(path))
        return
    items = [each for each in read_sarif(path) if not isinstance(each, Notification)]

    log = log_of(write_run(*items))

    assert len(log["runs"][0]["results"]) == int(row["findings"])
    assert schema_errors(log) == []


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the checkout")
def test_a_recorded_log_that_is_malformed_is_refused():
    path = CORPUS / "malformed" / "github__codeql-action" / "sarif-runs-not-objects.sarif"

    with pytest.raises(ConversionError):
        list(read_sarif(path))


def test_a_fingerprint_under_a_name_that_nobody_can_read_is_left_behind(sarif_file):
    given = {"\x1b[31mred/v1": "x", "a" * 101 + "/v1": "x", "primary/v1": "x"}

    (result,) = results(sarif_file(finding(partialFingerprints=given)))

    assert result["partialFingerprints"] == {"primary/v1": "x"}


def one_run(path, run):
    path.write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
    return path


def test_arguments_fill_the_messages_own_placeholders_alone(tmp_path):
    message = {"text": "use {0}, not {1} or {7}", "arguments": ["'{1}'.format(x)", "f-strings"]}
    run = {"tool": {"driver": {"name": "T"}}, "results": [finding(message=message)]}

    (found,) = results(one_run(tmp_path / "a.sarif", run))

    assert found["message"]["text"] == "use '{1}'.format(x), not f-strings or {7}"


def test_arguments_that_name_one_another_make_no_endless_text(tmp_path):
    arguments = [f"{{{number}}}" * 10 for number in range(1, 12)]
    message = {"text": "{0}", "arguments": arguments}
    run = {"tool": {"driver": {"name": "T"}}, "results": [finding(message=message)]}

    (found,) = results(one_run(tmp_path / "a.sarif", run))

    assert found["message"]["text"] == "{1}" * 10


@pytest.mark.parametrize("lone", ["\udcff", "x\ud83d", "\ud83d\ude00\udcff"])
def test_a_lone_surrogate_costs_no_result(tmp_path, lone):
    run = {
        "tool": {"driver": {"name": f"T{lone}", "rules": [{"id": "R1"}]}},
        "results": [finding(message={"text": f"a{lone}"}), finding()],
    }

    made = results(one_run(tmp_path / "a.sarif", run))

    assert [each["message"]["text"][0] for each in made] == ["a", "m"]


def test_a_lone_surrogate_hides_no_key_that_stands_twice(tmp_path):
    path = tmp_path / "a.sarif"
    run = {"tool": {"driver": {"name": "T\udcff"}}, "results": [finding()]}
    text = json.dumps({"version": "2.1.0", "runs": [run]})
    path.write_text(text.replace('"results"', '"results": [], "results"').replace("[]", "[1]"))

    with pytest.raises(ConversionError):
        results(path)
