"""The lab's stand-in for ZAP against what a real ZAP printed, wrote and returned."""

import json
import re
import tarfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import docker
import pytest
import yaml
from app_kit import TARGET, zap_image

pytestmark = pytest.mark.lab

IMAGE = "zaproxy/zap-stable:2.17.0"
CASES = Path(__file__).parent.parent / "lab/zap/cases"
OPTIONS = ("-J", "report.json", "-x", "report.xml", "-I", "-z", "-silent")
MODES = {"vuln": "vuln", "clean": "one-page", "hard404": "hard-404", "all500": "http-500"}
MODES |= {"loginwall": "login", "tls": "tls", "redirhost": "redirect-port", "api": "api"}
"""Recorded case -> the target's mode in which the stand-in has to do the same."""
FAILURES = {"refused": "http://quiet:9999", "dns": "http://nosuch.invalid"}
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", re.MULTILINE)
URL = re.compile(r"https?://[^\s)\]]+")
READ_ONLY = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}


@dataclass
class Answer:
    """What one container came to."""

    code: int
    out: str
    err: str
    files: dict = field(default_factory=dict)
    killed: bool = False

    @property
    def report(self):
        return json.loads(self.files["report.json"])


@pytest.fixture(scope="module")
def client():
    with closing(docker.from_env()) as found:
        yield found


@pytest.fixture(scope="module")
def network(client):
    made = client.networks.create("scanrun-lab-zap-test", internal=True)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def zap(client, network):
    """Give a function that runs the stand-in, with a fresh /zap/wrk that it may write to."""

    def run(*words, image=IMAGE, work=True, mode=0o777, files=(), **more):
        folders = [made_folder(client, mode, dict(files))] if work else []
        more = {"network": network.name, "volumes_from": [each.id for each in folders], **more}
        container = client.containers.create(image, list(words), **more)
        try:
            container.start()
            code = container.wait(timeout=120)["StatusCode"]
            out = container.logs(stdout=True, stderr=False).decode()
            err = container.logs(stdout=False, stderr=True).decode()
            container.reload()
            killed = container.attrs["State"]["OOMKilled"]
            return Answer(code, out, err, left(container) if work else {}, killed)
        finally:
            for each in [container, *folders]:
                each.remove(force=True, v=True)

    return run


def made_folder(client, mode, files):
    """Return a container that never runs, whose /zap/wrk has that mode and these files."""
    mount = docker.types.Mount("/zap/wrk", None, "volume")
    container = client.containers.create(IMAGE, ["true"], mounts=[mount])
    container.put_archive("/zap", folder("wrk", mode, files))
    return container


@contextmanager
def serving(client, network, mode, *, name="target", **env):
    """Have a target there by that name while the block lasts."""
    container = client.containers.create(TARGET, environment={"MODE": mode, **env})
    try:
        network.connect(container, aliases=[name])
        container.start()
        while b"serving" not in container.logs():
            time.sleep(0.05)
        yield container
    finally:
        container.remove(force=True, v=True)


@pytest.fixture(scope="module")
def run_against(client, network, zap):
    """Give a function that runs the stand-in against a target of a mode; each once."""
    known = {}

    def run(mode, *words):
        key = (mode, *words)
        if key not in known:
            scheme = "https" if mode == "tls" else "http"
            with serving(client, network, mode):
                known[key] = zap(
                    *("zap-baseline.py", "-t", f"{scheme}://target:8080"), *OPTIONS, *words
                )
        return known[key]

    return run


@pytest.fixture(scope="module")
def against_clean(client, network, zap):
    """Give a function that runs the stand-in against a target without findings."""
    with serving(client, network, "clean", name="quiet"):
        yield partial(zap, "zap-baseline.py", "-t", "http://quiet:8080")


def folder(name, mode, files):
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        top = tarfile.TarInfo(name)
        top.type, top.mode = tarfile.DIRTYPE, mode
        tar.addfile(top)
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, BytesIO(content))
    return packed.getvalue()


def left(container):
    packed = b"".join(container.get_archive("/zap/wrk")[0])
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        found = [each for each in tar if each.isfile()]
        return {each.name.removeprefix("wrk/"): tar.extractfile(each).read() for each in found}


def recorded(case, name):
    return (CASES / case / name).read_text()


