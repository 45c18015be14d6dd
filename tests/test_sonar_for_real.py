"""SonarScanner and SonarQube as they are: one warm server, a project for each case."""

import json
import re
import subprocess
import threading
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from sonar_kit import CODE, Project, Tree

from scanrun.api import ScanError, read_json
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.collect import Job, collect
from scanrun_plugins.scanners.sonar.folder import Names, Summary
from scanrun_plugins.scanners.sonar.gate import conditions, read_gate
from scanrun_plugins.scanners.sonar.task import read_report_task

pytestmark = [pytest.mark.docker, pytest.mark.lab]

SKIPPED = {"sonar.scanner.skip": "true", "sonar.host.url": "http://elsewhere.invalid"}
AT_WHICH_IT_LOOKS_AWAY = """\
import hashlib
hashlib.md5(b"1")  # noqa
hashlib.md5(b"2")  # noqa:S4790
hashlib.md5(b"3")  # NoSec
"""
IN_SCRIPTS = """\
import crypto from "node:crypto";
crypto.createHash("md5"); // NoSonar
crypto.createHash("md5"); // eslint-disable-line
/* eslint sonarjs/hashing: "off" */
/* eslint-disable */
crypto.createHash("md5");
"""
OWN_FILE = "sonar.scanner.skip=true\nsonar.exclusions=**\nsonar.projectKey=another\n"


class Watch(threading.Thread):
    """Looks for a secret in all containers and all processes there are, as long as a scan runs."""

    def __init__(self, secret, process):
        super().__init__(daemon=True)
        self.secret, self.process = secret.encode(), process
        self.leaks, self.containers, self.processes = set(), set(), set()

    def run(self):
        with closing(docker.from_env()) as client:
            while self.process.poll() is None:
                self._containers(client.api)
                self._processes()

    def _containers(self, api):
        with suppress(docker.errors.DockerException):
            for each in api.containers(all=True, filters={"label": "scanrun.run"}):
                told = json.dumps(api.inspect_container(each["Id"])).encode()
                self._look(f"inspect of {each['Names']}", told)
                self.containers |= {name.partition("-")[2] for name in each["Names"]}

    def _processes(self):
        for folder in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    found = (folder / name).read_bytes()
                    self._look(f"{name} of {found[:200]}", found)
                    if b"sonar-scanner" in found:
                        self.processes.add(folder.name)

    def _look(self, where, content):
        if self.secret in content:
            self.leaks.add(where)


@pytest.fixture(scope="module")
def project(warm_sonar):
    return Project(warm_sonar).strict()


@pytest.fixture(scope="module")
def given(project, tmp_path_factory):
    """Return the tree and the token of the first scan, and what follows on it."""
    files = {
        "app.py": CODE,
        "sonar-project.properties": OWN_FILE,
        "pkg/b.py": AT_WHICH_IT_LOOKS_AWAY,
        "pkg/c.js": IN_SCRIPTS,
    }
    tree = Tree(tmp_path_factory.mktemp("sonar"), files)
    return tree, project.token()


@pytest.fixture(scope="module")
def scanned(given, project, warm_sonar):
    tree, token = given
    options = {"host_url": warm_sonar.inside, "project_key": project.key}
    tree.config(options, token=token, properties=SKIPPED)
    process = tree.start("--json", names="sonar,bandit,good")
    watch = Watch(token, process)
    watch.start()
    done = tree.finish(process)
    watch.join()
    return done, watch


FOUND = [
    *(("javascript:S4790", "pkg/c.js", line) for line in (2, 3, 6)),
    *(("python:S4790", "app.py", line) for line in (5, 9)),
    *(("python:S4790", "pkg/b.py", line) for line in (2, 3, 4)),
]


def places(results):
    """Return where something is that touches security."""
    return sorted(
        (
            each["ruleId"],
            each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            each["locations"][0]["physicalLocation"]["region"]["startLine"],
        )
        for each in results
        if each["kind"] == "fail"
    )


