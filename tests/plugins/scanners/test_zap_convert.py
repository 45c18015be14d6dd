"""What the converter makes of ZAP's reports, real and made up."""

import csv
import json
from pathlib import Path

import pytest
from zap_reports import (
    CASES,
    DATA,
    alert,
    converted,
    given,
    identity,
    insight,
    insights,
    instance,
    notes,
    read,
    report,
    results,
    rules,
    saved,
    text,
    tree,
    uri,
)

from scanrun.api import ConversionError, Notification, Outputs
from scanrun.sarif.codec import to_json
from scanrun_plugins.scanners.zap.alerts import findings_of
from scanrun_plugins.scanners.zap.baseline import Zap
from scanrun_plugins.scanners.zap.command import REPORT
from scanrun_plugins.scanners.zap.full import ZapFull
from scanrun_plugins.scanners.zap.own_plan import ZapPlan
from scanrun_plugins.scanners.zap.report import read_report

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
LAB_REPORTS = CORPUS.parent / "lab" / "zap" / "reports"
TOKEN = "Xk3p" * 4 + "7Qw9" * 6
SYSTEMIC = {"pluginid": "10021", "alertRef": "10021", "name": "No nosniff", "riskcode": "1"}

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
needs_lab = pytest.mark.skipif(not LAB_REPORTS.is_dir(), reason="the lab's reports are not here")


def manifest(*folders):
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [row for row in rows if row["path"].split("/")[0] in folders]


def pairs():
    by_id = {}
    for row in manifest("zap"):
        if row["pair_id"]:
            by_id.setdefault(row["pair_id"], []).append(row["path"])
    return [paths for paths in by_id.values() if len(paths) > 1]


def as_json(items):
    return [to_json(item) for item in items if not isinstance(item, Notification)]


@needs_corpus
@pytest.mark.parametrize("row", manifest("zap"), ids=lambda row: row["path"])
def test_a_real_report_gives_the_alerts_and_instances_that_were_counted_in_it(row):
    found = list(findings_of(read_report(CORPUS / row["path"])))

    assert len({place for each in found for place in each.alerts}) == int(row["findings"])
    assert sum(each.listed for each in found) == json.loads(row["other_counts"])["instances"]
    assert len(results(saved(CORPUS / row["path"]))) == len(found)


@needs_corpus
@pytest.mark.parametrize("paths", pairs(), ids=lambda paths: paths[0])
def test_the_same_scan_reads_alike_in_both_formats(paths):
    one, other = (as_json(saved(CORPUS / path)) for path in paths)

    assert one == other


@needs_lab
@pytest.mark.parametrize("case", ["vuln", "tls", "conf-af", "off-vuln", "loginwall", "clean"])
def test_xml_of_the_same_run_says_what_its_json_says(case):
    one, other = (saved(LAB_REPORTS / case / f"report.{kind}") for kind in ("json", "xml"))

    assert as_json(one) == as_json(other)


@needs_corpus
@pytest.mark.parametrize("row", manifest("lookalike", "malformed"), ids=lambda row: row["path"])
def test_another_format_is_refused(row):
    with pytest.raises(ConversionError):
        saved(CORPUS / row["path"])


def test_scanner_keeps_its_promises_with_a_real_report(check_scanner):
    found = check_scanner(Zap(), CASES / "vuln" / "report.json")

    assert len(found) == 19
    assert {each.severity.value for each in found} == {"medium", "low", "info"}


def test_report_in_xml_is_read():
    found = results(saved(DATA / "vuln-cut.xml"))

    assert [each.rule_id for each in found] == ["10020-1", "10003", "90022"]
    assert found[1].properties["aliases"][:2] == ["CVE-2012-6708", "CVE-2015-9251"]


