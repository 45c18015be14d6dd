"""How ZAP is launched, and what may be configured of it."""

import json
import re

import pytest
from pydantic import ValidationError
from zap_reports import CASES, NOWHERE, alert, given, notes, report, results, tree

from scanrun.api import App, Role, ScanError, Service, SignIn, StepError, Target
from scanrun.testing.conform import conformance
from scanrun_plugins.scanners.zap.api_scan import ZapApi
from scanrun_plugins.scanners.zap.baseline import Zap
from scanrun_plugins.scanners.zap.full import ZapFull
from scanrun_plugins.scanners.zap.options import ApiOptions, FullOptions, Options, PlanOptions
from scanrun_plugins.scanners.zap.own_plan import ZapPlan

SECRET = "Bearer " + "k3Yp" * 8
SERVICE = Service(name="app", image="app:1", port=8080, ready=lambda address: True)
APP = App(url="http://app:8080/", service=SERVICE)
SIGNED_IN = App(
    url="http://app:8080/", service=SERVICE, sign_in=SignIn(header="X-Token", secret="T")
)
PLAN = {
    "env": {"contexts": [{"name": "a", "urls": ["${SCANRUN_TARGET}"]}]},
    "jobs": [{"type": "spider", "parameters": {"url": "${SCANRUN_TARGET}"}}],
}
MODELS = {Zap: Options, ZapFull: FullOptions, ZapApi: ApiOptions, ZapPlan: PlanOptions}
ALL = pytest.mark.parametrize("scanner", MODELS, ids=lambda each: each.name)


def target(scanner=Zap, app=APP, snapshot=NOWHERE, args=(), **options):
    told = MODELS[scanner](**options).model_dump()
    return Target(snapshot=snapshot, app=app, options=told, args=args)


def scan(scanner=Zap, **more):
    return scanner().steps(target(scanner, **more))[1]


def rules_of(**more):
    return scan(**more).files["/zap/wrk/rules.tsv"].decode().splitlines()


def plan(scanner=ZapFull, **more):
    return json.loads(scan(scanner, **more).files["/zap/wrk/plan.yaml"])


def kinds(made):
    return [each["type"] for each in made["jobs"]]


def own(tmp_path, content, app=APP):
    content = content if isinstance(content, str) else json.dumps(content)
    snapshot = tree(tmp_path, {"zap.yaml": content})
    return plan(ZapPlan, snapshot=snapshot, app=app, plan="zap.yaml")


@ALL
def test_scanner_keeps_its_promises(scanner):
    conformance(scanner(), options=MODELS[scanner]().model_dump())


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("http://app:8080/", "http://app:8080/"),
        ("http://app:80/", "http://app/"),
        ("https://app:443/shop/", "https://app/shop/"),
        ("http://app:443/", "http://app:443/"),
    ],
)
def test_scan_begins_where_the_applications_own_links_lead(url, start):
    argv = scan(app=App(url=url)).argv

    assert argv[argv.index("-t") + 1] == start


@ALL
def test_nothing_is_run_without_an_application(scanner):
    applies = scanner().applies(target(scanner, app=None))

    assert (applies.yes, applies.configured) == (False, False)
    assert "[app]" in applies.reason


def test_only_the_baseline_is_in_the_default_set():
    assert [each.name for each in MODELS if not getattr(each, "on_request", False)] == ["zap"]


@pytest.mark.parametrize(
    ("scanner", "options"), [(ZapApi, "openapi_url or openapi_file"), (ZapPlan, "plan in")]
)
def test_what_else_a_scanner_needs_is_told(scanner, options):
    applies = scanner().applies(target(scanner))

    assert (applies.yes, applies.configured) == (False, False)
    assert options in applies.reason


def test_baseline_is_launched_as_it_was_measured():
    step = scan()

    assert step.argv == (
        *("zap-baseline.py", "-t", "http://app:8080/", "-J", "report.json", "-x", "report.xml"),
        *("-I", "-m", "2", "-z"),
        "-silent -dir /tmp/zap -Xmx1024m -config alert.systemicLimit=0",
    )
    assert (step.entrypoint, step.source, step.network) == (None, None, False)
    assert step.limits.memory_mb == 2048
    assert step.outputs == ("/zap/wrk/report.json",)
    assert step.services == ("app",)