def test_all_that_the_server_has_found_is_in_the_log(scanned, project, warm_sonar):
    done, _ = scanned

    assert done.code == 1, done.shown
    assert done.of()["status"] == "completed", done.shown
    assert places(done.results) == FOUND
    told = project.told("issues/search", components=project.key)
    assert {each["fingerprints"]["sonarIssue/v1"] for each in done.results} == {
        each["key"] for each in told["issues"]
    }
    assert all(each["hostedViewerUri"].startswith(warm_sonar.inside) for each in done.results)


def test_former_hotspots_are_findings_though_the_list_of_hotspots_is_empty(scanned, project):
    done, _ = scanned

    assert project.told("hotspots/search", project=project.key)["hotspots"] == []
    former = [each for each in done.results if each["properties"].get("formerHotspot")]
    assert places(former) == FOUND


def test_comments_at_which_sonarqube_looks_away_hide_nothing_and_are_told(scanned):
    done, _ = scanned

    aside = {
        place[1:]: each["suppressions"][0]["justification"]
        for each in done.results
        for place in places([each])
        if [one["kind"] for one in each.get("suppressions", ())] == ["inSource"]
    }
    assert aside.keys() == {
        ("app.py", 9),
        ("pkg/b.py", 2),
        ("pkg/b.py", 4),
        ("pkg/c.js", 2),
        ("pkg/c.js", 3),
    }
    assert aside["app.py", 9] == "it is only a demo"
    assert done.of()["counts"]["high"] == len(FOUND)
    assert any("carry an ignore comment" in each for each in done.verdict["told"])


def test_canaries_of_other_scanners_are_neither_uploaded_nor_found(scanned, project):
    done, _ = scanned

    assert done.of("bandit")["status"] == "completed"
    assert ".scanrun-canary" not in (done.output / "results.sarif").read_text()
    tree = project.told("components/tree", component=project.key, qualifiers="FIL")
    assert {each["path"] for each in tree["components"]} == {"app.py", "pkg/b.py", "pkg/c.js"}


def test_neither_the_tree_nor_a_property_switches_the_analysis_off(scanned):
    done, _ = scanned

    assert places(done.results) == FOUND
    assert any("sonar-project.properties" in each for each in done.verdict["told"])


def test_token_is_in_nothing_that_anybody_sees(scanned, given):
    done, watch = scanned
    tree, token = given

    below = [path for path in tree.folder.rglob("*") if path.is_file() and path.name != "token"]
    assert [str(path) for path in below if token.encode() in path.read_bytes()] == []
    assert token not in done.shown
    assert watch.leaks == set()
    assert watch.processes
    assert any(name.startswith("sonar") for name in watch.containers)


def test_gate_of_the_server_fails_the_run_with_its_conditions(scanned):
    done, _ = scanned

    assert re.search(GATE, done.shown)
    found = read_gate(done.answers / "gate.json")
    passed = {policy: [each.passed for each in conditions(found, policy)] for policy in WAYS}
    assert passed == WAYS


GATE = r"the server's quality gate: ERROR \(violations \d+ is greater than 0\)"
WAYS = {"required": [False], "warn": [True], "ignore": []}


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def assert_refused(done, *words):
    """Assert that the scan is incomplete for this reason, and that it costs the other nothing."""
    assert done.code == 3, done.shown
    assert done.of()["status"] == "failed"
    for word in words:
        assert word in done.shown
    assert done.of("good")["status"] == "completed"
    assert "Traceback" not in done.shown


@pytest.mark.parametrize("kind", ["GLOBAL_ANALYSIS_TOKEN", "PROJECT_ANALYSIS_TOKEN"])
def test_token_that_only_uploads_is_refused_early_and_the_right_one_is_named(
    tree, warm_sonar, project, kind
):
    more = {"projectKey": project.key} if kind.startswith("PROJECT") else {}
    options = {"host_url": warm_sonar.inside, "project_key": project.key}
    tree.config(options, token=warm_sonar.token(kind, **more))

    done = tree.scan()

    assert_refused(done, kind.replace("_", " ").lower(), "User Token", "browse the project")
    assert "scan" not in phases(done)


def phases(done):
    return [each["name"] for each in done.of()["phases"]]


@pytest.mark.parametrize("token", ["squ_" + "0" * 40, "revoked"])
def test_token_that_the_server_does_not_know_is_refused(tree, warm_sonar, project, token):
    if token == "revoked":
        token = project.token(name="revoked")
        project.ask("user_tokens/revoke", name="revoked")
    tree.config({"host_url": warm_sonar.inside, "project_key": project.key}, token=token)

    done = tree.scan()

    assert_refused(done, "the server does not know the token", "make a new USER token")