def test_broken_json_is_replaced_by_the_xml_of_the_same_run_and_told(tmp_path):
    broken = (CASES / "vuln" / "report.json").read_text().replace("Percentage", 'Per"centage', 1)
    found = list(Zap().convert(given(tmp_path, broken, xml=(DATA / "vuln-cut.xml").read_text())))

    assert len(results(found)) == 3
    assert "the XML of the same run was read instead" in notes(found)[0].text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '{"@version": "2.17.0"}',
        '{"@version": "", "site": []}',
        '{"@version": "2.17.0", "@programName": "Other", "site": []}',
        '{"@version": "2.17.0", "site": [{"@name": "http://app"}]}',
        '{"@version": "2.17.0", "site": null}',
        '{"@version": "2.17.0", "site": [], "vulnerabilities": []}',
        '{"@version": "2.17.0", "site": [], "site": []}',
        "<OWASPZAPReport/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><OWASPZAPReport version='1'>&b;</OWASPZAPReport>",
        "<OWASPZAPReport version='2'><site><alerts><a/></alerts></site></OWASPZAPReport>",
        "<report version='2.17.0'/>",
    ],
)
def test_what_is_no_report_is_refused(tmp_path, content):
    with pytest.raises(ConversionError):
        read(tmp_path, content)


@pytest.mark.parametrize("missing", [{"pluginid": None, "alertRef": None}, {"name": ""}])
def test_alert_that_says_nothing_of_its_rule_is_refused(tmp_path, missing):
    with pytest.raises(ConversionError):
        read(tmp_path, report(alert(**missing)))


def test_one_site_that_is_no_list_and_a_byte_order_mark_are_read(tmp_path):
    made = report(alert())
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**made, "site": made["site"][0]}), encoding="utf-8-sig")

    assert len(results(saved(path))) == 1


def test_alert_of_an_old_release_without_instances_is_at_its_own_address(tmp_path):
    old = {**alert(), "instances": [], "uri": "http://app:8080/old", "param": "q"}

    (found,) = results(converted(tmp_path, old))

    assert (uri(found), found.properties["param"]) == ("app%3A8080/old", "q")


@pytest.mark.parametrize(
    ("risk", "severity"),
    [("3", "high"), ("2", "medium"), ("1", "low"), ("0", "info"), ("7", "unknown")],
)
def test_risk_becomes_a_severity_and_one_that_nobody_knows_is_unknown(tmp_path, risk, severity):
    (found,) = results(converted(tmp_path, alert(riskcode=risk)))

    assert found.properties["severity"] == severity


def test_rule_tells_weakness_precision_and_where_more_is_said(tmp_path):
    (rule,) = rules(converted(tmp_path, alert(reference="<p>https://example.org/a</p>")))

    assert {"external/cwe/cwe-079", "wasc-8", "dast"} <= set(rule.properties["tags"])
    assert rule.properties["precision"] == "medium"
    assert rule.help_uri == "https://www.zaproxy.org/docs/alerts/40012/"
    assert rule.help.text == "It is reflected.\n\nhttps://example.org/a"


@pytest.mark.parametrize("none", ["-1", "0", "", None, "x"])
def test_numbers_that_stand_for_none_are_no_weakness(tmp_path, none):
    (rule,) = rules(converted(tmp_path, alert(cweid=none, wascid=none)))

    assert rule.relationships is None
    assert not [tag for tag in rule.properties["tags"] if "cwe" in tag or "wasc" in tag]


def test_false_positive_is_kept_as_suppressed(tmp_path):
    (found,) = results(converted(tmp_path, {**alert(), "confidence": "0", "instances": []}))

    assert "false positive" in found.suppressions[0]["justification"]


def test_alert_without_instances_that_is_no_false_positive_counts(tmp_path):
    (found,) = results(converted(tmp_path, {**alert(), "instances": []}))

    assert not found.suppressions
    assert uri(found) == "app%3A8080"


def test_recorded_false_positive_is_suppressed():
    found = [
        each for each in results(saved(CASES / "conf-af" / "report.json")) if each.suppressions
    ]

    assert [each.rule_id for each in found] == ["2"]


def test_address_with_and_without_its_slash_is_one_page(tmp_path):
    pages = (instance("http://app:8080"), instance("http://app:8080/"))

    (found,) = results(converted(tmp_path, alert(*pages)))

    assert found.properties["instances"] == 2


