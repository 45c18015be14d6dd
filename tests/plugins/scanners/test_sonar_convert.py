"""What becomes of a server's issues, hotspots and rules in SARIF."""

import csv
import json
from pathlib import Path

import pytest
from sonar_server import made_issue, recorded

from scanrun.api import (
    Category,
    ConversionError,
    Finding,
    Notification,
    Result,
    Rule,
    Severity,
)
from scanrun.sarif.codec import to_json
from scanrun.sarif.uri import decode_path
from scanrun_plugins.scanners.sonar.about import Mode
from scanrun_plugins.scanners.sonar.answers import Hotspot, Impact, Issue, RuleText, decoded
from scanrun_plugins.scanners.sonar.convert import convert_answers
from scanrun_plugins.scanners.sonar.findings import Context, hotspot_result, issue_result, rule_of
from scanrun_plugins.scanners.sonar.places import Places
from scanrun_plugins.scanners.sonar.prose import to_markdown, to_text
from scanrun_plugins.scanners.sonar.severity import Kind, kind_of, severity_of

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
HOTSPOTS = {"lookalike/DefectDojo__django-DefectDojo/sonar_api-hotspots-show.json"}
"""Called after another question, it is a page of hotspots like any other."""
CONTEXT = Context(Places({"demo:app/a.py": "app/a.py"}), Mode.MQR, project="demo")


def manifest(*folders):
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [row for row in rows if row["path"].split("/")[0] in folders]


needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")


def saved(tmp_path, document):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return list(convert_answers(path))


def results(items):
    return [item for item in items if isinstance(item, Result)]


def errors(items):
    return [each.text for each in items if isinstance(each, Notification) and each.level == "error"]


def issue(**more):
    raw = {**made_issue(4), "component": "demo:app/a.py", **more}
    return decoded(json.dumps(raw).encode(), Issue, "an issue")


def hotspot(**more):
    raw = {**recorded("hotspots_26_1.json")["hotspots"][0], **more}
    return decoded(json.dumps(raw).encode(), Hotspot, "a hotspot")


def finding(result):
    return Finding.of(to_json(result), {}, scanner="sonar")


@needs_corpus
@pytest.mark.parametrize("row", manifest("sonar"), ids=lambda row: row["path"])
def test_a_real_answer_gives_the_findings_that_were_counted_in_it(row):
    found = results(convert_answers(CORPUS / row["path"]))

    assert len(found) == int(row["findings"])
    opened = [each for each in found if not each.suppressions]
    assert len(opened) == json.loads(row["other_counts"])["open"]


@needs_corpus
@pytest.mark.parametrize("row", manifest("lookalike", "malformed"), ids=lambda row: row["path"])
def test_another_format_is_refused(row):
    if row["path"] in HOTSPOTS:
        assert len(results(convert_answers(CORPUS / row["path"]))) == int(row["findings"])
        return
    with pytest.raises(ConversionError):
        list(convert_answers(CORPUS / row["path"]))


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"issues": []},
        {"paging": {"total": 0}},
        {"paging": {"total": 1}, "issues": [{"rule": "a:b"}]},
        {"paging": {"total": 1}, "issues": ["a"]},
        {"errors": [{"msg": "Insufficient privileges"}]},
    ],
    ids=str,
)
def test_what_is_no_answer_of_sonarqube_is_refused(tmp_path, document):
    with pytest.raises(ConversionError):
        saved(tmp_path, document)


@pytest.mark.parametrize("data", [b"", b"<html>", b'{"paging":'], ids=["empty", "html", "cut off"])
def test_unreadable_output_is_an_error_not_a_clean_scan(tmp_path, data):
    path = tmp_path / "answer.json"
    path.write_bytes(data)

    with pytest.raises(ConversionError):
        list(convert_answers(path))


def test_an_answer_without_issues_proves_nothing(tmp_path):
    (problem,) = errors(saved(tmp_path, {"paging": {"total": 0}, "issues": []}))

    assert "there is nothing in it" in problem


def test_pages_that_are_not_all_there_are_told(tmp_path):
    page = {"paging": {"pageIndex": 1, "pageSize": 1, "total": 2}, "issues": [made_issue(1)]}

    assert errors(saved(tmp_path, page)) == ["the server had 2 issues, and 1 are in the file"]
    assert errors(saved(tmp_path, [page, {**page, "issues": [made_issue(2)]}])) == []


