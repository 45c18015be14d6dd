"""Reports that no honest tool writes: refused, or read with nothing lost and nothing obeyed."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote

import pytest

from scanrun.cli.app import run
from scanrun.errors import ConversionError
from scanrun.model import Outputs
from scanrun.sarif.build import Result
from scanrun.sarif.read import read_runs, read_sarif
from scanrun_plugins.scanners.bandit import REPORT as BANDIT_REPORT
from scanrun_plugins.scanners.bandit import Bandit
from scanrun_plugins.scanners.trivy.tree import Trivy

ESCAPES = "\x1b[2J\x1b]0;t\x07\x9b1m\u202e<img src=x onerror=alert(1)>\r\n::error::x\npassed: no"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
REFUSED = 3


def sarif(*results, rules=(), **more):
    driver = {"name": "tool", "rules": list(rules)}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results, **more}]}


def finding(uri="a.py", rule="r", text="text", **more):
    place = {"artifactLocation": {"uri": uri}, "region": {"startLine": 2}}
    return {
        "ruleId": rule,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        **more,
    }


def trivy(path="package-lock.json", title="title", line=1):
    found = {
        "VulnerabilityID": "CVE-2021-44906",
        "PkgName": "minimist",
        "InstalledVersion": "1.2.5",
        "Severity": "CRITICAL",
        "Title": title,
    }
    leak = {"RuleID": "leak", "Severity": "HIGH", "Title": title, "StartLine": line}
    section = {"Target": path, "Class": "lang-pkgs", "Type": "npm", "Vulnerabilities": [found]}
    return {
        "SchemaVersion": 2,
        "ArtifactName": "/src",
        "Results": [section, {"Target": path, "Class": "secret", "Secrets": [leak]}],
    }


def bandit(path="./a.py", text="text", line=2):
    issue = {
        "filename": path,
        "issue_confidence": "HIGH",
        "issue_cwe": {"id": 78},
        "issue_severity": "HIGH",
        "issue_text": text,
        "line_number": line,
        "line_range": [line],
        "col_offset": 0,
        "end_col_offset": 4,
        "more_info": "https://example.org/b602",
        "test_id": "B602",
        "test_name": "subprocess",
        "code": "2 x = 1",
    }
    return {"errors": [], "metrics": {path: {}, "_totals": {}}, "results": [issue]}


READERS = {
    "sarif": read_sarif,
    "runs": lambda path: (each for run in read_runs(path) for each in run.results),
    "trivy": lambda path: Trivy().convert(Outputs({"/out/report.json": path})),
    "bandit": lambda path: Bandit().convert(Outputs({BANDIT_REPORT: path})),
}
REPORTS = {
    "sarif": sarif(finding()),
    "runs": sarif(finding()),
    "trivy": trivy(),
    "bandit": bandit(),
}
every_reader = pytest.mark.parametrize("kind", READERS)


@pytest.fixture
def read(tmp_path):
    """Read a report, given as JSON's value, as text or as bytes, to its end."""

    def done(kind, report):
        path = tmp_path / "report.json"
        if not isinstance(report, bytes):
            report = (report if isinstance(report, str) else json.dumps(report)).encode()
        path.write_bytes(report)
        return list(READERS[kind](path))

    return done


@pytest.fixture
def command(capfdbinary):
    """Run a command in this process; return code and what was said."""

    def done(*arguments):
        code = run([*map(str, arguments)])
        said = capfdbinary.readouterr()
        return code, (said.out + said.err).decode()

    return done


@pytest.fixture
def convert(tmp_path, command):
    """Convert a report by the command; return code, log and what was said."""

    def done(name, report):
        given, made = tmp_path / "report.json", tmp_path / "made.sarif"
        given.write_bytes(report if isinstance(report, bytes) else json.dumps(report).encode())
        code, said = command("convert", given, "--from", name, "-o", made)
        return code, made, said

    return done


def results_of(log: Path):
    return [each for run in json.loads(log.read_text())["runs"] for each in run["results"]]


def uris(results):
    places = (each["locations"][0]["physicalLocation"] for each in results)
    return {each["artifactLocation"]["uri"] for each in places}


@every_reader
def test_report_is_read_as_it_is(read, kind):
    assert any(isinstance(item, Result | dict) for item in read(kind, REPORTS[kind]))


@every_reader
def test_report_cut_at_any_place_is_refused(read, kind):
    whole = json.dumps(REPORTS[kind]).encode()

    for length in range(len(whole)):
        with pytest.raises(ConversionError):
            read(kind, whole[:length])


