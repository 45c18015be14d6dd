"""SonarQube: an analysis by sonar-scanner, read back from the server it goes to.

https://docs.sonarsource.com/sonarqube-community-build/analyzing-source-code/scanners/sonarscanner
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from scanrun.api import (
    CANARY_DIR,
    Applies,
    Category,
    Condition,
    Desk,
    Driver,
    Influence,
    Limits,
    Need,
    Notification,
    Outputs,
    Result,
    Role,
    Rule,
    ScanError,
    Service,
    Step,
    Target,
    Task,
)
from scanrun_plugins.scanners.sonar import login
from scanrun_plugins.scanners.sonar.about import read_version
from scanrun_plugins.scanners.sonar.access import check_access
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.collect import Job, collect
from scanrun_plugins.scanners.sonar.convert import convert_answers, version_in
from scanrun_plugins.scanners.sonar.failures import meaning
from scanrun_plugins.scanners.sonar.folder import Names
from scanrun_plugins.scanners.sonar.gate import conditions, read_gate
from scanrun_plugins.scanners.sonar.ignoring import IGNORES, REWRITES
from scanrun_plugins.scanners.sonar.options import Options, project_key
from scanrun_plugins.scanners.sonar.properties import java_properties
from scanrun_plugins.scanners.sonar.server import NAME, PORT, own_server
from scanrun_plugins.scanners.sonar.task import indexed_files, read_report_task
from scanrun_plugins.scanners.sonar.tree_settings import PROJECT_FILE, tree_settings
from scanrun_plugins.scanners.sonar.unread import narrowed, silenced, unread

IMAGE = "sonarsource/sonar-scanner-cli:12.1.0.3233_8.0.1"
SOURCE = "/usr/src"
UPLOADED = "/out/report-task.txt"
ANSWERS = "/answers/"
_SETTINGS = "/scanrun/sonar.properties"
_CACHE = "/scanrun-cache"
_CA = "/scanrun-ca/ca.pem"
_TRUSTED = f"{_CACHE}/trusted.p12"
# Java reads no PEM file
_TRUSTING = f"""\
keytool -importcert -noprompt -alias scanrun -file {_CA} \
  -keystore {_TRUSTED} -storetype PKCS12 -storepass changeit || exit 1
exec /usr/bin/entrypoint.sh "$@"
"""
_TOKEN = "sonar token of the run"  # noqa: S105 - a name


class Sonar:
    """Runs SonarScanner against a SonarQube server, and reads what the server says."""

    name = "sonar"
    category = Category.SAST
    driver = Driver(
        name="SonarQube",
        organization="SonarSource",
        information_uri="https://www.sonarsource.com/products/sonarqube/",
    )
    options = Options
    variables = ("SONAR_*", "SONARQUBE_*")
    tells: Mapping[str, str | Influence] = {
        PROJECT_FILE: Influence(
            effect="says what is analysed",
            left_out=False,
            at_root=True,
            heeded=("project_settings", "allow"),
        ),
    }

    ignores = IGNORES
    rewrites = REWRITES

    def applies(self, target: Target) -> Applies:
        """Run where a server is configured, and there is anything to analyse."""
        options = _options(target.options)
        if not options.chosen:
            reason = "no server: set host_url in [sonar], or say --sonar ephemeral"
            return Applies(yes=False, reason=reason, configured=False)
        return Applies.to(target.files)

    def services(self, target: Target) -> tuple[Service, ...]:
        """Return the server, where it is one of ours."""
        options = _options(target.options)
        return (own_server(options),) if options.own else ()

    def secrets(self, target: Target) -> tuple[Need, ...]:
        """Return the token of a server that is not ours."""
        options = _options(target.options)
        if options.own or not options.chosen:
            return ()
        return (Need(options.token, "token for the SonarQube server"),)

    def steps(self, target: Target) -> tuple[Step | Task, ...]:
        """Return login, analysis, and the reading of what it came to."""
        options = _options(target.options)
        key = project_key(options, target.snapshot)
        beside = (NAME,) if options.own else ()
        return (
            Task(
                role=Role.PROBE,
                name="login",
                run=partial(_login, options, key),
                services=beside,
                timeout_s=120.0,
            ),
            _analysis(options, key, target, beside),
            Task(
                name="read",
                run=partial(_read, options),
                services=beside,
                outputs=(ANSWERS,),
                timeout_s=options.analysis_timeout + 900.0,
            ),
        )

    def failure(self, step: Step, exit_code: int, log: Path) -> ScanError | None:
        """Say what an analysis that failed means."""
        return meaning(exit_code, log, step.env.get("SONAR_HOST_URL", ""))

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what the server answered; a gate that only warns is told."""
        options = _options(outputs.options)
        answers = _answers(outputs)
        yield from convert_answers(answers, count=options.count)
        yield from unread(outputs.log) if outputs.log else ()
        yield from silenced(outputs.snapshot)
        yield from narrowed(options.properties)
        gate = answers / Names.GATE
        if options.gate == "warn" and gate.exists():
            found = read_gate(gate)
            if not found.passed:
                yield Notification(found.detail)

    def conditions(self, outputs: Outputs) -> tuple[Condition, ...]:
        """Return the server's own quality gate."""
        gate = _answers(outputs) / Names.GATE
        if not gate.parent.is_dir():  # a saved answer holds issues, and no gate
            return ()
        return conditions(read_gate(gate), _options(outputs.options).gate)

    def version(self, outputs: Outputs) -> str:
        """Return the server's version: its analysers are the ones that look."""
        return version_in(_answers(outputs))