def test_pages_that_overlap_count_an_issue_once(tmp_path):
    page = {"paging": {"total": 1}, "issues": [made_issue(1)]}

    assert len(results(saved(tmp_path, [page, page]))) == 1


def test_two_findings_under_a_blackened_key_are_two(tmp_path):
    first, second = (made_issue(number, key="redacted") for number in (1, 2))
    page = {"paging": {"total": 2}, "issues": [first, second]}

    assert len(results(saved(tmp_path, page))) == 2


def test_a_full_page_of_a_list_without_a_total_may_not_be_the_last(tmp_path):
    page = {"paging": {"pageIndex": 1, "pageSize": 1}, "issues": [made_issue(1)]}

    assert errors(saved(tmp_path, page)) == [
        "there may be more issues than the saved pages hold",
    ]


def test_recorded_issues_are_what_they_are_on_the_server(tmp_path):
    found = {each.rule_id: each for each in results(saved(tmp_path, recorded("issues_26_9.json")))}

    assert {rule: (each.kind, each.properties["severity"]) for rule, each in found.items()} == {
        "python:S1764": ("informational", "medium"),
        "docker:S6596": ("informational", "medium"),
        "docker:S6471": ("fail", "low"),
        "python:S1192": ("informational", "high"),
        "python:S4502": ("fail", "high"),
        "python:S2068": ("fail", "medium"),
        "secrets:S6290": ("fail", "critical"),
        "java:S2095": ("informational", "critical"),
        "Web:ImgWithoutAltCheck": ("informational", "low"),
    }
    assert found["python:S4502"].properties["formerHotspot"]


@pytest.mark.parametrize(
    ("impacts", "word", "mode", "expected"),
    [
        ([("SECURITY", "LOW"), ("RELIABILITY", "HIGH")], "MAJOR", Mode.MQR, "low"),
        ([("RELIABILITY", "LOW"), ("MAINTAINABILITY", "HIGH")], "MAJOR", Mode.MQR, "high"),
        ([("SECURITY", "HIGH")], "MINOR", Mode.STANDARD, "low"),
        ([("SECURITY", "BLOCKER")], "", Mode.STANDARD, "critical"),
        ([], "CRITICAL", Mode.MQR, "high"),
        ([("SECURITY", "LOW")], "BLOCKER", Mode.UNKNOWN, "critical"),
        ([("SECURITY", "SEVERE")], "MINOR", Mode.MQR, "unknown"),
        ([], "TERRIBLE", Mode.STANDARD, "unknown"),
        ([], "", Mode.UNKNOWN, "unknown"),
    ],
)
def test_severity_is_that_of_the_servers_mode(impacts, word, mode, expected):
    found = RuleText("a:b", severity=word, impacts=[Impact(*each) for each in impacts])

    assert severity_of(found, mode) == expected


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("BLOCKER", Severity.CRITICAL),
        ("CRITICAL", Severity.HIGH),
        ("MAJOR", Severity.MEDIUM),
        ("MINOR", Severity.LOW),
        ("INFO", Severity.INFO),
    ],
)
def test_the_words_of_the_standard_mode(word, severity):
    assert severity_of(RuleText("a:b", severity=word), Mode.STANDARD) is severity


@pytest.mark.parametrize(
    ("kind", "impacts", "expected"),
    [
        ("CODE_SMELL", ["SECURITY"], Kind.VULNERABILITY),
        ("BUG", ["RELIABILITY"], Kind.BUG),
        ("", ["RELIABILITY"], Kind.BUG),
        ("", ["MAINTAINABILITY"], Kind.CODE_SMELL),
        ("", [], Kind.VULNERABILITY),
        ("SOMETHING", [], Kind.VULNERABILITY),
        ("SECURITY_HOTSPOT", ["SECURITY"], Kind.HOTSPOT),
    ],
)
def test_what_touches_security_or_says_nothing_is_a_vulnerability(kind, impacts, expected):
    assert (
        kind_of(RuleText("a:b", type=kind, impacts=[Impact(e, "LOW") for e in impacts])) is expected
    )


@pytest.mark.parametrize("kind", ["BUG", "CODE_SMELL"])
def test_bugs_and_smells_count_only_if_they_are_asked_for(kind):
    told = issue(type=kind, impacts=[], severity="BLOCKER")
    asked = Context(CONTEXT.places, Mode.STANDARD, frozenset({Kind(kind.lower())}))

    assert finding(issue_result(told, CONTEXT)).severity is Severity.INFO
    assert finding(issue_result(told, asked)).severity is Severity.CRITICAL