@every_reader
@pytest.mark.parametrize("junk", [b"}", b"\0", b"{}", b" x", b"\n[]"])
def test_report_with_more_behind_its_end_is_refused(read, kind, junk):
    with pytest.raises(ConversionError):
        read(kind, json.dumps(REPORTS[kind]).encode() + junk)


@every_reader
@pytest.mark.parametrize("deep", ["[", '{"a":'], ids=["lists", "objects"])
@pytest.mark.parametrize("lone", ["", "\\ud800"], ids=["", "lone surrogate"])
def test_report_nested_without_end_is_refused(read, kind, deep, lone):
    closed = deep * 100_000 + "1" + ("]" if deep == "[" else "}") * 100_000
    whole = json.dumps(REPORTS[kind])

    for text in (closed, f'{{"{lone}x": {closed}, {whole[1:]}', deep * 100_000):
        with pytest.raises(ConversionError):
            read(kind, text)


def twice(report, key, empty="[]"):
    """Return the report's text with `key` said once more, with nothing in it, at each place."""
    text = json.dumps(report)
    places = [match.end() for match in re.finditer(rf'"{key}": (?:\[[^]]|\{{)', text)]
    assert places
    for place in places:
        start = text.rindex(f'"{key}"', 0, place)
        yield f'{text[:start]}"{key}": {empty}, {text[start:]}'
        end = json.JSONDecoder().raw_decode(text, text.index(":", start) + 2)[1]
        yield f'{text[:end]}, "{key}": {empty}{text[end:]}'
        yield f'{text[:end]} ,\n"\\u{ord(key[0]):04x}{key[1:]}" :{empty} {text[end:]}'


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("sarif", "runs"),
        ("sarif", "results"),
        ("runs", "runs"),
        ("runs", "results"),
        ("trivy", "Results"),
        ("trivy", "Vulnerabilities"),
        ("trivy", "Secrets"),
        ("bandit", "results"),
    ],
)
def test_findings_are_not_hidden_by_a_second_key(read, kind, key):
    for text in twice(REPORTS[kind], key):
        with pytest.raises(ConversionError, match="twice"):
            read(kind, text)


@pytest.mark.parametrize("kind", ["sarif", "runs"])
def test_severity_is_not_lowered_by_a_second_key(read, kind):
    text = json.dumps(REPORTS[kind]).replace(
        '"level": "error"', '"level": "error", "level": "note"'
    )

    with pytest.raises(ConversionError, match="twice"):
        read(kind, text)


@pytest.mark.parametrize("space", ["", " ", "\n\t "])
def test_keys_said_once_are_no_reason_to_refuse(read, space):
    text = '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t","x":{}}},"results":[]}]}'
    spaced = re.sub(r"([{}\[\]:,])", rf"{space}\1{space}", text)

    assert read("sarif", spaced.replace(f":{space}//", "://")) == []


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "9" * 5000, "-0", "1e3"])
def test_numbers_that_are_none_never_make_a_finding_smaller(read, number):
    text = json.dumps(sarif(finding(rank="?", level="")))

    try:
        (item,) = read("runs", text.replace('"?"', number))
    except ConversionError:
        return
    assert item["properties"]["severity"] in {"unknown", "info"} or number == "1e3"
    assert number in {"-0", "1e3"} or item["properties"]["severity"] == "unknown"


@pytest.mark.parametrize("line", [-1, 0, -(2**70), 2**70, 1.5, "3", None, True])
def test_lines_that_are_none_cost_no_finding(read, line):
    given = finding()
    given["locations"][0]["physicalLocation"]["region"] = {"startLine": line, "endLine": line}

    (item,) = read("runs", sarif(given))

    region = item["locations"][0]["physicalLocation"]["region"]
    assert all(isinstance(each, int) and each >= 1 for each in region.values())