def test_alert_of_another_port_that_is_listed_twice_is_one_finding_of_its_own_site(tmp_path):
    far = alert(instance("http://app:8080/a"))
    near = alert(instance("http://app/a"), instance("http://app:8080/a"))
    made = report()
    made["site"] = [
        {"@name": "http://app", "alerts": [near]},
        {"@name": "http://app:8080", "alerts": [far]},
    ]

    found = results(Zap().convert(given(tmp_path, made)))

    assert [each.properties["site"] for each in found] == ["http://app", "http://app:8080"]


def test_recorded_report_of_two_ports_counts_each_page_once():
    found = results(saved(CASES / "twoports" / "report.json"))

    assert len({identity(each) for each in found}) == len(found) == 14
    sites = [each.properties["site"] for each in found]
    assert (sites.count("http://target2"), sites.count("http://target2:8080")) == (6, 8)


def test_rule_that_fires_everywhere_is_one_finding_whichever_pages_are_listed(tmp_path):
    one = alert(*(instance(f"http://app:8080/{n}") for n in range(5)), systemic=True, **SYSTEMIC)
    other = alert(*(instance(f"http://app:8080/{n}") for n in range(5, 9)), **SYSTEMIC)

    (first,) = results(converted(tmp_path, one))
    (second,) = results(converted(tmp_path, other))

    assert identity(first) == identity(second)
    assert uri(first) == "app%3A8080"


def test_rule_that_zap_calls_systemic_is_one_finding_though_nobody_knows_it(tmp_path):
    pages = (instance("http://app:8080/1"), instance("http://app:8080/2"))

    found = results(converted(tmp_path, alert(*pages, systemic=True)))

    assert len(found) == 1
    assert found[0].properties["urls"] == ["http://app:8080/1", "http://app:8080/2"]


def test_same_cookie_rule_for_two_cookies_is_two_findings(tmp_path):
    told = {**SYSTEMIC, "pluginid": "10010", "alertRef": "10010"}
    pages = (instance(param="sid"), instance(param="pref"))

    found = results(converted(tmp_path, alert(*pages, **told)))

    assert [each.properties["param"] for each in found] == ["sid", "pref"]


def test_two_scans_of_one_application_give_the_same_findings():
    """Recorded at different times; which pages are listed of 10038-1 and 10020-1 differs."""
    one, other = (
        {identity(each) for each in results(saved(CASES / case / "report.json"))}
        for case in ("vuln", "noI-vuln")
    )

    assert len(one) == 19
    assert one == other


def test_reordered_report_gives_the_same_findings(tmp_path):
    made = json.loads((CASES / "vuln" / "report.json").read_text())
    for each in made["site"][0]["alerts"]:
        each["instances"].reverse()
    path = tmp_path / "report.json"
    path.write_text(json.dumps(made))

    one, other = (results(saved(each)) for each in (CASES / "vuln" / "report.json", path))

    assert {text(each) for each in one} == {text(each) for each in other}


def test_value_of_a_parameter_makes_no_new_finding_and_its_name_does(tmp_path):
    addresses = ("http://app:8080/q?a=1", "http://app:8080/q?a=2", "http://app:8080/q?b=1")

    found = results(converted(tmp_path, alert(*map(instance, addresses))))

    assert [each.properties["instances"] for each in found] == [2, 1]


def test_zaps_own_name_for_a_page_goes_before_the_address(tmp_path):
    named = [
        instance(f"http://app:8080/item/{n}", nodeName="http://app:8080/item/«id» (a,b)")
        for n in range(3)
    ]

    found = results(converted(tmp_path, alert(*named)))

    assert len(found) == 1


def test_session_id_in_a_path_makes_no_new_finding_and_is_not_told(tmp_path):
    pages = [instance(f"http://app:8080/a;jsessionid={TOKEN}{n}") for n in range(2)]

    (found,) = results(converted(tmp_path, alert(*pages)))

    assert uri(found) == "app%3A8080/a"
    assert TOKEN not in text(found)