def test_a_place_counts_from_one_and_is_the_components_path():
    made = issue_result(issue(component="demo:app/a.py"), CONTEXT)
    place = made.locations[0].physical_location

    assert decode_path(place.artifact_location.uri) == "app/a.py"
    region = place.region
    assert (region.start_line, region.start_column, region.end_column) == (5, 5, 10)


@pytest.mark.parametrize(
    ("component", "path"),
    [
        ("demo:b.py", "b.py"),
        ("demo:../../etc/passwd", "etc/passwd"),
        ("demo:a:b.py", "a:b.py"),
        ("demo", "demo"),
        ("other:x.py", "other:x.py"),
    ],
)
def test_a_component_that_nobody_has_told_the_path_of_still_has_a_place(component, path):
    assert Places({}).path(component, "demo") == path


def test_an_issue_of_the_whole_project_has_a_place_and_an_identity_of_its_own():
    made = issue_result(issue(component="demo", line=None, textRange=None), CONTEXT)

    assert made.locations[0].physical_location.region.start_line == 1
    assert made.partial_fingerprints == {"messageIdentity/v1": "Use a stronger hash here."}


def test_the_servers_key_does_not_make_the_identity():
    """Another server, as an ephemeral one is, gives another key to the same issue."""
    made = issue_result(issue(key="K1"), CONTEXT)

    assert made.fingerprints == {"sonarIssue/v1": "K1"}
    assert made.partial_fingerprints is None


def spot(line, **more):
    at = {"startLine": line, "endLine": line, "startOffset": 0, "endOffset": 1}
    return {"component": "demo:app/a.py", "textRange": at, "msg": f"step {line}", **more}


def test_the_way_of_data_is_told_from_its_source():
    flow = {"type": "DATA", "locations": [spot(9), spot(5), spot(1)]}

    made = to_json(issue_result(issue(flows=[flow]), CONTEXT))

    (way,) = made["codeFlows"][0]["threadFlows"]
    assert [each["location"]["message"]["text"] for each in way["locations"]] == [
        "step 1",
        "step 5",
        "step 9",
    ]
    assert "relatedLocations" not in made


def test_other_flows_are_related_places_each_once():
    flows = [{"locations": [spot(9)]}, {"locations": [spot(9)]}, {"locations": [spot(2)]}]

    made = to_json(issue_result(issue(flows=flows), CONTEXT))

    lines = [each["physicalLocation"]["region"]["startLine"] for each in made["relatedLocations"]]
    assert lines == [9, 2]
    assert "codeFlows" not in made


def test_a_flow_never_leaves_the_tree():
    flow = {"type": "DATA", "locations": [spot(1, component="demo:../../etc/passwd")]}

    made = to_json(issue_result(issue(flows=[flow]), CONTEXT))

    step = made["codeFlows"][0]["threadFlows"][0]["locations"][0]["location"]
    assert step["physicalLocation"]["artifactLocation"]["uri"] == "etc/passwd"


@pytest.mark.parametrize(
    ("resolution", "status", "word"),
    [
        ("WONTFIX", "ACCEPTED", "accepted"),
        ("FALSE-POSITIVE", "FALSE_POSITIVE", "a false positive"),
        ("", "ACCEPTED", "accepted"),
    ],
)
def test_what_somebody_set_aside_on_the_server_is_suppressed_with_the_reason(
    resolution, status, word
):
    comments = [{"markdown": "only\nin tests"}]

    made = issue_result(
        issue(resolution=resolution, issueStatus=status, comments=comments), CONTEXT
    )

    (suppression,) = made.suppressions
    assert suppression["justification"] == f"called {word} on the server: only in tests"
    assert finding(made).suppressed


@pytest.mark.parametrize("status", ["OPEN", "CONFIRMED", "IN_SANDBOX", "NEWLY_INVENTED"])
def test_an_issue_in_any_other_state_is_open(status):
    assert not finding(issue_result(issue(issueStatus=status), CONTEXT)).suppressed