def exit_of(case):
    return int(re.search(r"^exit: (\d+)", recorded(case, "meta.txt"), re.MULTILINE)[1])


def grammar(text):
    """Return text without addresses, examples of which there may be others, and counts."""
    text = URL.sub("URL", text)
    text = re.sub(r"( x \d+|^Total of \d+|\[target/[\d.]+\])", "N", text, flags=re.MULTILINE)
    return list(dict.fromkeys(text.splitlines()))


def shape(value):
    """Return the keys and types of a document; of a list, those that its items have."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        shapes = [shape(each) for each in value]
        return [each for number, each in enumerate(shapes) if each not in shapes[:number]]
    return type(value).__name__


def found_in(report):
    (site,) = report["site"]
    keys = ("alertRef", "name", "riskcode", "confidence", "riskdesc", "cweid", "wascid")
    return {tuple(alert[key] for key in keys) for alert in site["alerts"]}


def insights_of(report):
    found = report["insights"]
    # how fast a target answers is not what is recorded
    return {e["key"]: e["statistic"] for e in found if e["key"] != "insight.response.slow"}


def test_the_image_has_the_official_contract(client):
    config = client.images.get(IMAGE).attrs["Config"]

    assert (config["User"], config["WorkingDir"]) == ("zap", "/zap")
    assert config["Entrypoint"] is None
    assert {"HOME=/home/zap/", "IS_CONTAINERIZED=true", "ZAP_PORT=8080"} <= set(config["Env"])


@pytest.mark.parametrize("case", MODES)
def test_same_exit_code_and_lines_as_the_real_one(run_against, case):
    answer = run_against(MODES[case])

    assert answer.code == exit_of(case)
    assert answer.err == ""
    if case not in {"loginwall", "vuln", "tls"}:  # examples of other pages than the recorded ones
        assert answer.out.splitlines()[1] == recorded(case, "stdout.txt").splitlines()[1]
    same = [line for line in grammar(answer.out) if not line.startswith("\t")]
    assert same == [
        line for line in grammar(recorded(case, "stdout.txt")) if not line.startswith("\t")
    ]


@pytest.mark.parametrize("case", MODES)
def test_same_alerts_and_insights_as_the_real_one(run_against, case):
    answer = run_against(MODES[case])

    real = json.loads(recorded(case, "report.json"))
    assert found_in(answer.report) == found_in(real)
    assert insights_of(answer.report) == insights_of(real)


@pytest.mark.parametrize("case", MODES)
def test_same_keys_and_types_as_the_real_one(run_against, case):
    real = json.loads(recorded(case, "report.json"))

    assert shape(run_against(MODES[case]).report) == shape(real)


def test_the_xml_report_says_the_same_as_the_json_report(run_against):
    answer = run_against("vuln")

    root = ET.fromstring(answer.files["report.xml"])
    (site,) = answer.report["site"]
    refs = [each.text for each in root.iter("alertRef")]
    assert refs == [alert["alertRef"] for alert in site["alerts"]]
    assert len(list(root.iter("insight"))) == len(answer.report["insights"])


@pytest.mark.parametrize("case", FAILURES)
def test_a_target_that_is_not_there_ends_as_with_the_real_one(against_clean, zap, case):
    answer = zap("zap-baseline.py", "-t", FAILURES[case], *OPTIONS)

    assert answer.code == exit_of(case) == 3
    words = recorded(case, "stdout.txt").replace("target", "quiet").splitlines()
    address = re.compile(r"/\d+(\.\d+){3}")
    assert [address.sub("/IP", line) for line in answer.out.splitlines()] == [
        address.sub("/IP", line) for line in words
    ]
    assert re.sub(r"URL \S+", "URL", STAMP.sub("", answer.err)) == (
        "Failed to access summary file /home/zap/zap_out.json\n"
    )
    assert set(answer.files) == {"zap.yaml"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--nope",), 3, "Invalid option nope : option --nope not recognized"),
        (("-t", "target:8080"), 3, "Target must start with 'http://' or 'https://'"),
        (("-t", "http://target", "-a", "-z", "-silent"), 3, "-a option with -silent"),
        (("-t", "http://target", "-m", "abc"), 1, "ValueError: invalid literal for int()"),
        (("-t", "http://target", "-c", "none.tsv"), 1, "FileNotFoundError"),
        (
            ("-t", "http://target", "-c", "bad.tsv"),
            3,
            "Failed to load config file /zap/wrk/bad.tsv",
        ),
        (("-t", "http://target", "-c", "variant.tsv"), 1, "ValueError: invalid literal for int()"),
    ],
)
def test_arguments_that_are_wrong_end_it_before_it_begins(zap, words, code, said):
    files = {"bad.tsv": b"10038\tIGNORE (csp)\n", "variant.tsv": b"10038-1\tIGNORE\tcsp\n"}

    answer = zap("zap-baseline.py", *words, files=files.items())

    assert answer.code == code
    assert said in answer.err
    assert "Using the Automation Framework" not in answer.out


@pytest.mark.parametrize(
    ("target", "urls"),
    [
        ("http://target:8080", ["http://target:8080"]),
        ("http://target:8080/", ["http://target:8080/"]),
        ("http://target:8080/shop/", ["http://target:8080/shop/", "http://target:8080/"]),
    ],
)
def test_the_script_begins_at_the_hosts_root_too_where_it_is_given_a_path(zap, target, urls):
    answer = zap("zap-baseline.py", "-t", target, "--plan-only")

    plan = yaml.safe_load(answer.files["zap.yaml"])
    assert plan["env"]["contexts"][0]["urls"] == urls


def test_a_file_without_the_folder_for_it_is_refused_as_recorded(zap):
    answer = zap("zap-baseline.py", "-t", "http://target", *OPTIONS, work=False)

    assert (answer.code, answer.out) == (3, recorded("nowrk-J", "stdout.txt"))
    assert STAMP.sub("", answer.err) == STAMP.sub("", recorded("nowrk-J", "stderr.txt"))


def test_the_rule_file_changes_levels_and_exit_code_and_not_the_report(client, network, zap):
    rules = b"10038\tIGNORE\t(csp)\n10021\tFAIL\t(nosniff)\tcustom msg\n10020\tINFO\t(frame)\n"
    rules += b"2\tOUTOFSCOPE\t.*\n*\tOUTOFSCOPE\t.*/err\n"

    with serving(client, network, "vuln"):
        answer = zap(
            *("zap-baseline.py", "-t", "http://target:8080", *OPTIONS, "-c", "c.tsv"),
            files={"c.tsv": rules}.items(),
        )

    lines = answer.out.splitlines()
    alerts = {each["alertRef"]: each for each in answer.report["site"][0]["alerts"]}
    assert answer.code == exit_of("conf-af") == 1
    assert lines[-1].split("\t") == [
        *("FAIL-NEW: 1", "FAIL-INPROG: 0", "WARN-NEW: 11", "WARN-INPROG: 0"),
        *("INFO: 1", "IGNORE: 1", "PASS: 42"),
    ]
    assert "FAIL-NEW: X-Content-Type-Options Header Missing [10021] x 5 custom msg" in lines
    assert "90022" not in alerts
    false = alerts["2"]
    assert (false["confidence"], false["count"], false["instances"]) == ("0", "0", [])
    assert {"10038-1", "10021", "10020-1"} <= set(alerts)


def test_which_instances_of_a_systemic_rule_are_listed_differs_unless_all_are(run_against):
    with_all = run_against("vuln", "-z", "-silent -config alert.systemicLimit=0").report
    few = run_against("vuln").report

    def kept(report):
        (site,) = report["site"]
        (alert,) = (each for each in site["alerts"] if each["alertRef"] == "10021")
        return alert["systemic"], {each["uri"] for each in alert["instances"]}

    assert (kept(few)[0], len(kept(few)[1])) == (True, 5)
    assert kept(with_all)[0] is False
    assert kept(few)[1] < kept(with_all)[1]


HOME = ("-z", "-silent -dir /zh/zap -Xmx512m")
SCRATCH = {"tmpfs": {"/zh": "mode=1777"}, "environment": {"HOME": "/zh"}}


@dataclass
class Hardened:
    """One way to run it, and what comes of that."""

    options: dict
    words: tuple = ()
    code: int = 0
    said: str = ""


@pytest.mark.parametrize(
    "way",
    [
        Hardened(
            READ_ONLY, (), 1, "OSError: [Errno 30] Read-only file system: '/home/zap/zap.yaml'"
        ),
        Hardened({"user": "2000:2000"}, (), 1, "PermissionError"),
        Hardened({"user": "0", "cap_drop": ["ALL"]}, (), 1, "PermissionError"),
        Hardened({**READ_ONLY, **SCRATCH}, (), 3, "Failed to access summary file /zh/zap_out.json"),
        Hardened({"user": "2000:2000", **SCRATCH}, (), 3, "Failed to access summary file"),
        Hardened({**READ_ONLY, **SCRATCH}, HOME),
        Hardened({"user": "2000:2000", **READ_ONLY, **SCRATCH}, HOME),
    ],
)
def test_it_runs_hardened_only_in_the_ways_that_were_measured(against_clean, way):
    answer = against_clean(*OPTIONS, *way.words, **way.options)

    assert answer.code == way.code, answer.err
    assert way.said in answer.err
    assert ("report.json" in answer.files) is (way.code == 0)
    if way.code == 3:
        assert answer.out == "Using the Automation Framework\n"


def test_too_little_memory_kills_java_and_not_the_script(zap):
    answer = zap(
        *("zap-baseline.py", "-t", "http://target:8080", *OPTIONS),
        mem_limit="128m",
        memswap_limit="128m",
    )

    assert (answer.code, answer.killed) == (exit_of("mem-128m"), True)
    assert answer.out == recorded("mem-128m", "stdout.txt")


def test_too_few_processes_leave_no_java(zap):
    answer = zap("zap-baseline.py", "-t", "http://target:8080", *OPTIONS, pids_limit=20)

    assert answer.code == 3
    assert "Exiting: ZAP requires a minimum of Java 17 to run, found " in answer.out


NO_FILE = "NoSuchFileException /zap/wrk"


@pytest.mark.parametrize(
    ("words", "mode", "failed"),
    [
        (("-J", "sub/report.json"), 0o777, f"{NO_FILE}/sub/report.json"),
        (("-J", "/tmp/report.json"), 0o777, f"{NO_FILE}/tmp/report.json"),
        (OPTIONS[:4], 0o755, "AccessDeniedException /zap/wrk/report.xml"),
    ],
)
def test_a_report_that_can_not_be_written_is_told_and_ends_with_0(
    against_clean, words, mode, failed
):
    answer = against_clean(*words, "-I", mode=mode)

    assert answer.code == 0
    end = f"Automation plan failures:\n\tJob report failed to generate report: {failed}\n"
    assert answer.out.endswith(end)
    assert set(answer.files) <= {"zap.yaml"}


def test_a_plan_that_warns_ends_with_2_and_says_so_in_the_report(client, network, zap):
    report = {"template": "traditional-json-plus", "reportDir": "/zap/wrk", "reportFile": "report"}
    plan = {
        "env": {"contexts": [{"name": "app", "urls": ["http://target:8080"]}]},
        "jobs": [
            {"type": "spider", "parameters": {"maxDuration": 1}},
            {"type": "report", "parameters": report},
        ],
    }

    with serving(client, network, "hard-404"):
        answer = zap(
            *("zap.sh", "-cmd", "-silent", "-autorun", "/zap/wrk/plan.yaml"),
            files={"plan.yaml": json.dumps(plan).encode()}.items(),
        )

    warning = (
        "Job spider error accessing URL http://target:8080 status code returned : 404 expected 200"
    )
    assert answer.code == exit_of("af-plan-404") == 2
    assert answer.out.endswith(f"Automation plan warnings:\n\t{warning}\n")
    assert (answer.report["afPlanWarns"], answer.report["afPlanErrors"]) == ([warning], [])


def test_a_plan_that_is_wrong_is_not_begun(zap):
    answer = zap(
        *("zap.sh", "-cmd", "-autorun", "/zap/wrk/plan.yaml"),
        files={"plan.yaml": b"jobs:\n  - type: nope\n"}.items(),
    )

    assert answer.code == 1
    assert answer.out.endswith(
        "Automation plan failures:\n\tMissing environment.\n\tUnrecognised job type: nope\n"
    )


def test_an_attack_finds_what_is_reflected_and_an_api_is_known_by_its_definition(
    client, network, zap
):
    def plan(*kinds):
        jobs = [{"type": kind, "parameters": dict(more)} for kind, more in kinds]
        report = {"template": "traditional-json", "reportDir": "/zap/wrk", "reportFile": "report"}
        context = {"name": "app", "urls": ["http://target:8080"]}
        jobs.append({"type": "report", "parameters": report})
        made = json.dumps({"env": {"contexts": [context]}, "jobs": jobs}).encode()
        return {"plan.yaml": made}.items()

    words = ("zap.sh", "-cmd", "-silent", "-autorun", "/zap/wrk/plan.yaml")
    with serving(client, network, "vuln"):
        full = zap(*words, files=plan(("spider", {}), ("activeScan", {})))
    api = {"apiUrl": "http://target:8080/openapi.json", "targetUrl": "http://target:8080"}
    with serving(client, network, "api") as target:
        zap(*words, files=plan(("openapi", api)))
        asked = target.logs().decode()

    (found,) = (a for a in full.report["site"][0]["alerts"] if a["alertRef"] == "40012")
    assert (found["riskcode"], found["instances"][0]["param"]) == ("3", "name")
    assert "POST target '/items'" in asked
    assert "GET target '/items/1'" in asked


def test_a_recorded_case_is_played_back_for_another_target(zap):
    answer = zap(*("zap-baseline.py", "-t", "http://app:81/", *OPTIONS), image=zap_image("hard404"))

    (site,) = answer.report["site"]
    assert answer.code == exit_of("hard404")
    assert (site["@name"], site["@host"], site["@port"]) == ("http://app:81", "app", "81")
    assert answer.out.endswith("URL http://app:81/ status code returned : 404 expected 200\n")
    assert "target" not in answer.out + answer.files["report.xml"].decode()


def test_the_sign_in_header_is_sent_and_stands_nowhere(client, network, zap):
    token = "Bearer " + "made-up" * 3

    with serving(client, network, "sign-in", TOKEN=token):
        answer = zap(
            *("zap-baseline.py", "-t", "http://target:8080", *OPTIONS),
            environment={"ZAP_AUTH_HEADER_VALUE": token, "ZAP_AUTH_HEADER_SITE": "target"},
        )

    assert insights_of(answer.report)["insight.code.2xx"] == "69"
    assert "made-up" not in answer.out + answer.err + b"".join(answer.files.values()).decode()


def test_two_sites_one_of_whose_names_begins_with_the_other_share_alerts(client, network, zap):
    plan = {
        "env": {"contexts": [{"name": "a", "urls": ["http://target", "http://target:8081"]}]},
        "jobs": [
            {"type": "spider", "parameters": {}},
            {
                "type": "report",
                "parameters": {
                    "template": "traditional-json",
                    "reportDir": "/zap/wrk",
                    "reportFile": "report.json",
                },
            },
        ],
    }

    with serving(client, network, "http-404", PORT="80"):
        answer = zap(
            *("zap.sh", "-cmd", "-autorun", "/zap/wrk/plan.yaml"),
            files={"plan.yaml": json.dumps(plan).encode()}.items(),
        )

    sites = {site["@name"]: site["alerts"] for site in answer.report["site"]}
    other = [a for a in sites["http://target"] if a["alertRef"] == "10036-2"]
    assert list(sites) == ["http://target:8081", "http://target"]
    assert other
    assert {each["uri"] for each in other[0]["instances"]} <= {
        f"http://target:8081{path}" for path in ("", "/", "/robots.txt", "/sitemap.xml")
    }


def test_a_stop_ends_it_at_once_with_an_init_process_and_leaves_no_words(client, network):
    with serving(client, network, "silent"):
        container = client.containers.run(
            IMAGE,
            ["zap-baseline.py", "-t", "http://target:8080", "-I"],
            detach=True,
            init=True,
            network=network.name,
        )
        try:
            time.sleep(1)
            container.stop(timeout=20)
            code = container.wait()["StatusCode"]

            assert (code, container.logs()) == (143, b"")
        finally:
            container.remove(force=True, v=True)


def test_an_unknown_case_makes_no_image_that_looks_clean(zap):
    answer = zap("zap-baseline.py", "-t", "http://app", *OPTIONS, image=zap_image("nonesuch"))

    assert answer.code == 1
    assert "ValueError: ZAP_STANDIN_FAULT=nonesuch" in answer.err
