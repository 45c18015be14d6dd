import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError
from wapiti_reports import APP, DATA, report, scanned

from scanrun.errors import ConversionError, ScanError
from scanrun.model import Notification, SignIn, Snapshot, Target
from scanrun_plugins.scanners.wapiti import Wapiti
from scanrun_plugins.scanners.wapiti.command import IMAGE, REPORT
from scanrun_plugins.scanners.wapiti.options import Options

IMAGES = Path(__file__).parents[3] / "images" / "wapiti"
SIGN_IN = SignIn(header="X-Token", secret="APP_TOKEN")


def target(app=APP, **options):
    return Target(snapshot=Snapshot(root=Path()), app=app, options=Options(**options).model_dump())


def scan_step(app=APP, **options):
    (step,) = (each for each in Wapiti().steps(target(app, **options)) if each.name == "scan")
    return step


def after(step, option):
    return step.argv[step.argv.index(option) + 1]


def converted(given, **options):
    return list(Wapiti().convert(scanned(given, **options)))


def results(given):
    return [each for each in converted(given) if hasattr(each, "rule_id")]


def test_findings_have_place_severity_and_rule(check_scanner):
    findings = check_scanner(Wapiti(), DATA / "active.json", options={"active": True})

    assert [(f.rule_id, f.path, f.severity.value) for f in findings] == [
        ("clickjacking-protection", "app:8080", "low"),
        ("content-security-policy-configuration", "app:8080", "low"),
        ("httponly-flag-cookie", "app:8080", "low"),
        ("mime-type-confusion", "app:8080", "low"),
        ("open-redirect", "app:8080/go", "low"),
        ("reflected-cross-site-scripting", "app:8080/find", "medium"),
        ("secure-flag-cookie", "app:8080", "low"),
        ("secure-flag-cookie", "app:8080", "low"),
    ]


def test_message_and_properties_name_page_and_parameter():
    (found,) = (each for each in results(report("active")) if "script" in each.rule_id)

    assert found.message.text == (
        "Reflected Cross Site Scripting vulnerability found via injection in the parameter q (q)"
        " at http://app:8080/find"
    )
    assert found.properties["url"] == "http://app:8080/find"
    assert (found.properties["method"], found.properties["param"]) == ("GET", "q")


def test_cookies_and_headers_of_the_scan_are_not_passed_on():
    text = repr([vars(each) for each in converted(report("active"), active=True)])

    assert "made-up" in (DATA / "active.json").read_text()
    assert "made-up" not in text
    assert "user-agent" not in text
    assert "curl" not in text


def test_rule_has_help_solution_link_and_weakness():
    rules = {each.id: each for each in converted(report("active")) if hasattr(each, "help")}

    found = rules["reflected-cross-site-scripting"]
    assert "Solution: " in found.help.text
    assert found.help_uri.startswith("https://")
    assert "external/cwe/cwe-079" in found.properties["tags"]
    assert "WSTG-INPV-01" in found.properties["tags"]


def test_marker_and_order_of_a_second_scan_change_no_identity():
    first, second = report("active"), report("active")
    for found in second["vulnerabilities"].values():
        found.reverse()
    (scripting,) = second["vulnerabilities"]["Reflected Cross Site Scripting"]
    scripting["info"] += " with wfyily4ws8"
    scripting["http_request"] = "GET /find?q=wfyily4ws8 HTTP/1.1\nhost: app:8080"
    second["vulnerabilities"] = dict(reversed(second["vulnerabilities"].items()))

    one, other = ([each.partial_fingerprints for each in results(r)] for r in (first, second))

    assert one == other


def test_finding_that_is_told_twice_is_one():
    given = report()
    given["vulnerabilities"]["HttpOnly Flag cookie"] *= 3

    assert len(results(given)) == len(results(report()))


@pytest.mark.parametrize(
    ("level", "severity"), [*enumerate(["info", "low", "medium", "high", "critical"])]
)
def test_level_is_a_severity(level, severity):
    given = report()
    given["vulnerabilities"] = {}
    given["additionals"]["HTTP Methods"] = [
        {"method": "GET", "path": "/", "info": "PUT", "level": level, "module": "methods"}
    ]

    (found,) = results(given)

    assert found.properties["severity"] == severity


def test_anomalies_and_additional_findings_are_results():
    given = report()
    given["vulnerabilities"] = {}
    one = {"method": "GET", "path": "/", "info": "x", "level": 1, "module": "sql"}
    given["anomalies"] = {"Internal Server Error": [one]}
    given["additionals"] = {"HTTP Methods": [one]}

    assert [each.rule_id for each in results(given)] == ["http-methods", "internal-server-error"]


def test_hostile_texts_stay_texts_of_one_line():
    given = report()
    (found,) = given["vulnerabilities"]["Content Security Policy Configuration"]
    found["path"] = "//evil.invalid/..//../a\x1b[31m\n<script>"
    found["info"] = "\x1b]0;x\x07<b>bold</b>\nsecond line\n" + "y" * 100_000
    found["parameter"] = "a\nb"

    (made,) = (each for each in results(given) if each.rule_id.startswith("content"))

    uri = made.locations[0].physical_location.artifact_location.uri
    assert uri.startswith("app%3A8080/")
    assert ".." not in uri
    assert urlsplit(made.properties["url"]).netloc == "app:8080"
    assert len(made.message.text) < 1500
    assert "\n" not in made.message.text


