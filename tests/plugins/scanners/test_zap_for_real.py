"""ZAP's scanners against applications in containers. Its image is the lab's stand-in, which really
crawls, and plays back what a real ZAP did (lab/README.md)."""

import json

import pytest
from app_kit import scan_app

pytestmark = [pytest.mark.docker, pytest.mark.lab]

TOKEN = "Bearer " + "k3Yp" * 6
PLAN = """\
env:
  contexts:
  - name: mine
    urls: ["${SCANRUN_TARGET}"]
jobs:
- type: spider
- type: passiveScan-wait
- type: report
  parameters: {template: traditional-html}
"""


@pytest.fixture(scope="module")
def vuln(tmp_path_factory):
    return scan_app(tmp_path_factory.mktemp("vuln"))


def fingerprints(scanned):
    return {each["partialFingerprints"]["scanrun/v1"] for each in scanned.run["results"]}


def places(scanned):
    for each in scanned.run["results"]:
        yield each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_findings_evidence_and_nothing_but_the_application(vuln):
    assert (vuln.code, vuln.status) == (0, "completed")
    assert {"10003", "10010", "10020-1", "10021", "10038-1"} <= set(vuln.rules)
    reached = vuln.of["evidence"]["reached"]
    assert reached["pages"] > 2
    assert reached["codes"]["2xx"] > 0
    assert not vuln.elsewhere


def test_places_are_those_that_github_takes(vuln):
    assert {each for each in places(vuln) if "//" in each or each.startswith("/")} == set()
    assert "app%3A8080/about" in set(places(vuln))


def test_second_scan_of_the_same_application_has_the_same_fingerprints(vuln, tmp_path):
    again = scan_app(tmp_path)

    assert fingerprints(again) == fingerprints(vuln)


def test_signed_in_and_the_secret_stands_nowhere(tmp_path):
    table = '[app.sign_in]\nsecret = "APP_TOKEN"'
    ours = {"APP_TOKEN": TOKEN}

    found = scan_app(tmp_path, "sign-in", env={"TOKEN": TOKEN}, more=table, variables=ours)

    assert found.status == "completed"
    written = b"".join(each.read_bytes() for each in found.output.rglob("*") if each.is_file())
    assert TOKEN.encode() not in written
    assert TOKEN not in found.said


def test_full_scan_finds_what_only_an_attack_shows(tmp_path):
    found = scan_app(tmp_path, "vuln", "zap-full")

    assert (found.code, found.status) == (1, "completed")
    assert "40012" in found.rules
    assert not found.elsewhere


@pytest.mark.parametrize("scanner", ["zap", "zap-full"])
def test_application_below_a_path_is_scanned_from_there(tmp_path, scanner):
    found = scan_app(tmp_path, "path", scanner, path="/shop/")

    assert found.status == "completed"
    assert found.of["evidence"]["reached"]["pages"] == 3
    asked = {target for _, _, _, target in found.requests}
    assert ({"/robots.txt", "/shop/one"} - asked) == set()


def test_site_whose_only_page_links_to_itself_alone_is_one_whole_page(tmp_path):
    found = scan_app(tmp_path, "one-page")

    assert (found.code, found.status) == (0, "completed")
    assert found.of["evidence"]["reached"]["pages"] == 1


def test_excluded_path_is_not_asked_for(tmp_path):
    found = scan_app(tmp_path, "clean", options={"exclude": ["/parcels/.*"]})

    assert found.status == "completed"
    asked = {target for _, _, _, target in found.requests}
    assert "/parcels" in asked
    assert "/parcels/1" not in asked


def test_interface_is_scanned_by_its_description(tmp_path):
    found = scan_app(tmp_path, "api", "zap-api", options={"openapi_url": "/openapi.json"})

    assert found.status == "completed"
    assert found.of["evidence"]["reached"]["pages"] > 1
    assert any("/items" in target for _, _, _, target in found.requests)


def test_own_plan_is_run_on_the_application(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "zap.yaml").write_text(PLAN)

    found = scan_app(tmp_path, "vuln", "zap-plan", options={"plan": "zap.yaml"})

    assert found.status == "completed"
    assert "10021" in found.rules
    assert any("its report job is not run" in text for _, text in found.notices)


def test_interface_without_links_is_incomplete_and_the_right_scanner_is_named(tmp_path):
    found = scan_app(tmp_path, "api")

    assert (found.code, found.status) == (3, "failed")
    assert "zap-api" in found.problems


@pytest.mark.parametrize(
    ("replay", "why"),
    [
        ("hard404", "answered ZAP with 404"),
        pytest.param("conf-alloos", "out of scope", marks=pytest.mark.slow_fault),
        pytest.param("loginwall", "a login wall", marks=pytest.mark.slow_fault),
        pytest.param("off-vuln", "which is not the application", marks=pytest.mark.slow_fault),
        pytest.param("xmx100-inf", "broke its scan off", marks=pytest.mark.slow_fault),
        pytest.param("redirhost", "leads elsewhere", marks=pytest.mark.slow_fault),
    ],
)
def test_recorded_run_that_looked_clean_is_incomplete(tmp_path, replay, why):
    found = scan_app(tmp_path, "vuln", replay=replay)

    assert (found.code, found.status) == (3, "failed")
    assert why in found.problems


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param("truncated", "not the expected report", marks=pytest.mark.slow_fault),
        pytest.param("crash", "without looking at anything", marks=pytest.mark.slow_fault),
        pytest.param("killed", "ZAP was killed", marks=pytest.mark.slow_fault),
        pytest.param("no-report", "left no '/zap/wrk/report.json'", marks=pytest.mark.slow_fault),
        pytest.param("empty-report", "is empty", marks=pytest.mark.slow_fault),
        pytest.param("old-report", "of an earlier run", marks=pytest.mark.slow_fault),
        pytest.param("other-site", "http://other.invalid", marks=pytest.mark.slow_fault),
        pytest.param("stopping", "broke its scan off", marks=pytest.mark.slow_fault),
    ],
)
def test_scan_that_broke_is_incomplete(tmp_path, fault, why):
    found = scan_app(tmp_path, "vuln", replay=fault)

    assert (found.code, found.status) == (3, "failed")
    assert why in found.problems


@pytest.mark.slow_fault
def test_rule_that_crashed_on_a_page_is_told(tmp_path):
    found = scan_app(tmp_path, "vuln", replay="log-error")

    assert found.status == "completed"
    assert any("may have crashed on a page" in text for _, text in found.notices)
    assert json.dumps(found.verdict)
