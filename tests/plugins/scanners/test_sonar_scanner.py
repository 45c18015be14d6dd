"""How SonarQube is started, asked and paid attention to: all but what it answers."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sonar_server import TOKEN, FakeSonar, error, serving

from scanrun.api import Outputs, ScanError, Snapshot, SnapshotFile, Step, Target, Task
from scanrun.config import load_settings
from scanrun.errors import ConfigError
from scanrun.model import Address
from scanrun.stages.desk import TaskDesk
from scanrun.testing import conformance
from scanrun_plugins.scanners.sonar import login
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.failures import meaning
from scanrun_plugins.scanners.sonar.options import Options, project_key
from scanrun_plugins.scanners.sonar.properties import java_properties, read_java_properties
from scanrun_plugins.scanners.sonar.refusals import UnauthorisedError
from scanrun_plugins.scanners.sonar.scanner import Sonar
from scanrun_plugins.scanners.sonar.server import is_up, own_server

OWN = {"server": "ephemeral", "project_key": "demo"}
THEIRS = {"host_url": "https://sonar.example.org", "project_key": "demo"}


def target(options=None, *files, root=Path("/nowhere/shop"), **more):
    snapshot = Snapshot(root=root, files=tuple(SnapshotFile(path, 1) for path in files), **more)
    return Target(snapshot=snapshot, options=Options(**(options or {})).model_dump())


def analysis(options, *files, **more):
    (step,) = (
        each for each in Sonar().steps(target(options, *files, **more)) if isinstance(each, Step)
    )
    return step


def settings_of(step):
    (make,) = step.sealed.values()
    lines = make({"sonar token of the run": TOKEN}).decode("ascii").splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("options", [OWN, THEIRS, {**OWN, "server": "keep"}])
def test_scanner_conforms(options):
    conformance(Sonar(), options=options)


def test_without_a_server_it_does_not_apply():
    applies = Sonar().applies(target({}, "a.py"))

    assert (applies.yes, applies.configured) == (False, False)
    assert "--sonar ephemeral" in applies.reason


def test_external_server_without_an_address_is_an_error():
    with pytest.raises(ScanError, match="no address") as caught:
        analysis({"server": "external"})

    assert "host_url" in caught.value.hint


def test_token_stands_in_the_sealed_file_and_nowhere_else():
    step = analysis(THEIRS)

    assert settings_of(step)["sonar.token"] == TOKEN
    assert TOKEN not in repr(replace(step, sealed={}))


def test_own_server_is_reached_by_its_name_without_a_network():
    step = analysis(OWN)

    assert (step.network, step.services) == (False, ("sonarqube",))
    assert settings_of(step)["sonar.host.url"] == "http://sonarqube:9000"


def test_server_of_others_needs_a_network_and_a_secret():
    (need,) = Sonar().secrets(target(THEIRS))

    assert (need.name, need.optional) == ("SONAR_TOKEN", False)
    assert analysis(THEIRS).network
    assert Sonar().services(target(THEIRS)) == ()


@pytest.mark.parametrize(
    "line",
    [
        'host_url = "https://elsewhere.example.org"',
        'token = "SOME_OTHER_VARIABLE"',
        'properties = { "sonar.scanner.proxyHost" = "elsewhere.example.org" }',
        'server_image = "elsewhere/sonarqube:1"',
        'project_settings = "allow"',
    ],
)
def test_tree_can_not_choose_its_judge_or_send_a_secret_elsewhere(tmp_path, line):
    (tmp_path / "scanrun.toml").write_text(f"[sonar]\n{line}\n")
    known = {"config": None, "flags": {}, "environment": {}, "scanners": {"sonar": Sonar()}}

    with pytest.raises(ConfigError, match=r"scanner\.sonar"):
        load_settings(tmp_path, trusted=False, **known)

    assert load_settings(tmp_path, trusted=True, **known).from_tree


def test_kept_server_is_kept_and_the_other_is_not():
    assert own_server(Options(server="keep")).keep == "sonarqube"
    assert own_server(Options(server="ephemeral")).keep == ""


def test_settings_of_the_tree_are_not_heeded_unless_that_is_allowed(tmp_path):
    (tmp_path / "sonar-project.properties").write_text("sonar.host.url=http://evil\nmine=1")
    files = ["sonar-project.properties"]

    ignored = settings_of(analysis(THEIRS, *files, root=tmp_path))
    heeded = settings_of(analysis({**THEIRS, "project_settings": "allow"}, *files, root=tmp_path))

    assert "mine" not in ignored
    assert heeded["mine"] == "1"
    assert heeded["sonar.host.url"] == THEIRS["host_url"]


def heeded(tmp_path, content, **more):
    (tmp_path / "sonar-project.properties").write_bytes(content)
    options = {**THEIRS, "project_settings": "allow", **more}
    return settings_of(analysis(options, "sonar-project.properties", root=tmp_path))


@pytest.mark.parametrize(
    "line",
    [
        b"sonar.scanner.javaExePath=/usr/bin/bash",
        b"sonar.scanner.javaOpts = -javaagent:/usr/src/a.jar",
        b"son\\\n  ar.scanner.javaExePath:/usr/bin/bash",
        b"\\u0073onar.scanner.javaExePath /usr/bin/bash",
        b"\x01sonar.scanner.engineJarPath=/usr/src/a.jar",
        b"sonar.nodejs.executable=/usr/src/node",
        b"module.sonar.nodejs.executable=/usr/src/node",
        b"sonar.scanner.proxyHost=elsewhere.example.org",
        b"sonar.scanner.truststorePath=/usr/src/all.p12",
        b"sonar.host.url=https://elsewhere.example.org",
        b"sonar.region=us",
        b"https.proxyHost=elsewhere.example.org",
        b"sonar.login=me",
        b"sonar.log.level=ERROR",
    ],
)
def test_heeded_settings_of_the_tree_start_nothing_and_send_no_token_elsewhere(tmp_path, line):
    with_it = heeded(tmp_path, b"mine=1\n" + line)

    assert with_it == heeded(tmp_path, b"mine=1")


def test_heeded_settings_are_read_as_java_reads_them(tmp_path):
    content = "# a=1\r\n! b=2\n\n  c : d = e\nf\\ g=h\\\n   i\nj\nk=ü\\u00fc\\t\\q\nc=x\ny=z\\"

    found = read_java_properties(content.encode())

    assert found == {"c": "x", "f g": "hi", "j": "", "k": "üü\tq", "y": "z"}


def test_heeded_settings_that_can_not_be_read_are_an_error(tmp_path):
    with pytest.raises(ScanError, match="can't read"):
        heeded(tmp_path, b"a=\\u12")


def test_heeded_settings_that_are_too_large_are_an_error(tmp_path):
    with pytest.raises(ScanError, match="larger"):
        heeded(tmp_path, b"#" * (1 << 20) + b"\na=b")


def test_what_the_tree_excludes_stays_excluded_where_it_is_heeded(tmp_path):
    own = heeded(tmp_path, b"sonar.exclusions=gen/**")
    configured = heeded(
        tmp_path, b"sonar.exclusions=gen/**", properties={"sonar.exclusions": "x/**"}
    )

    assert own["sonar.exclusions"].startswith("gen/**,**/.scanrun-canary/**")
    assert configured["sonar.exclusions"].startswith("x/**,**/.scanrun-canary/**")


def test_configured_properties_go_before_nothing_that_a_scan_rests_on():
    more = {"sonar.scanner.skip": "true", "sonar.exclusions": "gen/**", "sonar.java.binaries": "b"}

    settings = settings_of(analysis({**OWN, "properties": more}))

    assert settings["sonar.scanner.skip"] == "false"
    assert settings["sonar.exclusions"].startswith("gen/**,**/.scanrun-canary/**")
    assert settings["sonar.java.binaries"] == "b"


def test_private_certificate_authority_is_made_into_what_java_reads(tmp_path):
    ca = tmp_path / "ca.pem"

    step = analysis({**THEIRS, "ca": str(ca)})

    assert step.host_files == {"/scanrun-ca/ca.pem": ca}
    assert step.entrypoint[:2] == ("/bin/sh", "-c")
    assert "keytool -importcert" in step.entrypoint[2]
    settings = settings_of(step)
    assert settings["sonar.scanner.truststorePath"] in step.entrypoint[2]


def test_proxy_is_the_scanner_s_too():
    settings = settings_of(analysis({**THEIRS, "proxy": "http://proxy.example.org:3128"}))

    assert settings["sonar.scanner.proxyHost"] == "proxy.example.org"
    assert settings["sonar.scanner.proxyPort"] == "3128"


@pytest.mark.parametrize(
    ("repository", "name", "key"),
    [
        ("https://git.example.org/team/shop.git", "x", "shop"),
        ("", "my shop!", "my-shop"),
        ("", "2026", "project-2026"),
        ("", "äöü", "project-unnamed"),
    ],
)
def test_key_of_a_project_is_made_of_its_name(repository, name, key):
    assert project_key(Options(), Snapshot(root=Path("/x") / name, repository=repository)) == key


def test_java_properties_are_escaped():
    made = java_properties({"a b": " c=d\\e\nf", "ü": "😀"})

    assert made == b"a\\ b=\\ c=d\\\\e\\u000af\n\\u00fc=\\ud83d\\ude00\n"


@pytest.mark.parametrize(
    ("line", "url", "told", "hint"),
    [
        ("GET http://s/api/v2 failed with HTTP 401 Unauthorized.", "http://s", "token", "new one"),
        ("Call to URL [http://s/api/v2/x] failed: null", "http://s", "does not reach", "host_url"),
        (
            "Call to URL [http://localhost] failed: null",
            "http://localhost:9000",
            "itself",
            "listen",
        ),
        ('  o "12345" is not a valid project key. Allowed', "http://s", "key", "project_key"),
        (
            "  o To use the property, Developer Edition or above is required",
            "http://s",
            "edition",
            "",
        ),
        ("You're not authorized to analyze this project or", "http://s", "may not analyse", "USER"),
        ("Call to URL [https://s/api/v2/x] failed: null", "https://s", "does not reach", "`proxy`"),
        ("java.lang.OutOfMemoryError: Java heap space", "http://s", "memory", "memory"),
        ("PKIX path building failed", "https://s", "certificate", "ca"),
    ],
)
def test_failures_say_what_to_set(tmp_path, line, url, told, hint):
    log = tmp_path / "log"
    log.write_text(f"10:00:00 ERROR Failed to query server version: {line}\nEXECUTION FAILURE\n")

    found = meaning(1, log, url)

    assert told in str(found)
    assert hint in found.hint


def test_failure_without_an_error_line_was_a_kill_for_memory(tmp_path):
    (tmp_path / "log").write_text("10:00:00 INFO  EXECUTION FAILURE\n")

    assert "memory" in str(meaning(3, tmp_path / "log", "http://s"))


def test_unknown_words_are_left_to_speak_for_themselves(tmp_path):
    (tmp_path / "log").write_text("10:00:00 ERROR something new\nEXECUTION FAILURE\n")

    assert meaning(3, tmp_path / "log", "http://s") is None


@pytest.fixture
def fake():
    return FakeSonar()


@pytest.fixture
def url(fake):
    with serving(fake) as address:
        yield address


def address_of(url):
    host, _, port = url.removeprefix("http://").partition(":")
    return Address(host, int(port))


def status(word):
    return 200, {"id": "4F1B", "version": "26.9.0", "status": word}


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (status("UP"), True),
        (status("STARTING"), False),
        ((404, error("Unknown url")), False),
        ((503, b""), False),
    ],
)
def test_server_is_ready_when_it_says_up(fake, url, answer, ready):
    fake.answers["/api/system/status"] = answer

    assert is_up(address_of(url)) is ready


def test_server_that_needs_a_migration_never_will_be_ready(fake, url):
    fake.answers["/api/system/status"] = status("DB_MIGRATION_NEEDED")

    with pytest.raises(ScanError, match="DB_MIGRATION_NEEDED"):
        is_up(address_of(url))


def test_nobody_who_listens_is_not_ready_yet():
    assert is_up(Address("127.0.0.1", 1)) is False


@pytest.fixture
def guarded(fake):
    """Let the server know one password."""
    state = {"password": "admin", "changed": []}

    def change(query):
        if query.get("previousPassword") != state["password"]:
            return 401, b""
        state["password"] = query["password"]
        state["changed"].append(query["password"])
        return 204, b""

    fake.answers["/api/system/status"] = status("UP")
    fake.answers["/api/users/change_password"] = change
    fake.answers["/api/authentication/validate"] = lambda _: (
        200,
        {"valid": fake.headers[-1].get("Authorization") == login_of(state["password"])},
    )
    return state


def login_of(password):
    return Client.with_password("http://x", "admin", password)._headers["Authorization"]


def test_password_of_a_server_is_changed_at_its_first_use(guarded, url):
    login.of_this_run(url)

    (changed,) = guarded["changed"]
    assert len(changed) >= 12
    assert changed != "admin"


def test_password_of_a_kept_server_is_kept_for_its_owner_only(guarded, url, tmp_path):
    login.of_this_user(url, tmp_path / "servers")
    login.of_this_user(url, tmp_path / "servers")

    (path,) = (tmp_path / "servers").glob("*.json")
    assert json.loads(path.read_text())["password"] == guarded["password"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(guarded["changed"]) == 1


def test_kept_server_of_somebody_else_is_not_touched(guarded, url, tmp_path):
    guarded["password"] = "somebody" + "-else's"

    with pytest.raises(ScanError, match="not known here") as caught:
        login.of_this_user(url, tmp_path / "servers")

    assert "cache clear" in caught.value.hint
    assert list((tmp_path / "servers").glob("*.json")) == []


def test_project_that_is_there_is_no_error(fake, url):
    made = []
    fake.answers["/api/projects/create"] = (400, error("a similar key already exists: demo"))
    fake.answers["/api/qualitygates/create"] = (400, error("Name has already been taken"))
    fake.answers["/api/qualitygates/create_condition"] = lambda q: made.append(q) or (200, {})
    fake.answers["/api/qualitygates/select"] = (204, b"")

    login.make_project(Client(url, TOKEN), "demo")

    assert made == []


def test_other_refusals_of_a_project_are_errors(fake, url):
    fake.answers["/api/projects/create"] = (400, error("Malformed key"))

    with pytest.raises(ScanError, match="Malformed key"):
        login.make_project(Client(url, TOKEN), "demo")


def desk(tmp_path, name, **more):
    (task,) = (
        each
        for each in Sonar().steps(target(more.pop("options")))
        if isinstance(each, Task) and each.name == name
    )
    (tmp_path / "log").write_text("10:00:00.000 INFO  3 files indexed\n")
    given = {
        "task": task,
        "folder": tmp_path / name,
        "outputs": {},
        "exit_code": 0,
        "cancel": threading.Event(),
        "log": tmp_path / "log",
        "running": {},
        "secrets": {"SONAR_TOKEN": TOKEN},
        "learn": lambda _: None,
        "tell": lambda _: None,
    }
    return task, TaskDesk(**{**given, **more})


def test_token_of_a_server_is_tried_before_anything_is_uploaded(fake, url, tmp_path):
    fake.answers["/api/authentication/validate"] = (200, {"valid": False})
    task, at = desk(tmp_path, "login", options={"host_url": url, "project_key": "demo"})

    with pytest.raises(UnauthorisedError):
        task.run(at)


def test_what_the_server_says_is_read_and_converted(fake, url, tmp_path):
    options = {"host_url": url, "project_key": "demo"}
    (tmp_path / "report-task.txt").write_text(
        "projectKey=demo\nceTaskId=" + fake.tasks[0]["task"]["id"] + "\n"
    )
    _, at = desk(
        tmp_path,
        "login",
        options=options,
    )
    secrets = {"SONAR_TOKEN": TOKEN, "sonar token of the run": TOKEN}
    task, at = desk(
        tmp_path,
        "read",
        options=options,
        secrets=secrets,
        outputs={"/out/report-task.txt": tmp_path / "report-task.txt"},
    )

    task.run(at)

    outputs = Outputs(at.left(), options=target(options).options)
    (condition,) = Sonar().conditions(outputs)
    assert not condition.passed
    assert Sonar().version(outputs) == fake.version
    assert not [each for each in Sonar().convert(outputs) if getattr(each, "level", "") == "error"]


def test_gate_that_only_warns_is_told(fake, url, tmp_path):
    test_what_the_server_says_is_read_and_converted(fake, url, tmp_path)
    warn = {"host_url": url, "project_key": "demo", "quality_gate": "warn"}
    outputs = Outputs(
        {"/answers/": tmp_path / "read" / "outputs" / "answers"}, options=target(warn).options
    )

    (condition,) = Sonar().conditions(outputs)
    told = [
        each.text for each in Sonar().convert(outputs) if getattr(each, "level", "") == "warning"
    ]
    assert condition.passed
    assert any("quality gate: ERROR" in text for text in told)