def reports_that_are_none():
    yield "empty", b""
    yield "cut off", (DATA / "passive.json").read_bytes()[:-400]
    yield "an object", b"{}"
    yield "key twice", b'{"infos": 1, ' + json.dumps(report()).encode()[1:]
    yield "deep", b'{"infos":' + b"[" * 200_000
    for what, change in {
        "another tool's": lambda r: r["infos"].update(version="Other 1.0"),
        "no target": lambda r: r["infos"].update(target=""),
        "level": lambda r: r["vulnerabilities"]["Clickjacking Protection"][0].update(level=9),
        "no vulnerabilities": lambda r: r.pop("vulnerabilities"),
        "vulnerabilities a list": lambda r: r.update(vulnerabilities=[]),
        "negative pages": lambda r: r["infos"].update(crawled_pages_nbr=-1),
    }.items():
        given = report()
        change(given)
        yield what, json.dumps(given).encode()


@pytest.mark.parametrize("given", [pytest.param(d, id=name) for name, d in reports_that_are_none()])
def test_unreadable_output_is_an_error_not_a_clean_scan(given):
    with pytest.raises(ConversionError):
        converted(given)


def test_that_nothing_was_attacked_is_told_and_with_active_it_is_not():
    quiet = [each for each in converted(report()) if isinstance(each, Notification)]
    active = [
        each for each in converted(report("active"), active=True) if isinstance(each, Notification)
    ]

    assert [each.level for each in quiet] == ["note"]
    assert active == []


def test_without_an_application_it_lacks_a_setting():
    applies = Wapiti().applies(target(app=None))

    assert (applies.yes, applies.configured) == (False, False)


def test_it_is_asked_before_scanned_and_asked_after():
    assert [step.name for step in Wapiti().steps(target())] == [
        "probe-before",
        "scan",
        "probe-after",
    ]
    assert {step.image for step in Wapiti().steps(target())} == {IMAGE}
    assert not any(step.pulled for step in Wapiti().steps(target()))


def test_by_default_nothing_attacks_and_with_active_nobody_else_is_called():
    assert after(scan_step(), "-m") == "cookieflags,csp,http_headers"

    modules = set(after(scan_step(active=True), "-m").split(","))
    assert {"sql", "xss", "exec", "file", "upload"} < modules
    assert not modules & {"ssrf", "xxe", "log4shell", "spring4shell", "ssl", "wapp", "nikto"}


@pytest.mark.parametrize("name", ["ssrf", "xxe", "log4shell", "nikto", "bogus", ""])
def test_module_that_calls_elsewhere_or_does_not_exist_is_refused(name):
    with pytest.raises(ValidationError):
        Options(modules=(name,))


def test_no_server_of_its_makers_is_named():
    step = scan_step(active=True)

    assert after(step, "--dns-endpoint") == "app"
    assert after(step, "--endpoint") == "http://app:8080/"
    assert "--no-bugreport" in step.argv


@pytest.mark.parametrize(
    ("url", "started"),
    [
        ("http://app:80/", "http://app/"),
        ("https://app:443/shop/?a=1", "https://app/shop/?a=1"),
        ("http://app:8080/", "http://app:8080/"),
        ("http://[::1]:80/", "http://[::1]/"),
    ],
)
def test_port_that_goes_without_saying_is_not_said(url, started):
    assert after(scan_step(replace(APP, url=url)), "-u") == started


def test_excluded_paths_are_those_of_the_application():
    step = scan_step(exclude=("/logout", "/calendar/*"))

    excluded = [
        word for before, word in zip(step.argv, step.argv[1:], strict=False) if before == "-x"
    ]
    assert excluded == ["http://app:8080/logout", "http://app:8080/calendar/*"]


def test_deadline_holds_for_what_wapiti_does_not_bound():
    step = scan_step(crawl_time=100, module_time=10)

    assert step.timeout_s > 100 + 3 * 10


def test_value_that_signs_in_is_in_a_sealed_file_alone():
    step = scan_step(replace(APP, sign_in=SIGN_IN))

    (made,) = (make({"APP_TOKEN": " Bearer abc\n"}) for make in step.sealed.values())
    assert made == b"X-Token: Bearer abc"
    assert "APP_TOKEN" not in repr(step.argv) + repr(step.env) + repr(step.files)


@pytest.mark.parametrize("value", ["", " ", "a\r\nHost: b", "a\0b"])
def test_secret_that_is_no_header_is_refused(value):
    step = scan_step(replace(APP, sign_in=SIGN_IN))

    (make,) = step.sealed.values()
    with pytest.raises(ScanError, match="APP_TOKEN"):
        make({"APP_TOKEN": value})


def test_version_is_that_of_the_report():
    assert Wapiti().version(scanned()) == "3.2.3"
    assert REPORT in scanned()


def test_image_of_ours_holds_the_version_that_its_tag_says():
    version = IMAGE.rpartition(":")[2]
    recipe = (IMAGES / "Dockerfile").read_text()

    assert f"wapiti3=={version}" in (IMAGES / "requirements.txt").read_text().splitlines()
    assert f"docker build -t {IMAGE} " in recipe
    assert re.search(r"^USER 1000:1000$", recipe, re.MULTILINE)
