"""Whether ZAP is believed to have seen the application: what it left behind in real runs."""

import json
import os

import pytest
from zap_reports import (
    ASKED,
    CASES,
    alert,
    given,
    insight,
    insights,
    instance,
    notes,
    recorded,
    report,
    results,
    tree,
)

from scanrun.api import App, Page, Target
from scanrun.stages.evidence import weigh
from scanrun_plugins.scanners.zap.api_scan import ZapApi
from scanrun_plugins.scanners.zap.baseline import Zap
from scanrun_plugins.scanners.zap.full import ZapFull
from scanrun_plugins.scanners.zap.own_plan import ZapPlan

URL = "http://app:8080/"


def problems(outputs, scanner=None):
    """Return all for which the core would not believe the scan."""
    scanner = scanner or Zap()
    return weigh(
        scanner,
        Target(snapshot=outputs.snapshot, app=outputs.app),
        outputs,
        canary_found=frozenset(),
        notifications=notes(scanner.convert(outputs)),
        reached=scanner.reached(outputs),
    ).problems


def without_links(outputs, *, alone=False):
    """Return outputs of a run whose probes found a page that leads nowhere else."""
    for name in ("before", "after"):
        path = outputs[f"/probe-{name}/answer.json"]
        told = {**json.loads(path.read_text()), "links": 0, "alone": alone}
        path.write_text(json.dumps(told))
        os.utime(path, (ASKED, ASKED))
    return outputs


def own_plan(tmp_path, jobs, **more):
    """Return the outputs of a run of a plan of the user's own."""
    plan = {"env": {"contexts": [{"name": "a", "urls": ["${SCANRUN_TARGET}"]}]}, "jobs": jobs}
    snapshot = tree(tmp_path, {"zap.yaml": json.dumps(plan)})
    made = more.pop("made", report())
    options = {"plan": "zap.yaml", "pages": 2}
    return given(tmp_path, made, app=App(url=URL), snapshot=snapshot, options=options, **more)


def reached(tmp_path, *alerts, log="", **more):
    app = more.pop("app", App(url=URL))
    log = f"Using the Automation Framework\n{log}"
    return Zap().reached(given(tmp_path, report(*alerts, **more), app=app, log=log))


@pytest.mark.parametrize("case", ["vuln", "tls", "noI-vuln", "conf-af"])
def test_recorded_run_that_saw_the_application_is_believed(tmp_path, case):
    assert problems(recorded(tmp_path, case)) == ()


@pytest.mark.parametrize(
    ("pages", "alone", "believed"),
    [(1, False, True), (2, False, False), (2, True, True), (3, True, False)],
)
def test_recorded_site_of_one_page_is_believed_where_that_page_says_it_is_all_or_one_is_due(
    tmp_path, pages, alone, believed
):
    outputs = without_links(recorded(tmp_path, "clean", options={"pages": pages}), alone=alone)

    assert Zap().reached(outputs).pages == 1
    assert (problems(outputs) == ()) is believed


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("hard404", "answered ZAP with 404, and 200 is due"),
        ("all500", "answered ZAP with 500, and 200 is due"),
        ("af-plan-404", "answered ZAP with 404, and 200 is due"),
        ("loginwall", "sends every address on to http://target:8017/login"),
        ("redirhost", "leads elsewhere (75 % of the answers)"),
        ("api", "at its root only, which speaks JSON"),
        ("auth-env", "ZAP saw 1 of its pages, and 2 are due"),
        ("conf-alloos", "all of it is out of scope"),
        ("xmx100-inf", "broke its scan off"),
        ("off-dns", "100 % of ZAP's requests got no answer"),
        ("off-vuln", "did not run in the mode in which it tells of warnings"),
        ("off-vuln", "https://target:8005, which is not the application"),
        ("twoports", "not about http://target:8020"),
    ],
)
def test_recorded_run_that_looked_clean_or_whole_and_was_not_is_incomplete(tmp_path, case, why):
    assert any(why in each for each in problems(recorded(tmp_path, case)))