NO_TEXT = "\udcff/x"
OUTSIDE = [
    "../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "file:etc/../../x",
    "C:\\Windows\\x.py",
    "//host/share/x",
    "\\\\host\\share\\x",
    "%2e%2e/%2e%2e/etc/passwd",
    "a/../../../x",
    ".scanrun-canary/../../x",
    "http://user:hunter" + "2@host/x",
    "javascript:alert(1)",
    "a\nb\x00c",
    NO_TEXT,
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("name", ["sarif", "trivy", "bandit"])
def test_path_that_leaves_the_tree_stays_in_it_and_its_finding_is_kept(convert, name, path):
    report = {"sarif": sarif(finding(path)), "trivy": trivy(path), "bandit": bandit(path)}[name]

    code, log, said = convert(name, report)

    if path == NO_TEXT and name == "trivy":
        assert code == REFUSED
        return
    assert code == 0, said
    found = results_of(log)
    assert len(found) == (2 if name == "trivy" else 1)
    for uri in uris(found):
        assert not re.match(r"/|[A-Za-z][\w+.-]*:", uri)
        assert ".." not in unquote(uri, errors="surrogateescape").split("/")
    assert name != "sarif" or "hunter" + "2@" not in log.read_text()


@pytest.mark.parametrize("name", ["sarif", "trivy", "bandit"])
def test_no_text_plays_tricks_on_terminal_page_or_pipeline(convert, command, name):
    rule = {"id": f"r{ESCAPES}", "help": {"text": ESCAPES, "markdown": ESCAPES}}
    report = {
        "sarif": sarif(finding(ESCAPES, rule["id"], ESCAPES), rules=[rule]),
        "trivy": trivy(ESCAPES, ESCAPES),
        "bandit": bandit(ESCAPES, ESCAPES),
    }[name]

    code, log, said = convert(name, report)
    judged, shown = command("gate", log, "--json")

    assert (code, judged) == (0, 1)
    for text in (log.read_text(), said, shown):
        assert not UNSEEN.search(text)
        assert not re.search(r"^(?:passed|::)", text, re.MULTILINE)
    (made,) = json.loads(log.read_text())["runs"]
    texts = [each["message"]["text"] for each in made["results"]]
    assert not any(UNSEEN.search(each) for each in texts)
    rules = made["tool"]["driver"]["rules"]
    assert {each["id"] for each in rules} == {each["ruleId"] for each in made["results"]}
    assert not any("\n" in each["id"] or UNSEEN.search(each["id"]) for each in rules)
    assert not any("<img" in each["help"].get("markdown", "") for each in rules)


def test_names_of_a_foreign_log_forge_no_line_of_the_gate(tmp_path, command):
    log = sarif(finding())
    log["runs"][0]["tool"]["driver"]["name"] = f"x{ESCAPES}"
    log["runs"][0]["invocations"] = [{"executionSuccessful": False}]
    (tmp_path / "log.sarif").write_text(json.dumps(log))

    code, shown = command("gate", tmp_path / "log.sarif", "--fail-on", "never")

    assert code == REFUSED
    assert not UNSEEN.search(shown)
    assert not re.search(r"^(?:passed|::)", shown, re.MULTILINE)


def test_junit_of_hostile_texts_is_xml_that_says_them_as_text(tmp_path, scanrun):
    (tmp_path / "a.py").write_text("exec(input())\n")
    (tmp_path / "<b>&\"'\x1b]0;t\x07]]>.py").write_text("exec(input())\n")

    scanrun("scan", "bandit", "--engine=local", tree=tmp_path)

    text = (tmp_path / ".scanrun" / "junit.xml").read_text()
    assert not UNSEEN.search(text)
    files = {case.get("file") for case in ET.fromstring(text).iter("testcase")}
    assert {"a.py", "<b>&\"'\ufffd]0;t\ufffd]]>.py"} <= files


def test_report_of_one_text_of_200_mb_is_read_and_cut_short(convert):
    report = json.dumps(sarif(finding(text="?"))).replace("?", "x" * 200_000_000).encode()

    code, log, said = convert("sarif", report)

    assert code == 0, said
    assert len(results_of(log)) == 1
    assert log.stat().st_size < 20_000


@pytest.mark.slow_fault
def test_a_million_rules_are_read_and_the_one_used_is_kept(convert):
    rules = ",".join(f'{{"id":"r{number}"}}' for number in range(1_000_000))
    text = json.dumps(sarif(finding(rule="r999999"))).replace('"rules": []', f'"rules": [{rules}]')

    code, log, said = convert("sarif", text.encode())

    assert code == 0, said
    (made,) = json.loads(log.read_text())["runs"]
    assert [each["id"] for each in made["tool"]["driver"]["rules"]] == ["r999999"]


@pytest.mark.slow_fault
@pytest.mark.parametrize("name", ["sarif", "trivy", "bandit"])
def test_report_of_200_mb_loses_no_finding(convert, name):
    report, count = {"sarif": sarif(), "trivy": trivy(), "bandit": bandit()}[name], 180_000
    if name == "sarif":
        given = finding(snippets=["s" * 900])
        report["runs"][0]["results"] = [given | {"guid": str(n)} for n in range(count)]
    elif name == "trivy":
        (given,) = report["Results"][0]["Vulnerabilities"]
        report["Results"][0]["Vulnerabilities"] = [given | {"Description": "d" * 900}] * count
        del report["Results"][1]
    else:
        (given,) = report["results"]
        report["results"] = [given | {"code": "c" * 700}] * count

    code, log, said = convert(name, report)

    assert code == 0, said
    with log.open() as stream:
        assert sum('"ruleId":' in line for line in stream) == count