@ALL
def test_scan_stands_between_two_questions(scanner, tmp_path):
    snapshot = tree(tmp_path, {"zap.yaml": json.dumps(PLAN)})
    options = {"plan": "zap.yaml"} if scanner is ZapPlan else {}

    steps = scanner().steps(target(scanner, snapshot=snapshot, **options))

    assert [each.role for each in steps] == [Role.PROBE, Role.SCAN, Role.PROBE]
    assert {each.image for each in steps} == {"zaproxy/zap-stable:2.17.0"}


def test_heap_is_half_of_the_memory():
    told = Target(snapshot=NOWHERE, app=APP, options=Options().model_dump(), memory_mb=6000)

    step = Zap().steps(told)[1]

    assert "-Xmx3000m" in step.argv[step.argv.index("-z") + 1]
    assert step.limits.memory_mb == 6000


def test_options_reach_zap():
    step = scan(minutes=7, ajax=True, silent=False, systemic_limit=5)

    assert step.argv[step.argv.index("-m") + 1] == "7"
    assert "-j" in step.argv
    zap = step.argv[step.argv.index("-z") + 1]
    assert "-silent" not in zap
    assert zap.endswith("-config alert.systemicLimit=5")


@pytest.mark.parametrize("options", [{}, {"systemic_limit": 0}])
def test_all_places_of_a_rule_are_listed_unless_configured_otherwise(options):
    (looking,) = (each for each in plan()["jobs"] if each["type"] == "passiveScan-config")

    assert "alert.systemicLimit=0" in scan(ZapFull, **options).argv
    assert looking["parameters"]["maxAlertsPerRule"] == 0


@ALL
def test_zap_has_room_for_two_threads_a_core_in_each_of_its_pools(scanner, tmp_path):
    snapshot = tree(tmp_path, {"zap.yaml": json.dumps(PLAN)})
    options = {"plan": "zap.yaml"} if scanner is ZapPlan else {}

    assert scan(scanner, snapshot=snapshot, **options).limits.pids == 1024


def test_step_has_longer_than_its_spider():
    assert scan(minutes=60).timeout_s > 3600


@ALL
def test_secret_that_signs_in_stands_in_a_sealed_file_only(scanner, tmp_path):
    snapshot = tree(tmp_path, {"zap.yaml": json.dumps(PLAN)})
    options = {"plan": "zap.yaml"} if scanner is ZapPlan else {}
    told = target(scanner, app=SIGNED_IN, snapshot=snapshot, **options)

    step = scanner().steps(told)[1]

    assert [need.name for need in scanner().secrets(told)] == ["T"]
    assert step.sealed["/scanrun/sign-in"]({"T": SECRET}) == SECRET.encode()
    assert step.env == {"ZAP_AUTH_HEADER": "X-Token", "ZAP_AUTH_HEADER_SITE": "app"}
    assert step.entrypoint[:2] == ("/bin/sh", "-c")
    assert SECRET not in repr(step)


@pytest.mark.parametrize("value", ["", "  ", "a\nX-Other: b", "a\x7fb"])
def test_secret_that_can_be_no_header_is_refused(value):
    step = scan(app=SIGNED_IN)

    with pytest.raises(ScanError):
        step.sealed["/scanrun/sign-in"]({"T": value})


def test_image_that_passes_connections_on_is_zaps_own():
    remote = Service(name="app", port=8080, ready=lambda address: True, remote=object())

    (found,) = Zap().services(target(app=App(url="http://app:8080/", service=remote)))

    assert found.image == "zaproxy/zap-stable:2.17.0"


@pytest.mark.parametrize(
    "argument",
    ["--autooff", "--autoo", "-n", "-i", "-lFAIL", "-p", "--hook=a.py", "-J", "-t", "-T", "-a",
     "-r", "-u", "--plan-only", "-si", "-dsn", "-sT5", "x"],
)  # fmt: skip
def test_argument_by_which_a_dead_application_looks_clean_is_refused(argument):
    with pytest.raises(StepError, match="args"):
        scan(args=(argument, "x"))


def test_other_arguments_are_added():
    assert scan(args=("-D", "-5", "-sd")).argv[-3:] == ("-D", "-5", "-sd")


@pytest.mark.parametrize(
    "bad",
    [{"minutes": 0}, {"minutes": "abc"}, {"rules": {"10038-1": "IGNORE"}},
     {"rules": {"10038": "PASS"}}, {"exclude": ["a\tb"]}, {"nonsense": 1}],
)  # fmt: skip
def test_option_that_can_not_be_is_refused(bad):
    with pytest.raises(ValidationError):
        Options(**bad)