def test_recorded_codes_and_pages_stand_in_the_evidence(tmp_path):
    found = Zap().reached(recorded(tmp_path, "vuln"))

    assert (found.pages, dict(found.codes)) == (9, {"2xx": 69, "4xx": 23, "5xx": 7})


@pytest.mark.parametrize("case", ["subdir", "wrk-unwritable"])
def test_report_that_could_not_be_written_is_told_by_the_log(tmp_path, case):
    log = (CASES / case / "stdout.txt").read_text() + (CASES / case / "stderr.txt").read_text()

    found = problems(given(tmp_path, report(alert()), log=log))

    assert any("could not write one of its reports" in each for each in found)


def test_start_page_that_answers_otherwise_is_told_though_all_else_is_well(tmp_path):
    log = (
        "Automation plan warnings:\n"
        f"\tJob spider error accessing URL {URL} status code returned : 403 expected 200\n"
    )

    (problem,) = reached(tmp_path, log=log).problems

    assert "answered ZAP with 403" in problem


def test_status_that_is_due_is_no_problem(tmp_path):
    log = (
        "Automation plan warnings:\n"
        "\tJob spider error accessing URL http://app:8080 status code returned : 404 expected 200\n"
    )
    app = App(url=URL, page=Page(status=404))
    outputs = given(tmp_path, report(), app=app, log=f"Using the Automation Framework\n{log}")

    assert not any("ZAP" in each for each in Zap().reached(outputs).problems)


def test_root_that_is_away_is_only_told_where_the_application_lies_below_it(tmp_path):
    warning = "Job spider error accessing URL http://app:8080/ status code returned : 404"
    log = f"Using the Automation Framework\nAutomation plan warnings:\n\t{warning} expected 200\n"
    outputs = given(tmp_path, report(), app=App(url="http://app:8080/shop/"), log=log)

    assert Zap().reached(outputs).problems == ()
    assert [each.level for each in notes(Zap().convert(outputs))] == ["warning"]


@pytest.mark.parametrize("heading", ["warnings", "failures"])
def test_any_other_word_of_the_plan_makes_it_incomplete(tmp_path, heading):
    log = f"Automation plan {heading}:\n\tJob spider did something odd\n"

    (problem,) = reached(tmp_path, log=log).problems

    assert "did something odd" in problem


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        ({}, "tells of no answer"),
        ({"4xx": "100"}, "no good answer"),
        ({"5xx": "100"}, "no good answer"),
        ({"2xx": "0", "4xx": "100"}, "no good answer"),
        ({"2xx": "none"}, "no good answer"),
        ({"2xx": "30", "3xx": "70"}, "leads elsewhere"),
    ],
)
def test_answers_that_prove_nothing_make_it_incomplete(tmp_path, codes, why):
    found = reached(tmp_path, alert(), insights=insights(codes)).problems

    assert any(why in each for each in found)


def test_insights_of_another_site_prove_nothing(tmp_path):
    found = reached(tmp_path, alert(), insights=insights(site="http://app")).problems

    assert any("tells of no answer" in each for each in found)


def test_report_of_an_older_image_without_insights_proves_nothing(tmp_path):
    found = reached(tmp_path, alert(), insights=[]).problems

    assert any("older than 2.17" in each for each in found)


@pytest.mark.parametrize(("share", "believed"), [("10", True), ("50", False), ("100", False)])
def test_requests_without_an_answer_make_it_incomplete_where_they_are_many(
    tmp_path, share, believed
):
    told = [*insights(), insight("insight.network.failure", share, "")]

    assert (reached(tmp_path, insights=told).problems == ()) is believed


@pytest.mark.parametrize(("pages", "believed"), [(1, True), (2, False)])
def test_application_of_one_page_has_to_be_said_to_be_one(tmp_path, pages, believed):
    made = report(insights=insights(endpoints="3"))
    outputs = without_links(given(tmp_path, made, options={"pages": pages}))

    assert (Zap().reached(outputs).problems == ()) is believed


