"""The real wapiti in its image, against applications in containers."""

import pytest
from app_kit import scan_app

pytestmark = pytest.mark.lab

TOKEN = "made-up-" + "value-17"
SIGN_IN = {"header": "Authorization", "secret": "APP_TOKEN"}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    return scan_app(tmp_path_factory.mktemp("attacked"), "vuln", "wapiti", options={"active": True})


def test_attacks_find_what_is_there_and_ask_nobody_else(attacked):
    assert attacked.status == "completed", attacked.said
    assert {"reflected-cross-site-scripting", "httponly-flag-cookie"} <= set(attacked.rules)
    assert {(port, host) for port, _, host, _ in attacked.requests} == {("8080", "app")}


def test_what_it_saw_stands_in_the_verdict(attacked):
    reached = attacked.of["evidence"]["reached"]

    assert reached["url"] == "http://app:8080/"
    assert reached["pages"] > 2
    assert attacked.of["evidence"]["problems"] == []
    assert attacked.of["version"] == "3.2.3"


def test_header_signs_in_and_its_value_stands_nowhere(tmp_path):
    done = scan_app(
        tmp_path,
        "sign-in",
        "wapiti",
        env={"TOKEN": TOKEN},
        options={"pages": 1},
        sign_in=SIGN_IN,
        variables={"APP_TOKEN": TOKEN},
    )

    assert done.status == "completed", done.said
    kept = [each.read_bytes() for each in done.output.rglob("*") if each.is_file()]
    assert kept
    assert not any(TOKEN.encode() in each for each in (*kept, done.said.encode()))


def test_application_with_anybodys_certificate_is_scanned(tmp_path):
    done = scan_app(tmp_path, "tls", "wapiti", scheme="https")

    assert done.status == "completed", done.said
    assert "secure-flag-cookie" in done.rules


def test_application_that_ends_in_mid_scan_is_incomplete(tmp_path):
    done = scan_app(tmp_path, "vuln", "wapiti", env={"THEN": "exit", "AFTER": "1"})

    assert (done.code, done.status) == (3, "failed")
    assert done.problems


def test_page_that_wapiti_drops_is_named(tmp_path):
    done = scan_app(tmp_path, "huge", "wapiti")

    assert (done.code, done.status) == (3, "failed")
    assert "http://app:8080/huge" in done.problems


def test_too_little_memory_is_incomplete(tmp_path):
    done = scan_app(tmp_path, "vuln", "wapiti", options={"memory": "64 MB"})

    assert (done.code, done.status) == (3, "failed")
    assert "exit code 137" in done.problems
    assert "raise `memory`" in done.said