@pytest.mark.parametrize(
    ("status", "resolution", "kind", "suppressed"),
    [
        ("TO_REVIEW", "", "review", False),
        ("REVIEWED", "SAFE", "review", True),
        ("REVIEWED", "FIXED", "review", True),
        ("REVIEWED", "ACKNOWLEDGED", "fail", False),
        ("REVIEWED", "SOMETHING", "review", False),
        ("TO_REVIEW", "SAFE", "review", False),
    ],
)
def test_a_hotspot_is_to_be_reviewed_until_somebody_has(status, resolution, kind, suppressed):
    made = hotspot_result(hotspot(status=status, resolution=resolution), CONTEXT)

    assert (made.kind, finding(made).suppressed) == (kind, suppressed)
    assert finding(made).severity is Severity.HIGH


@pytest.mark.parametrize("word", ["", "CERTAIN"])
def test_a_hotspot_of_unknown_probability_is_gated(word):
    made = hotspot_result(hotspot(vulnerabilityProbability=word), CONTEXT)

    assert finding(made).severity is Severity.UNKNOWN


def test_recorded_hotspots_convert_with_a_rule_each(tmp_path):
    items = saved(tmp_path, recorded("hotspots_26_1.json"))

    rules = {each.id for each in items if isinstance(each, Rule)}
    assert rules == {"javascript:S2068", "docker:S6472", "java:S2068"}
    assert {each.kind for each in results(items)} == {"review"}


def recorded_rule(**more):
    raw = {**recorded("rule_S4790.json")["rule"], **more}
    return rule_of(decoded(json.dumps(raw).encode(), RuleText, "a rule"), CONTEXT)


def test_a_rule_has_its_description_and_weakness():
    made = to_json(recorded_rule())

    assert made["properties"]["security-severity"] == "8.0"
    assert {"security", "vulnerability", "cwe-1240"} <= {*made["properties"]["tags"]}
    assert "#### How to fix it" in made["help"]["markdown"]
    assert "```\nm = hashlib.md5() # Noncompliant\n\n```" in made["help"]["markdown"]
    assert "<" not in made["help"]["text"]
    assert made["fullDescription"]["text"].startswith("Using a weak hashing algorithm")


@pytest.mark.parametrize(
    ("kind", "impact", "tagged"),
    [("CODE_SMELL", "MAINTAINABILITY", False), ("VULNERABILITY", "SECURITY", True)],
)
def test_only_what_touches_security_bears_its_tag(kind, impact, tagged):
    impacts = [{"softwareQuality": impact, "severity": "LOW"}]

    made = recorded_rule(type=kind, impacts=impacts)

    assert ("security" in made.properties["tags"]) is tagged


@pytest.mark.parametrize(
    ("key", "category"),
    [
        ("secrets:S6290", Category.SECRET),
        ("docker:S6471", Category.IAC),
        ("python:S1", Category.SAST),
    ],
)
def test_a_rule_is_of_the_category_of_its_analyser(key, category):
    assert recorded_rule(key=key).properties["category"] == category


def test_links_are_made_only_where_people_see_the_server():
    seen = Context(
        CONTEXT.places, Mode.MQR, url="https://sonar.example", project="a b", scope={"branch": "x"}
    )

    assert issue_result(issue(), CONTEXT).hosted_viewer_uri is None
    assert issue_result(issue(key="K"), seen).hosted_viewer_uri == (
        "https://sonar.example/project/issues?id=a+b&branch=x&open=K"
    )


HOSTILE = (
    '<p onclick="x()">a <b>b</b><script>alert(1)</script>'
    '<a href="javascript:alert(1)">go</a> <a href="https://e.example/)x">out</a>'
    "&lt;img src=x&gt; [c](http://d) `e`</p>"
)


def test_markup_of_a_server_never_reaches_a_reader():
    markdown = to_markdown(HOSTILE)

    assert "alert" not in markdown
    assert "javascript:" not in markdown
    assert "](" not in markdown.replace("\\](", "")
    assert "\\<img" in markdown
    assert "<b>" not in to_text(HOSTILE)


def test_shapes_of_a_description_are_kept():
    html = (
        "<h3>Title</h3><ul><li>one</li><li><code>two</code></li></ul>"
        '<p><a href="https://e.example/a">there</a></p>'
    )

    assert to_markdown(html) == ("#### Title\n\n- one\n- `two`\n\n[there](https://e.example/a)")
    assert to_text(html) == "Title\n\n- one\n- two\n\nthere"