def _answers(outputs: Outputs) -> Path:
    """Return where the answers lie: a folder of ours, or a saved answer in the report's place."""
    return outputs[ANSWERS] if ANSWERS in outputs else outputs[UPLOADED]


def _options(given: Mapping[str, object]) -> Options:
    return Options.model_validate(dict(given))


def _analysis(options: Options, key: str, target: Target, beside: tuple[str, ...]) -> Step:
    """Return the scanner's own step. It can't say "clean": it only uploads."""
    url = f"http://{NAME}:{PORT}" if options.own else options.host_url
    if options.chosen and not url:
        raise ScanError("no address of a SonarQube server", hint="set host_url in [sonar]")
    return Step(
        name="scan",
        image=IMAGE,
        entrypoint=("/bin/sh", "-c", _TRUSTING, "scan") if options.ca else None,
        argv=(f"-Dproject.settings={_SETTINGS}", *target.args),
        env={
            "SONAR_HOST_URL": url,
            "SONAR_USER_HOME": _CACHE,
            "SONAR_SCANNER_SKIP_JRE_PROVISIONING": "true",
        },
        source=SOURCE,
        workdir=SOURCE,
        # a folder on disk: what it downloads from the server would fill the scratch space
        files={f"{_CACHE}/.keep": b""},
        host_files={_CA: Path(options.ca).expanduser()} if options.ca else {},
        sealed={_SETTINGS: partial(_settings, options, key, url, _of_the_tree(options, target))},
        outputs=(UPLOADED,),
        network=not options.own,
        services=beside,
        limits=Limits(memory_mb=target.memory_mb or 2048, pids=512, scratch_mb=512),
        timeout_s=1800.0,
    )


def _of_the_tree(options: Options, target: Target) -> Mapping[str, str]:
    """Return the tree's own settings, where they are to be heeded."""
    there = any(each.path == PROJECT_FILE for each in target.files)
    if options.project_settings == "ignore" or not there:
        return {}
    return tree_settings(target.snapshot.root)


def _settings(
    options: Options, key: str, url: str, own: Mapping[str, str], secrets: Mapping[str, str]
) -> bytes:
    """Return all settings: what is configured goes before what the tree says."""
    more = {**own, **options.properties}
    excluded = [more.pop("sonar.exclusions", ""), f"**/{CANARY_DIR}/**", f"{CANARY_DIR}/**"]
    named = {
        "sonar.organization": options.organization,
        "sonar.branch.name": options.branch,
        "sonar.pullrequest.key": options.pull_request,
    }
    if options.ca:
        named["sonar.scanner.truststorePath"] = _TRUSTED
        named["sonar.scanner.truststorePassword"] = "changeit"
    if options.proxy:
        proxy = urlsplit(options.proxy)
        named["sonar.scanner.proxyHost"] = proxy.hostname or ""
        named["sonar.scanner.proxyPort"] = str(proxy.port or "")
    ours = {
        "sonar.host.url": url,
        "sonar.token": secrets[_TOKEN],
        "sonar.projectKey": key,
        "sonar.projectBaseDir": SOURCE,
        "sonar.working.directory": "/tmp/.scannerwork",  # noqa: S108 - of the container
        "sonar.scanner.metadataFilePath": UPLOADED,
        "sonar.scanner.skip": "false",
        "sonar.scm.disabled": "true",
        "sonar.qualitygate.wait": "false",
        "sonar.exclusions": ",".join(filter(None, excluded)),
    }
    given = {name: value for name, value in named.items() if value}
    return java_properties({**more, **given, **ours})


def _login(options: Options, key: str, desk: Desk) -> None:
    """See that there is a server, and a token that can read what it will say."""
    if not options.own:
        token = desk.secret(options.token)
        client = _client(options, desk, token)
        desk.say(f"asking SonarQube {read_version(client)}")
        check_access(client, token, key)
        desk.seal(_TOKEN, token)
        return
    url = desk.address(NAME).url
    admin = login.of_this_user(url) if options.chosen == "keep" else login.of_this_run(url)
    login.make_project(admin, key)
    desk.seal(_TOKEN, login.make_token(admin))


def _read(options: Options, desk: Desk) -> None:
    """Follow the analysis, and read what it came to."""
    upload = read_report_task(desk.outputs[UPLOADED].read_bytes())
    upload = replace(upload, pull_request=options.pull_request)
    job = Job(
        upload=upload,
        indexed=indexed_files(desk.log.read_bytes()),
        public_url="" if options.own else options.public_url or options.host_url,
        organization=options.organization,
        deadline_s=options.analysis_timeout,
    )
    client = _client(options, desk, desk.secret(_TOKEN))
    collect(client, job, desk.place(ANSWERS), say=desk.say, cancelled=desk.cancel.is_set)


def _client(options: Options, desk: Desk, token: str) -> Client:
    url = desk.address(NAME).url if options.own else options.host_url
    ca = Path(options.ca).expanduser() if options.ca else None
    proxy = "" if options.own else options.proxy
    return Client(url, token, ca=ca, proxy=proxy, cancelled=desk.cancel.is_set)
