"""ZAP's baseline against what looks clean and is not: applications of the lab in containers, and
what a real ZAP printed, wrote and returned, played back. ZAP is the lab's stand-in."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from app_kit import scan_app

pytestmark = [pytest.mark.docker, pytest.mark.lab]

SIDE_BY_SIDE = 2


@dataclass
class Case:
    """What is scanned, and what the verdict says of it."""

    says: str
    """Pattern."""
    mode: str = "clean"
    more: dict = field(default_factory=dict)


def replayed(name, says, **more):
    """Have a healthy application, and a ZAP that does as it was recorded."""
    return Case(says, more={"replay": name, **more})


def then(deed, says, env=None, **more):
    """Have an application that is well at first."""
    return Case(says, more={"env": {"THEN": deed, "AFTER": "2", **(env or {})}, **more})


SOON = {"start_deadline": "4s"}
NOT_READY = "was not ready after 4 s"
LATER = {"start_deadline": "15s"}
"""Time enough for a busy machine to have it answer."""
NO_PAGE = "was not ready after 15 s: / answers 404"
TARGETS = {
    "zap-1-01": Case(NOT_READY, more={"port": 9999, **SOON}),
    "zap-1-02": replayed("dns", "Temporary failure in name resolution"),
    "zap-1-03": replayed("netnone", "Temporary failure in name resolution"),
    "zap-1-04": Case(NOT_READY, "silent", SOON),
    "zap-1-05": Case(NOT_READY, "close", SOON),
    "zap-1-06": Case(NOT_READY, "tls", SOON),
    "zap-1-07": Case(NOT_READY, "vuln", {"scheme": "https", **SOON}),
    "zap-1-08": replayed("refused", "Connection refused"),
    "zap-1-09": Case(NO_PAGE, "http-404", LATER),
    "zap-1-10": Case(NO_PAGE, "hard-404", LATER),
    "zap-1-10a": replayed("hard404", "answered ZAP with 404, and 200 is due"),
    "zap-1-11": Case("answers 401, and 200 is due", "hard-401"),
    "zap-1-12": Case(NOT_READY, "hard-500", SOON),
    "zap-1-12a": replayed("all500", "answered ZAP with 500, and 200 is due"),
    "zap-1-12b": Case(NOT_READY, "http-503", SOON),
    "zap-1-13": Case("answers 403, and 200 is due", "http-403"),
    "zap-1-14": Case("answers 401, and 200 is due", "basic"),
    "zap-1-15": Case("a login wall", "login"),
    "zap-1-15a": replayed("loginwall", "a login wall"),
    "zap-1-16": Case("answers 302 to http://app:8081/", "redirect-port"),
    "zap-1-16a": replayed("redirhost", "leads elsewhere"),
    "zap-1-16b": Case("answers 302 to http://elsewhere.invalid/", "redirect-host"),
    "zap-1-16c": Case("answers 302 to https://app:8080/", "redirect-scheme"),
    "zap-1-16d": Case("sends on and on", "redirect-loop"),
    "zap-1-17": Case("is empty", "empty"),
    "zap-1-18": Case("speaks JSON", "api"),
    "zap-1-19": replayed("conf-alloos", "all of it is out of scope"),
    "zap-2-01": Case("ZAP's older mode", more={"options": {"args": ["--autooff"]}}),
    "zap-2-02": replayed("off-dns", "did not run in the mode in which it tells of warnings"),
    "zap-2-03": replayed("off-vuln", "did not run in the mode in which it tells of warnings"),
    "zap-3-01": replayed("wrk-unwritable", "left no '/zap/wrk/report.json'"),
    "zap-3-02": replayed("subdir", "left no '/zap/wrk/report.json'"),
    "zap-3-03": replayed("nowrk-J", "exit code 3"),
    "zap-3-04": replayed("conf-bad", "exit code 3"),
    "zap-5-01": Case("exit code 3", more={"options": {"memory": "128m"}}),
    "zap-5-02": replayed("xmx100-inf", "ZAP broke its scan off"),
    "zap-5-03": replayed("stopping", "ZAP broke its scan off"),
    "zap-6-01": replayed("killed", "137"),
    "zap-6-02": replayed("crash", "exit code 3"),
    "zap-6-03": replayed("no-report", "left no '/zap/wrk/report.json'"),
    "zap-6-04": replayed("empty-report", "report.json"),
    "zap-6-05": replayed("truncated", "report.json"),
    "zap-6-06": replayed("old-report", "earlier"),
    "zap-6-07": replayed("other-site", "http://other.invalid"),
    "zap-6-08": replayed("hang", "10 s", options={"timeout": "10s"}),
    "zap-7-01": Case("ended", "exit"),
    "zap-7-02": Case(NOT_READY, "never", SOON),
    "zap-7-03": then("exit", "ended"),
    "zap-7-04": then("restart", "was not there all the time|refuses", {"DOWN": "30"}),
    "zap-7-05": then("oom", "memory", memory="256m"),
    "zap-7-06": then("oom-child", "memory", memory="256m"),
    "zap-7-07": then("half", "before its answer is whole"),
    "zap-7-08": then("close", "before its answer is whole"),
    "zap-7-09": Case("scanrun-lab/none:1", more={"image": "scanrun-lab/none:1"}),
}
TOLD = {
    "zap-3-05": Case("returned : 404 expected 200", "path", {"path": "/shop/"}),
    "zap-6-09": replayed("log-error", "rule"),
}
WHOLE = {
    "clean": {},
    "tls": {"scheme": "https"},
    "slow-start": {},
    "hostile": {},
    "huge": {},
}


@pytest.fixture(scope="module")
def outcome(request, tmp_path_factory):
    """Give a function that returns what a case came to. Those asked for run side by side."""
    here = [each for each in request.session.items if each.path == request.path]
    asked = [each.callspec.params for each in here if hasattr(each, "callspec")]
    rows = {params.get("row") for params in asked} & {*TARGETS, *TOLD}
    modes = {params.get("whole") for params in asked} & {*WHOLE}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        futures = {
            row: pool.submit(scan_app, tmp_path_factory.mktemp(row), case.mode, **case.more)
            for row, case in {**TARGETS, **TOLD}.items()
            if row in rows
        }
        for mode in modes:
            folder = tmp_path_factory.mktemp(mode)
            futures[mode] = pool.submit(scan_app, folder, mode, **WHOLE[mode])
        yield lambda name: futures[name].result()
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize("row", TARGETS)
def test_what_is_not_the_application_or_was_not_seen_is_incomplete(outcome, row):
    scanned = outcome(row)

    assert (scanned.code, scanned.status) == (3, "failed"), scanned.said
    assert re.search(TARGETS[row].says, scanned.problems)
    assert scanned.elsewhere == []
    assert scanned.left == ()


@pytest.mark.parametrize("row", TOLD)
def test_what_does_not_spoil_the_scan_is_told(outcome, row):
    scanned = outcome(row)

    assert scanned.status == "completed", scanned.said
    assert any(TOLD[row].says in text for _, text in scanned.notices)


@pytest.mark.parametrize("whole", WHOLE)
def test_a_clean_scan_of_a_whole_application_stays_complete(outcome, whole):
    scanned = outcome(whole)

    assert (scanned.code, scanned.status) == (0, "completed"), scanned.said
    assert len(scanned.requests) > 5
    assert scanned.elsewhere == []
    assert scanned.left == ()