def test_two_libraries_in_one_file_are_two_findings_with_their_vulnerabilities(tmp_path):
    def library(name, cve):
        words = f"The identified library {name}, version 1.0 is vulnerable."
        told = instance("http://app:8080/all.js", otherinfo=f"{words}\n{cve}\nhttps://example.org")
        return alert(told, pluginid="10003", alertRef="10003", name="Vulnerable JS Library")

    made = (library("jquery", "CVE-2020-11023"), library("moment", "CVE-2022-24785"))
    found = results(converted(tmp_path, *made))

    assert [each.properties["packageName"] for each in found] == ["jquery", "moment"]
    assert found[0].properties["aliases"] == ["CVE-2020-11023"]
    assert "moment 1.0: CVE-2022-24785" in found[1].message.text


@pytest.mark.parametrize(
    "evidence",
    [
        f"Set-Cookie: session={TOKEN}; Path=/; HttpOnly",
        f"Cookie: a={TOKEN}; b=short{TOKEN}",
        f"Authorization: Basic {TOKEN}",
        f"Bearer {TOKEN}",
        f'<input type="hidden" name="csrf" value="{TOKEN}">',
        f'{{"access_token": "{TOKEN}"}}',
        f"password={TOKEN}&x=1",
        f"eyJhbGciOi.{TOKEN}.{TOKEN}",
        TOKEN,
    ],
)
@pytest.mark.parametrize("where", ["evidence", "attack", "otherinfo"])
def test_no_cookie_token_or_password_is_quoted(tmp_path, evidence, where):
    (found,) = results(converted(tmp_path, alert(instance(**{where: evidence}))))

    assert TOKEN not in text(found)
    assert TOKEN[:12] not in text(found)


def test_name_of_a_cookie_is_quoted(tmp_path):
    told = instance(evidence=f"Set-Cookie: session={TOKEN}; Path=/; HttpOnly")

    (found,) = results(converted(tmp_path, alert(told)))

    assert found.properties["evidence"] == "Set-Cookie: session=********; Path=/; HttpOnly"


@pytest.mark.parametrize("rule", ["10062", "10024", "3", "10112"])
def test_rules_that_are_about_secrets_quote_nothing(tmp_path, rule):
    told = instance(evidence="4111 1111 1111 1111", otherinfo="4111 1111 1111 1111")

    (found,) = results(converted(tmp_path, alert(told, pluginid=rule, alertRef=rule)))

    assert "4111" not in text(found)


@pytest.mark.parametrize("query", [f"token={TOKEN}", f"x={TOKEN}", "password=hunter2&a=1"])
def test_secret_in_an_address_is_not_told(tmp_path, query):
    (found,) = results(converted(tmp_path, alert(instance(f"http://app:8080/a?{query}"))))

    assert TOKEN not in text(found)
    assert "hunter2" not in text(found)


def test_recorded_session_id_is_not_told():
    found = "".join(text(each) for each in results(saved(CASES / "vuln" / "report.json")))

    assert "0123456789abcdef0123456789abcdef" not in found


def test_long_evidence_is_cut(tmp_path):
    (found,) = results(converted(tmp_path, alert(instance(evidence="a b " * 1000))))

    assert len(found.properties["evidence"]) <= 300


@pytest.mark.parametrize(
    "address",
    [
        "http://[::bad/a",
        "http://app:99999/a",
        "nonsense",
        "javascript:alert(1)",
        "http://app:8080/../../etc/passwd",
        "http://app:8080/%2e%2e/%2e%2e/etc",
        "http://app:8080/%00%0a%1b[31m",
        "http://user:secret@app:8080/",
        "http://app:8080//evil.invalid/x",
        "http://app:8080/" + "a" * 5000,
        "http://app:8080/\ud83d\ude00",
    ],
)
def test_hostile_address_has_a_place_in_the_log_that_github_takes(tmp_path, address):
    (found,) = results(converted(tmp_path, alert(instance(address))))

    place = uri(found)
    assert ":" not in place
    assert place.isascii()
    assert not place.startswith("/")
    assert ".." not in place.split("/")
    assert len(place) < 2000
    assert "secret" not in text(found)


def test_markup_other_than_zaps_own_is_left_as_text(tmp_path):
    (rule,) = rules(converted(tmp_path, alert(desc="<p>a <b>b</b></p><p></p><p>c</p>")))

    assert rule.help.text.startswith("a <b>b</b>\nc")


