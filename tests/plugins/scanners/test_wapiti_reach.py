"""Whether wapiti saw the application: report, log and probes against each other."""

import re
from dataclasses import replace

import pytest
from wapiti_reports import APP, log, report, scanned

from scanrun.model import Page
from scanrun_plugins.scanners.wapiti import Wapiti
from scanrun_plugins.scanners.wapiti.crawl import SIGNS


def problems(given=None, said=None, **more):
    return "\n".join(Wapiti().reached(scanned(given, said, **more)).problems)


def signs(text):
    return [each.meaning for each in SIGNS if re.search(each.pattern, text)]


def pages(*listed):
    """Return report and log of a crawl that got these: (path, status)."""
    given = report()
    given["infos"]["crawled_pages"] = [
        {"request": {"url": f"http://app:8080{path}", "method": "GET", "status_code": status}}
        for path, status in listed
    ]
    given["infos"]["crawled_pages_nbr"] = len(listed)
    lines = log().decode().splitlines(keepends=True)
    asked = [f"[+] GET http://app:8080{path} (0)\n" for path, _ in listed]
    first = next(n for n, line in enumerate(lines) if line.startswith("[+]"))
    last = next(n for n, line in enumerate(lines) if line.startswith("[*] Saving"))
    text = "".join([*lines[:first], *asked, *lines[last:]])
    return given, re.sub(r"found \d+ URLs", f"found {len(listed)} URLs", text).encode()


def test_good_scan_is_believed_and_tells_pages_and_codes():
    reached = Wapiti().reached(scanned())

    assert reached.problems == ()
    assert reached.pages == 3
    assert reached.codes == {"2xx": 50, "3xx": 33, "4xx": 16}
    assert reached.others == ()


def test_active_scan_whose_modules_all_ran_is_believed():
    assert problems(report("active"), log("active"), active=True) == ""


def test_no_page_is_nothing_reached():
    assert "no page that it saw" in problems(*pages())
    assert "it got no answer from http://app:8080/" in problems(*pages())


def test_root_alone_is_not_the_application_where_it_has_links():
    assert "start page alone" in problems(*pages(("/", 200)))


def test_script_is_no_page():
    assert "2 are due" in problems(*pages(("/", 200), ("/app.js", 200), ("/b/x.mjs", 200)))


def test_application_of_one_page_says_so():
    assert "are due" not in problems(*pages(("/", 200)), pages=1)
    assert "3 are due" not in problems(*pages(("/", 200), ("/a", 200), ("/b", 200)), pages=3)
    assert "4 are due" in problems(*pages(("/", 200), ("/a", 200), ("/b", 200)), pages=4)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_error_everywhere_is_not_the_application(status):
    said = problems(*pages(("/", status), ("/a", status)))

    assert f"its start page answers {status}" in said
    assert "no good answer" in said


def test_status_that_is_due_is_no_problem():
    app = replace(APP, page=Page(status=404))

    assert "its start page" not in problems(*pages(("/", 404), ("/a", 200)), app=app)


def test_start_page_that_leads_elsewhere_is_all_that_its_modules_saw():
    said = problems(*pages(("/", 302), ("/login", 200)))

    assert "start page answers 302" in said
    assert "[app] path" in said


def test_report_of_another_target_is_not_ours():
    given = report()
    given["infos"]["target"] = "http://other:8080/"

    assert "its report is about http://other:8080/" in problems(given)


def test_request_that_went_to_another_host_is_named():
    given = report()
    (found,) = given["vulnerabilities"]["Content Security Policy Configuration"]
    found["http_request"] = found["http_request"].replace("host: app:8080", "host: other:8000")

    reached = Wapiti().reached(scanned(given))

    assert reached.others == ("http://other:8000",)
    assert any("http://other:8000" in each for each in reached.problems)


@pytest.mark.parametrize("module", ["csp", "cookieflags", "http_headers"])
def test_module_that_was_not_launched_is_named(module):
    said = re.sub(rb"\[\*\] Launching module " + module.encode(), b"[*] Nothing", log())

    assert f"did not launch: {module}" in problems(said=said)


def test_modules_that_were_asked_for_and_do_not_exist_are_named():
    assert "did not launch: crlf, timesql" in problems(modules=("timesql", "crlf"))


def test_module_that_did_not_look_at_the_start_page_is_named():
    said = log().replace(b"module csp\n[+] GET http://app:8080/ (0)\n", b"module csp\n")

    assert "did not look at the start page: csp" in problems(said=said)


def test_page_that_it_dropped_without_a_word_is_named():
    said = log().replace(b"[*] Saving", b"[+] GET http://app:8080/a big one (1)\n[*] Saving")

    assert "did not look at (no answer, over 2 MB, or no text): http://app:8080/a big" in problems(
        said=said
    )


def test_wapiti_without_the_launcher_is_not_believed():
    said = log().replace(b"scanrun: wapiti is confined", b"")

    assert "launcher" in problems(said=said)


def test_page_can_not_say_that_it_is_the_log():
    forged = (
        b"[+] GET http://app:8080/[*] Launching module xss (1)\n\tdata: [*] Launching module xss\n"
    )
    said = log("active").replace(b"[*] Launching module xss\n", forged)

    assert "did not launch: xss" in problems(report("active"), said, active=True)


@pytest.mark.parametrize("said", [b"", log()[:900], log().replace(b"A report has been", b"")])
def test_log_that_does_not_come_to_an_end_is_not_believed(said):
    assert "came to its end" in problems(said=said)


def test_report_with_other_pages_than_the_log_is_not_believed():
    given = report()
    given["infos"]["crawled_pages_nbr"] = 60

    said = problems(given)

    assert "its log tells of 6 pages, its report of 60" in said
    assert "does not list all pages" in said


def test_report_without_the_list_of_pages_is_not_believed():
    given = report()
    del given["infos"]["crawled_pages"]

    assert "does not list the pages" in problems(given)


@pytest.mark.parametrize(
    "line",
    [
        "[!] ConnectError with URL http://app:8080/a",
        "[!] ReadTimeout with URL http://app:8080/a",
        "GET http://app:8080/ (0) generated an exception: SSLZeroReturnError",
        "3 requests were skipped due to network issues",
        "Max scan time was reached, stopping.",
        "Max attack time was reached for module xss, stopping.",
        "[!] Unable to find a module named bogus",
        "[!] Missing dependencies for module permanentxss:",
        "[!] Can't store information in persister. SQLite database must have been locked",
        "Traceback (most recent call last):",
        "Waiting for running crawler tasks to finish, please wait.",
        "Attack process was interrupted. Do you want to:",
        "scanrun: wapiti was kept from ('10.0.0.1', 80)",
    ],
)
def test_sign_in_the_log_takes_the_worth_of_the_answer_away(line):
    assert len(signs(line)) == 1


def test_log_of_a_good_scan_has_no_signs():
    assert [line for line in log().decode().splitlines() if signs(line)] == []