def test_rules_are_written_with_two_tabs_and_zap_is_told():
    assert rules_of(rules={"10038": "IGNORE", "2": "FAIL"}) == [
        "10038\tIGNORE\t(rule)",
        "2\tFAIL\t(rule)",
    ]
    assert scan(rules={"2": "FAIL"}).argv[-2:] == ("-c", "rules.tsv")


def test_rule_file_of_the_tree_is_read_and_written_anew(tmp_path):
    lines = (
        "# comment",
        "",
        "10038\tIGNORE\t(CSP)\tmy words",
        "10020\tPASS\t(frames)",
        "*\tOUTOFSCOPE\thttp://app:8080/admin.*",
        "10021, 10036\tOUTOFSCOPE\t.*/static/.*",
    )
    snapshot = tree(tmp_path, {"zap/rules.tsv": "\r\n".join(lines)})

    assert rules_of(snapshot=snapshot, rules_file="zap/rules.tsv") == [
        "10038\tIGNORE\t(rule)",
        "10020\tWARN\t(rule)",
        "*\tOUTOFSCOPE\thttp://app:8080/admin.*",
        "10021,10036\tOUTOFSCOPE\t.*/static/.*",
    ]


@pytest.mark.parametrize(
    "line",
    ["10038 IGNORE (csp)", "10038\tIGNORE", "10038\tNONE\t(csp)", "10038-1\tIGNORE\t(csp)",
     "x\tIGNORE\t(csp)", "x\tOUTOFSCOPE\t.*a", "*\tIGNORE\t(all)", "*\tOUTOFSCOPE\t(",
     "*\tOUTOFSCOPE\t"],
)  # fmt: skip
def test_line_at_which_zap_would_break_off_is_refused_before(tmp_path, line):
    snapshot = tree(tmp_path, {"rules.tsv": f"# rules\n{line}\n"})

    with pytest.raises(StepError):
        scan(snapshot=snapshot, rules_file="rules.tsv")


@pytest.mark.parametrize("name", ["rules_file", "context"])
def test_file_that_is_not_in_the_tree_is_refused(tmp_path, name):
    snapshot = tree(tmp_path, {"a.tsv": "x"})

    with pytest.raises(StepError, match="not among the scanned files"):
        scan(snapshot=snapshot, **{name: "../a.tsv"})


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("/logout", "http://app:8080/logout"),
        ("/a|/b", "http://app:8080/b"),
        ("/shop/.*", "https://app/shop/1/cart"),
        (".*/logout", "http://app:8080/x/logout"),
        ("(?i)https?://app:8080/OUT", "http://app:8080/out"),
        (r".*/logout(\?.*)?", "http://app:8080/logout"),
        ("/logout(?:[?].*)?", "http://app:8080/logout"),
        (r"\S+/logout", "http://app:8080/logout"),
        (r"\w+://[^/]+/logout", "http://app:8080/logout"),
        ("(/a|http://app:8080/b)", "http://app:8080/b"),
    ],
)
@pytest.mark.parametrize("scanner", [Zap, ZapFull])
def test_pattern_of_exclude_matches_whole_addresses_or_is_a_path(scanner, pattern, address):
    step = scan(scanner, exclude=(pattern,))

    if scanner is Zap:
        written = step.files["/zap/wrk/rules.tsv"].decode().rstrip("\n").split("\t")[2]
    else:
        made = json.loads(step.files["/zap/wrk/plan.yaml"])
        (written,) = made["env"]["contexts"][0]["excludePaths"]
    assert re.fullmatch(written, address)
    assert not re.fullmatch(written, "http://app:8080/")


@pytest.mark.parametrize(
    "pattern",
    [
        "logout",
        "logout.*",
        "^/logout",
        "(/a|/b)",
        "(?i)/logout",
        ".*[?]page=.*",
        r".*\?page=.*",
        r"/cart\?id=.*",
    ],
)
@pytest.mark.parametrize("scanner", [Zap, ZapFull])
def test_pattern_of_exclude_that_matches_nothing_is_refused(scanner, pattern):
    with pytest.raises(StepError, match="excludes nothing") as error:
        scan(scanner, exclude=(pattern,))

    assert ".*/logout" in error.value.hint