def test_worst_risk_counts_where_a_page_is_told_of_twice(tmp_path):
    (found,) = results(converted(tmp_path, alert(riskcode="1"), alert(riskcode="3")))

    assert found.properties["severity"] == "high"


def test_finding_that_is_a_false_positive_only_once_counts(tmp_path):
    (found,) = results(converted(tmp_path, alert(confidence="0"), alert()))

    assert not found.suppressions


def test_scan_that_zap_broke_off_is_an_error():
    (note,) = notes(saved(CASES / "xmx100-inf" / "report.json"))

    assert note.level == "error"
    assert "Percentage of memory used" in note.text


def test_high_insight_is_an_error_where_an_older_image_tells_of_no_stop(tmp_path):
    told = [*insights(), insight("insight.memory.usage", "97", "", level="High")]

    (note,) = notes(converted(tmp_path, insights=told))

    assert (note.level, "97" in note.text) == ("error", True)


def test_requests_that_were_not_answered_are_a_warning(tmp_path):
    told = [*insights(), insight("insight.network.failure", "7", "")]

    (note,) = notes(converted(tmp_path, insights=told))

    assert (note.level, "7 %" in note.text) == ("warning", True)


def test_rule_that_crashed_on_a_page_is_a_warning(tmp_path):
    told = [*insights(), insight("insight.log.error", "2", "")]

    (note,) = notes(converted(tmp_path, insights=told))

    assert (note.level, "2 errors" in note.text) == ("warning", True)


LISTS = "ZAP lists"


def cut_off(items):
    found = [each for each in notes(items) if LISTS in each.text]
    assert {each.level for each in found} <= {"note"}
    return [each.text for each in found]


def places(count):
    return [instance(f"http://app:8080/{number}") for number in range(count)]


@pytest.mark.parametrize(("count", "told"), [(9, []), (10, ["10"]), (11, ["11"])])
def test_rule_of_which_the_baseline_lists_as_many_places_as_it_may_is_told(tmp_path, count, told):
    found = cut_off(converted(tmp_path, alert(*places(count))))

    assert found == [f"rule 40012: ZAP lists {each} places and no more" for each in told]


def test_variants_of_a_rule_share_the_places_that_zap_lists_of_it(tmp_path):
    variants = (alert(*places(10)[:5], alertRef="1-1"), alert(*places(10)[5:], alertRef="1-2"))

    assert len(cut_off(converted(tmp_path, *variants))) == 1


def test_rule_that_zap_calls_systemic_is_told_as_cut_off():
    found = cut_off(saved(CASES / "vuln" / "report.json"))

    assert "rule 10021: ZAP lists 5 places and no more" in found


def test_full_scan_lists_all_places_and_tells_of_none_that_are_missing(tmp_path):
    outputs = given(tmp_path, report(alert(*places(50))))

    assert cut_off(ZapFull().convert(outputs)) == []


@pytest.mark.parametrize(
    ("parameters", "told"),
    [(None, 1), ({}, 1), ({"maxAlertsPerRule": 0}, 0), ({"maxAlertsPerRule": 12}, 1)],
)
def test_own_plan_lists_as_many_places_as_it_says(tmp_path, parameters, told):
    jobs = [{"type": "spider"}]
    if parameters is not None:
        jobs.append({"type": "passiveScan-config", "parameters": parameters})
    plan = {"env": {"contexts": [{"name": "a", "urls": ["http://app:8080"]}]}, "jobs": jobs}
    snapshot = tree(tmp_path, {"zap.yaml": json.dumps(plan)})
    made = report(alert(*places(12)))

    outputs = given(tmp_path, made, snapshot=snapshot, options={"plan": "zap.yaml"})

    assert len(cut_off(ZapPlan().convert(outputs))) == told


def test_sequences_are_not_passed_over_in_silence(tmp_path):
    (note,) = notes(converted(tmp_path, sequences=[{"name": "a", "steps": []}]))

    assert note.level == "error"


def test_version_is_the_one_in_the_report():
    assert Zap().version(Outputs({REPORT: CASES / "vuln" / "report.json"})) == "2.17.0"