def test_private_project_that_may_not_be_browsed_is_refused_not_clean(tree, warm_sonar):
    private = Project(warm_sonar, visibility="private").closed("user")
    token = private.somebody("scan")
    tree.config({"host_url": warm_sonar.inside, "project_key": private.key}, token=token)

    done = tree.scan()

    assert_refused(done, "may not browse the project", "User Token")
    assert "scan" not in phases(done)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", ("no way to the server", "refused")),
        ("http://sonar.invalid:9000", ("no way to the server", "check its address")),
    ],
)
def test_server_that_is_not_there_is_refused(tree, url, words):
    tree.config({"host_url": url, "project_key": "p"}, token="squ_" + "0" * 40)

    assert_refused(tree.scan(), *words)


def test_server_on_localhost_is_told_to_be_out_of_the_containers_reach(tree, warm_sonar, project):
    tree.config({"host_url": warm_sonar.url, "project_key": project.key}, token=project.token())

    done = tree.scan()

    assert_refused(done, "is the container itself", "set host_url")


def test_key_that_sonarqube_does_not_take_is_refused_before_anything_runs(tree, warm_sonar):
    tree.config({"host_url": warm_sonar.inside, "project_key": "12345"}, token="x")

    done = tree.scan()

    assert done.code == 2
    assert "project_key" in done.shown


@pytest.fixture
def nobody_scans(project):
    """Take the right to analyse whatever there is from all who are not administrators."""
    right = {"groupName": "sonar-users", "permission": "scan"}
    project.ask("permissions/remove_group", **right)
    yield
    project.ask("permissions/add_group", **right)


@pytest.mark.usefixtures("nobody_scans")
def test_project_that_the_tokens_owner_may_not_analyse_is_told(tree, warm_sonar):
    private = Project(warm_sonar, visibility="private")
    token = private.somebody("user")
    tree.config({"host_url": warm_sonar.inside, "project_key": private.key}, token=token)

    assert_refused(tree.scan(), "may not analyse this project", "User Token")


def test_branch_on_a_community_server_is_refused(tree, warm_sonar, project):
    options = {"host_url": warm_sonar.inside, "project_key": project.key, "branch": "next"}
    tree.config(options, token=project.token())

    assert_refused(tree.scan(), "no branches and no pull requests", "leave branch")


@pytest.fixture(scope="module")
def unread(scanned, project, warm_sonar, tmp_path_factory):
    """Scan the same project again, with files that the analysers can't, may not or don't read."""
    files = {
        "broken.py": "def f(:\n    pass\n",
        "gen/made.py": CODE,
        "Quiet.java": '@SuppressWarnings("all")\nclass Quiet {}\n',
    }
    tree = Tree(tmp_path_factory.mktemp("unread"), files)
    options = {"host_url": warm_sonar.inside, "project_key": project.key}
    options["quality_gate"] = "ignore"
    tree.config(options, token=project.token(), properties={"sonar.exclusions": "gen/**"})
    return tree.scan("--fail-on", "never")


def test_file_that_the_analyser_can_not_read_makes_the_scan_incomplete(unread):
    assert_refused(unread, "not analysed: Unable to parse file: broken.py")


def test_files_that_a_property_excludes_are_told(unread):
    assert "kept out by your properties: sonar.exclusions = gen/**" in unread.shown


def test_annotations_that_hide_findings_are_told(unread):
    assert "@SuppressWarnings may hide findings from SonarQube in 'Quiet.java'" in unread.shown


def test_analysis_that_another_has_overtaken_is_not_believed(scanned, unread, project, tmp_path):
    done, _ = scanned
    (report,) = (done.output / "raw" / "sonar").rglob("report-task.txt")
    client = Client(project.server.url, project.token())
    job = Job(upload=read_report_task(report.read_bytes()), indexed=2)

    collect(client, job, tmp_path)

    (problem,) = read_json(tmp_path / Names.SUMMARY, Summary).problems
    assert "another analysis of the same project has come between" in problem