def test_finding_of_another_origin_makes_it_incomplete_and_is_kept(tmp_path):
    outputs = given(tmp_path, report(alert(instance("http://other:9000/a"))))

    found = Zap().reached(outputs)

    assert found.others == ("http://other:9000",)
    assert any("http://other:9000" in each for each in found.problems)
    assert len(results(Zap().convert(outputs))) == 1


@pytest.mark.parametrize("known", ["robots.txt", "sitemap.xml"])
def test_login_wall_that_the_probe_does_not_see_is_seen_by_what_zap_was_led_to(tmp_path, known):
    told = alert(instance(f"http://app:8080/welcome?back=%2F{known}"))

    (problem,) = reached(tmp_path, told).problems

    assert "http://app:8080/welcome" in problem


def test_application_that_sends_unknown_addresses_to_its_login_page_is_no_wall(tmp_path):
    led = "http://app:8080/login?next=/robots.txt"
    pages = (f"{URL}", led, f"{URL}login", f"{URL}products", f"{URL}about")

    assert reached(tmp_path, alert(*map(instance, pages))).problems == ()


def test_page_that_signs_in_is_one_page_whatever_session_is_in_its_address(tmp_path):
    pages = (f"{URL}welcome;sid=1?back=/robots.txt", f"{URL}welcome;sid=2")

    found = reached(tmp_path, alert(*map(instance, pages))).problems

    assert any("a login wall" in each for each in found)


@pytest.mark.parametrize(
    "open_to_all",
    ["", "robots.txt", "login", "static/app.css", "favicon.ico", "password/forgot", "signup"],
)
def test_what_stands_before_a_login_wall_is_no_page_behind_it(tmp_path, open_to_all):
    pages = (f"{URL}login?next=/sitemap.xml", f"{URL}{open_to_all}", "http://other:1/products")

    found = reached(tmp_path, alert(*map(instance, pages))).problems

    assert any("a login wall" in each for each in found)


@pytest.mark.parametrize(
    ("created", "believed"),
    [
        ("2026-11-23T10:00:00.831645747Z", True),
        ("2026-11-21T10:00:00Z", False),
        ("2020-01-01T00:00:00.000000000Z", False),
    ],
)
def test_report_of_an_earlier_run_makes_it_incomplete(tmp_path, created, believed):
    found = reached(tmp_path, alert(), created=created).problems

    assert (not any("of an earlier run" in each for each in found)) is believed


@pytest.mark.parametrize(("took_s", "told"), [(119, 0), (120, 1), (600, 1)])
def test_spider_that_may_have_used_up_its_time_is_told(tmp_path, took_s, told):
    found = notes(Zap().convert(given(tmp_path, report(), took_s=took_s)))

    assert len([each for each in found if "2 minutes" in each.text]) == told


FINISHED = "Job spider finished, time taken: 00:{}\n"


def told_of_a_cut(scanner, outputs):
    found = [each.text for each in notes(scanner.convert(outputs))]
    return [text for text in found if "used up its" in text]


@pytest.mark.parametrize(("took", "told"), [("01:59", 0), ("02:00", 1), ("59:06", 1)])
def test_spider_of_the_full_scan_that_was_cut_short_is_told(tmp_path, took, told):
    outputs = given(tmp_path, report(), log=FINISHED.format(took), options={"minutes": 2})

    assert len(told_of_a_cut(ZapFull(), outputs)) == told


def test_browsers_crawl_that_was_cut_short_is_told_as_its_own(tmp_path):
    log = FINISHED.format("00:09") + "Job spiderAjax finished, time taken: 00:02:01\n"
    outputs = given(tmp_path, report(), log=log, options={"minutes": 2, "ajax": True})

    (text,) = told_of_a_cut(ZapFull(), outputs)

    assert "spiderAjax used up its 2 minutes" in text