@pytest.mark.parametrize("pattern", ["/logout", r".*/cart\?id=.*", "logout"])
@pytest.mark.parametrize("name", ["rules_file", "context"])
def test_pattern_of_a_file_that_matches_nothing_is_told_as_looked_at(tmp_path, name, pattern):
    context = f"<context><excregexes>{pattern}</excregexes></context>"
    files = {
        "rules_file": f"*\tOUTOFSCOPE\t{pattern}\n*\tOUTOFSCOPE\t.*/admin\n",
        "context": f"<configuration>{context}</configuration>",
    }
    snapshot = tree(tmp_path, {"file": files[name]})
    options = Options(**{name: "file"}).model_dump()

    outputs = given(tmp_path, report(), app=APP, snapshot=snapshot, options=options)
    told = [each.text for each in notes(Zap().convert(outputs))]

    assert "still looked at" in told[0]
    assert all("/admin" in each for each in told if each.startswith("not looked at"))


@pytest.mark.parametrize(
    "pattern", [".*", "/", "/?", "http://app:8080/?", "HTTP://APP:8080/", "http://app.*", ""]
)
@pytest.mark.parametrize("scanner", [Zap, ZapFull])
def test_pattern_that_excludes_the_start_page_is_refused(tmp_path, scanner, pattern):
    with pytest.raises((StepError, ValidationError)):
        scan(scanner, exclude=(pattern,))


@pytest.mark.parametrize("pattern", ["/", "/s", "/shop/cart"])
def test_pattern_that_leaves_the_start_page_below_a_path_in_is_taken(pattern):
    (row,) = rules_of(app=App(url="http://app:8080/shop/"), exclude=(pattern,))

    assert row == f"*\tOUTOFSCOPE\t[^/]+//[^/]+{pattern}"


def test_context_gives_what_it_excludes_and_nothing_else(tmp_path):
    context = (
        "<configuration><context><name>a</name><incregexes>http://other.*</incregexes>"
        "<excregexes>http://app:8080/logout.*</excregexes></context></configuration>"
    )
    snapshot = tree(tmp_path, {"a.context": context})

    step = scan(snapshot=snapshot, context="a.context")

    assert step.files["/zap/wrk/rules.tsv"] == b"*\tOUTOFSCOPE\thttp://app:8080/logout.*\n"
    assert "-n" not in step.argv


@pytest.mark.parametrize(
    "content", ["", "<a/>", "not xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><configuration/>"]
)
def test_context_that_is_none_is_refused(tmp_path, content):
    snapshot = tree(tmp_path, {"a.context": content})

    with pytest.raises(StepError):
        scan(snapshot=snapshot, context="a.context")


def test_what_is_not_looked_at_is_told_and_ignored_rules_are_suppressed(tmp_path):
    options = Options(rules={"40012": "IGNORE"}, exclude=("http://app:8080/x.*",)).model_dump()
    outputs = given(tmp_path, report(alert()), options=options)

    found = list(Zap().convert(outputs))

    assert "not looked at" in notes(found)[0].text
    (result,) = results(found)
    assert result.suppressions[0]["justification"] == "IGNORE in ZAP's rules"


def test_full_scan_crawls_looks_attacks_and_reports():
    made = plan()

    assert kinds(made) == [
        "passiveScan-config",
        "spider",
        "passiveScan-wait",
        "activeScan",
        "passiveScan-wait",
        "report",
        "report",
    ]
    assert made["jobs"][-2]["parameters"]["template"] == "traditional-json-plus"
    assert made["env"]["contexts"][0]["urls"] == ["http://app:8080/"]
    assert made["env"]["parameters"]["failOnError"] is True
    assert scan(ZapFull).argv == (
        *("zap.sh", "-cmd", "-silent", "-dir", "/tmp/zap", "-Xmx1024m"),
        *("-config", "alert.systemicLimit=0", "-autorun", "/zap/wrk/plan.yaml"),
    )


@pytest.mark.parametrize(
    ("url", "inside", "outside"),
    [
        ("http://app:8080/shop/", "http://app:8080/a?b=1", "http://app:80801/"),
        ("http://app:8080/", "http://app:8080", "http://app:8081/"),
        ("http://app/", "http://app/a", "http://app:8080/a"),
        ("https://a.b/", "https://a.b:443/x", "https://axb/x"),
    ],
)
def test_nothing_but_the_applications_origin_is_in_scope(url, inside, outside):
    (pattern,) = plan(app=App(url=url))["env"]["contexts"][0]["includePaths"]

    assert re.fullmatch(pattern, inside)
    assert not re.fullmatch(pattern, outside)


def test_excluded_pages_are_out_of_the_full_scans_context():
    (context,) = plan(exclude=("http://app:8080/logout",))["env"]["contexts"]

    assert context["excludePaths"] == ["http://app:8080/logout"]