def test_project_that_is_not_there_is_no_project_without_issues(scanned, project, tmp_path):
    done, _ = scanned
    (report,) = (done.output / "raw" / "sonar").rglob("report-task.txt")
    upload = replace(read_report_task(report.read_bytes()), project="not-there")

    with pytest.raises(ScanError, match=f"the task is one of the project '{project.key}'"):
        collect(Client(project.server.url, project.token()), Job(upload=upload), tmp_path)

    assert project.told("issues/search", components="not-there")["total"] == 0


@pytest.fixture(scope="module")
def nothing(unread, project, warm_sonar, tmp_path_factory):
    """Scan the same project again, with nothing in it that SonarQube knows."""
    tree = Tree(tmp_path_factory.mktemp("nothing"), {"notes.dat": "no code\n"})
    tree.config({"host_url": warm_sonar.inside, "project_key": project.key}, token=project.token())
    return tree.scan("--fail-on", "never")


def test_analysis_of_nothing_is_incomplete_though_all_of_it_succeeded(nothing):
    assert_refused(nothing, "no file with code in it")
    assert "EXECUTION SUCCESS" in (nothing.output / "logs" / "sonar.log").read_text()
    told = json.loads((nothing.answers / "gate.json").read_text())
    assert told["projectStatus"]["status"] == "OK"


def test_report_that_the_server_could_not_take_in_is_incomplete(nothing, project, warm_sonar, tree):
    past = {"sonar.projectDate": "2019-01-01"}
    options = {"host_url": warm_sonar.inside, "project_key": project.key}
    tree.config(options, token=project.token(), properties=past)

    done = tree.scan()

    assert_refused(done, "the server could not analyse the report", "Date of analysis")
    assert "EXECUTION SUCCESS" in (done.output / "logs" / "sonar.log").read_text()


MANY = 30_000
PER_FILE = 1000


def many_files():
    """Return a tree with findings of another tool's, a line each; SonarQube takes them in."""
    rules = [
        {
            "id": f"r{number}",
            "name": f"Rule {number}",
            "engineId": "many",
            "cleanCodeAttribute": "LOGICAL",
            "impacts": [{"softwareQuality": "SECURITY", "severity": "HIGH"}],
        }
        for number in range(10)
    ]
    issues = [
        {
            "ruleId": f"r{number % 10}",
            "primaryLocation": {
                "message": f"number {number}",
                "filePath": f"data/{number // PER_FILE}.json",
                "textRange": {"startLine": number % PER_FILE + 1},
            },
        }
        for number in range(MANY)
    ]
    lines = "[\n" + "0,\n" * (PER_FILE - 2) + "0]\n"
    files = {f"data/{number}.json": lines for number in range(MANY // PER_FILE)}
    return {**files, "issues.external": json.dumps({"rules": rules, "issues": issues})}


class Memory(threading.Thread):
    """Remembers the most memory that a process has had."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.most_mb = process, 0

    def run(self):
        path = Path(f"/proc/{self.process.pid}/status")
        while self.process.poll() is None:
            with suppress(OSError, StopIteration):
                lines = path.read_text().splitlines()
                told = next(line for line in lines if line.startswith("VmHWM"))
                self.most_mb = max(self.most_mb, int(told.split()[1]) >> 10)
            self.process_wait()

    def process_wait(self):
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)


def test_30_000_issues_are_read_though_a_search_gives_10_000(tmp_path, warm_sonar):
    project = Project(warm_sonar)
    tree = Tree(tmp_path, many_files())
    tree.config(
        {"host_url": warm_sonar.inside, "project_key": project.key},
        token=project.token(),
        properties={"sonar.externalIssuesReportPaths": "/usr/src/issues.external"},
    )
    process = tree.start("--verbose")
    memory = Memory(process)
    memory.start()

    done = tree.finish(process)

    memory.join()
    assert done.of()["status"] == "completed", done.shown
    assert done.of()["counts"] == {"high": MANY}
    assert len({each["fingerprints"]["sonarIssue/v1"] for each in done.results}) == MANY
    details = " ".join(each["detail"] for each in done.verdict["conditions"])
    assert "passed without a condition (a first analysis?)" in details
    assert 0 < memory.most_mb < 200