@pytest.mark.parametrize(
    ("limits", "told"),
    [((3, 1), ["1"]), ((1, 1), ["1", "1"]), ((0, None), []), (("x", "2"), ["2"])],
)
def test_spiders_of_an_own_plan_that_were_cut_short_are_told_by_their_own_limits(
    tmp_path, limits, told
):
    jobs = [{"type": "spider", "parameters": {"maxDuration": each}} for each in limits]
    log = FINISHED.format("01:00") + FINISHED.format("02:30")

    found = told_of_a_cut(ZapPlan(), own_plan(tmp_path, jobs, log=log))

    assert [text.partition("used up its ")[2].partition(" ")[0] for text in found] == told


@pytest.mark.parametrize("scanner", [ZapApi(), ZapPlan()], ids=lambda each: each.name)
def test_what_has_no_limit_was_not_cut_short(tmp_path, scanner):
    log = FINISHED.format("59:59")
    outputs = own_plan(tmp_path, [{"type": "spider"}], log=log)
    if scanner.name == "zap-api":
        outputs = given(tmp_path, report(), log=log)

    assert told_of_a_cut(scanner, outputs) == []


def test_interface_is_not_asked_for_what_a_crawl_asks_for(tmp_path):
    outputs = given(tmp_path, report(insights=insights(endpoints="4")))

    assert (ZapApi().reached(outputs).pages, Zap().reached(outputs).pages) == (4, 2)


@pytest.mark.parametrize(
    ("kinds", "pages"),
    [
        (("spider", "activeScan"), 2),
        (("spiderAjax",), 2),
        (("openapi", "activeScan"), 4),
        (("requestor",), 4),
    ],
)
def test_plan_that_does_not_crawl_asks_for_no_robots_txt(tmp_path, kinds, pages):
    jobs = [{"type": kind} for kind in kinds]
    made = report(insights=insights(endpoints="4"))

    assert ZapPlan().reached(own_plan(tmp_path, jobs, made=made)).pages == pages


@pytest.mark.parametrize(
    ("path", "endpoints", "pages"),
    [("", "3", 1), ("", "4", 2), ("shop/", "4", 2), ("shop/", "5", 3)],
)
def test_plan_begins_at_the_applications_path_and_asks_for_no_root_above_it(
    tmp_path, path, endpoints, pages
):
    made = report(insights=insights(endpoints=endpoints))
    outputs = given(tmp_path, made, app=App(url=f"{URL}{path}"))

    assert ZapFull().reached(outputs).pages == pages


@pytest.mark.parametrize(("endpoints", "pages"), [("4", 1), ("5", 2)])
def test_baseline_asks_for_the_root_above_the_applications_path_too(tmp_path, endpoints, pages):
    made = report(insights=insights(endpoints=endpoints))
    outputs = given(tmp_path, made, app=App(url=f"{URL}shop/"))

    assert Zap().reached(outputs).pages == pages


def test_plan_of_the_longer_report_is_weighed(tmp_path):
    warned = (
        "Job spider error accessing URL http://app:8080/ status code returned : 404 expected 200"
    )
    outputs = given(tmp_path, report(afPlanErrors=["Job openapi failed"], afPlanWarns=[warned]))

    first, second = ZapFull().reached(outputs).problems

    assert "404" in first
    assert "Job openapi failed" in second


@pytest.mark.parametrize("line", ["\tAutomation plan warnings:", "Automation plan warnings: x"])
def test_heading_inside_other_text_begins_nothing(tmp_path, line):
    assert reached(tmp_path, log=f"{line}\n\tanything\n").problems == ()


def test_hostile_log_is_read_in_pieces(tmp_path):
    log = "Automation plan failures:\n\t" + "\x1b[31m" * 100_000 + "\n\tJob x failed\n"

    found = reached(tmp_path, log=log).problems

    assert any("Job x failed" in each for each in found)
    assert max(map(len, found)) <= 1000