@pytest.mark.parametrize(("code", "is_answer"), [(0, True), (1, False), (2, True)])
def test_failed_plan_is_no_answer_and_warnings_are_weighed(code, is_answer):
    assert (code in scan(ZapFull).ok_exit_codes) is is_answer


def test_plan_scanners_take_settings_of_zaps_and_no_other_arguments():
    assert scan(ZapFull, args=("-config", "a=b")).argv[-2:] == ("-config", "a=b")
    with pytest.raises(StepError):
        scan(ZapFull, args=("-daemon",))


def test_description_of_an_interface_is_asked_for_at_the_application():
    job = plan(ZapApi, openapi_url="/v1/openapi.json")["jobs"][1]

    assert job["parameters"]["apiUrl"] == "http://app:8080/v1/openapi.json"


def test_description_of_an_interface_comes_from_the_tree(tmp_path):
    snapshot = tree(tmp_path, {"api.yaml": "openapi: 3.0.0"})

    step = scan(ZapApi, snapshot=snapshot, openapi_file="api.yaml")

    assert step.files["/zap/wrk/openapi"] == b"openapi: 3.0.0"
    (job,) = (each for each in json.loads(step.files["/zap/wrk/plan.yaml"])["jobs"]
              if each["type"] == "openapi")  # fmt: skip
    assert job["parameters"]["apiFile"] == "/zap/wrk/openapi"
    assert job["parameters"]["apiFile"] == "/zap/wrk/openapi"


@pytest.mark.parametrize(
    ("url", "target_url"),
    [("http://app:80/", "http://app"), ("http://app:8080/shop/", "http://app:8080/shop/")],
)
def test_root_of_an_application_does_not_stand_for_the_path_that_a_description_names(
    url, target_url
):
    job = plan(ZapApi, app=App(url=url), openapi_url="/openapi.json")["jobs"][1]

    assert job["parameters"]["targetUrl"] == target_url


@pytest.mark.parametrize(
    "options",
    [
        {"openapi_url": "http://other:8080/openapi.json"},
        {"openapi_url": "//other/openapi.json"},
        {"openapi_url": "/a", "openapi_file": "b"},
        {"openapi_file": "not-there.yaml"},
    ],
)
def test_description_elsewhere_is_refused(options):
    with pytest.raises(StepError):
        scan(ZapApi, **options)


def test_own_plan_is_written_anew_with_the_address_and_our_reports(tmp_path):
    made = own(tmp_path, PLAN)

    assert made["env"]["contexts"][0]["urls"] == ["http://app:8080/"]
    assert made["jobs"][0]["parameters"]["url"] == "http://app:8080/"
    assert kinds(made) == ["spider", "report", "report"]


def test_paths_are_added_to_the_address_in_an_own_plan_and_attacks_begin_as_it_says(tmp_path):
    told = {"url": "${SCANRUN_TARGET}/a", "context": "a"}
    whole = {"url": "${SCANRUN_TARGET}"}
    jobs = [{"type": "spider", "parameters": told}, {"type": "activeScan", "parameters": whole}]

    spider, attack, *_ = own(tmp_path, {**PLAN, "jobs": jobs})["jobs"]

    assert spider["parameters"]["url"] == "http://app:8080/a"
    assert attack["parameters"]["url"] == "http://app:8080"


def test_own_plan_may_be_yaml(tmp_path):
    content = (
        "env:\n  contexts:\n  - name: a\n    urls: ['${SCANRUN_TARGET}']\n"
        "jobs:\n- type: spider\n- type: report\n  parameters: {template: risk-confidence-html}\n"
    )

    assert kinds(own(tmp_path, content)) == ["spider", "report", "report"]


def test_report_jobs_of_an_own_plan_are_left_out_and_told(tmp_path):
    content = json.dumps({**PLAN, "jobs": [*PLAN["jobs"], {"type": "report"}]})
    snapshot = tree(tmp_path, {"zap.yaml": content})
    options = PlanOptions(plan="zap.yaml").model_dump()
    outputs = given(tmp_path, report(), app=APP, snapshot=snapshot, options=options)

    (note,) = notes(ZapPlan().convert(outputs))

    assert "report job" in note.text


def changed(path, value):
    """Return the plan with another value at a path."""
    made = json.loads(json.dumps(PLAN))
    *way, last = path
    inner = made
    for each in way:
        inner = inner[each]
    inner[last] = value
    return made


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "a: &x [1]\nb: *x\n",
        "!!python/object/apply:os.system [id]",
        "[" * 2000 + "]" * 2000,
        changed(("jobs",), []),
        changed(("jobs",), ["spider"]),
        changed(("jobs",), [{"type": "report"}]),
        changed(("jobs",), [{"type": "script"}]),
        changed(("jobs",), [{"type": "exitStatus"}]),
        changed(("jobs",), [{"type": "addOns"}]),
        changed(("jobs",), [{"type": "brandNew"}]),
        changed(("jobs",), [{"type": "spider", "enabled": False}]),
        changed(("jobs", 0, "parameters", "url"), "http://other/"),
        changed(("jobs", 0, "parameters", "url"), "HTTPS://app:8080/"),
        changed(("jobs", 0, "parameters", "url"), "http://app:8080@other/"),
        changed(("jobs", 0, "parameters", "url"), "${OTHER}"),
        changed(("env", "contexts"), []),
        changed(("env", "contexts", 0, "urls"), []),
        changed(("env", "contexts", 0, "urls"), ["http://app/"]),
        changed(("env", "contexts", 0, "urls"), ["//other/"]),
        changed(("env", "contexts", 0, "includePaths"), ["http://other\\.example/.*"]),
        changed(("env", "vars"), {"a": "b"}),
        changed(("env", "proxy"), {"hostname": "other", "port": 1}),
        changed(("more",), 1),
    ],
    ids=str,
)
def test_plan_that_reaches_out_or_can_not_be_read_is_refused(tmp_path, content):
    with pytest.raises(StepError):
        own(tmp_path, content)


@pytest.mark.parametrize(
    ("case", "code", "what", "cure"),
    [
        ("refused", 3, "refuses ZAP's connections", "[app]"),
        ("dns", 3, "can't find the application's host", "host"),
        ("netnone", 3, "can't find the application's host", "host"),
        ("mem-128m", 3, "without looking at anything", "memory"),
        ("conf-bad", 3, "does not take its rule file", "rules"),
        ("nowrk-J", 3, "could not write into /zap/wrk", "image"),
    ],
)
def test_recorded_failure_tells_what_to_do(case, code, what, cure):
    log = CASES / case / ("stdout.txt" if case in {"refused", "dns", "netnone"} else "stderr.txt")

    error = Zap().failure(scan(), code, log)

    assert what in str(error)
    assert cure in error.hint


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("failed to access URL http://a : Read timed out", "does not answer"),
        ("failed to access URL http://a : Connect to http://a failed: Connect timed out", "answer"),
        ("failed to access URL http://a : Connection reset", "breaks ZAP's connections off"),
        ("failed to access URL https://a : Unsupported or unrecognized SSL message", "TLS"),
        ("Exiting: ZAP requires a minimum of Java 17 to run, found ", "could not start Java"),
        ("java.lang.OutOfMemoryError: Java heap space", "memory"),
        ("Invalid option nope : option --nope not recognized", "options"),
        ("Traceback (most recent call last):\n  x\nValueError: a", "broke off"),
        ("Automation plan failures:\n\tUnrecognised job type: nope", "does not take its plan"),
    ],
)
def test_what_zap_says_of_a_failure_is_understood(tmp_path, said, what):
    log = tmp_path / "log"
    log.write_text(said)

    assert what in str(Zap().failure(scan(), 3, log))


@pytest.mark.parametrize("code", [137, 143])
def test_killed_scan_that_says_nothing_is_told(tmp_path, code):
    log = tmp_path / "log"
    log.write_text("")

    assert Zap().failure(scan(), code, log) is not None


def test_failure_of_a_probe_is_not_zaps(tmp_path):
    log = tmp_path / "log"
    log.write_text("java.lang.OutOfMemoryError")

    assert Zap().failure(Zap().steps(target())[0], 1, log) is None


def test_what_zap_says_of_a_failure_goes_before_that_there_is_no_summary(tmp_path):
    job = "\tJob spider failed to access URL http://app:1 : Connection refused"
    summary = "2026-11-23 10:00:00,1 Failed to access summary file /tmp/zap_out.json"
    log = tmp_path / "log"

    said = []
    for lines in ([job, summary], [summary, job]):
        log.write_text("\n".join(lines) + "\n")
        said.append(str(Zap().failure(scan(), 3, log)))

    assert said[0] == said[1]
    assert "Connection refused" in said[0]
