"""What a scanned tree's own file may not do, and what of it must be told."""

from collections.abc import Collection, Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from scanrun.config.app import AppSettings
from scanrun.config.models import OutputSettings, ScannerSettings, Settings
from scanrun.config.scanners import options_model
from scanrun.contracts import HasSecrets, Scanner
from scanrun.errors import ConfigError
from scanrun.model import Severity

USUAL_AGE = 7 * 86_400.0
"""Seconds; how old a database may be where nothing is set."""


def check_trust(
    settings: Settings,
    origin: Mapping[str, str],
    isolated: Collection[str],
    scanners: Mapping[str, Scanner],
) -> None:
    """Refuse what would run code of the tree's choice on this host, or write outside of it.

    So, too, what would let the tree choose what it is judged by: where images and databases come
    from. `isolated` are the engines on which no argument of a scanner can start a program here.

    Raises:
        ConfigError: such a key was set by the file itself; the message names it.
    """
    for key, why in (
        *_dangers(settings, isolated),
        *_sources(settings, scanners),
        *_who_reads_secrets(settings, scanners),
        *_application(settings),
    ):
        if _from_file(origin, key):
            raise ConfigError(
                f"{key} {why}, and is set by the scanned tree's own {_file(origin[key])}",
                hint="read it, then say --trust-config (or name a file of yours with --config)",
            )


def told(
    settings: Settings,
    origin: Mapping[str, str],
    isolated: Collection[str],
    scanners: Mapping[str, Scanner],
) -> tuple[str, ...]:
    """Return one sentence for each thing by which the tree's own file weakens the scan."""
    return tuple(
        f"{_file(origin[key])} of the scanned tree {text}"
        for key, text in (*_weaknesses(settings, isolated), *_options(settings, scanners))
        if _from_file(origin, key)
    )


def _dangers(settings: Settings, isolated: Collection[str]) -> Iterator[tuple[str, str]]:
    for name, scanner in settings.scanner.items():
        engine = scanner.engine or settings.scan.engine
        if scanner.options.get("command"):
            yield f"scanner.{name}.command", "runs a program on this host"
        elif scanner.args and not scanner.declared and engine not in isolated:
            # bandit, ruff and detect-secrets all take arguments that load code or configuration
            yield f"scanner.{name}.args", f"may run code on this host (engine {engine!r})"
    for name, secret in settings.secret.items():
        if secret.command:
            yield f"secret.{name}", "runs a program on this host"
        elif secret.file:
            yield f"secret.{name}", "reads a file of this host"
    if leads_out(settings.output.dir):
        yield "output.dir", "writes outside of the scanned tree"


def leads_out(folder: str) -> bool:
    """Say whether a folder that is named from the scanned root may lie outside of it."""
    return folder.startswith(("/", "~")) or ".." in folder.split("/")


def _sources(settings: Settings, scanners: Mapping[str, Scanner]) -> Iterator[tuple[str, str]]:
    if settings.scan.mirror:
        yield "scan.mirror", "takes images from another registry"
    for name, key, field, _ in _changed(settings, scanners):
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("trust"):
            yield f"scanner.{name}.{key}", "says where data comes from that findings hang on"


def _who_reads_secrets(
    settings: Settings, scanners: Mapping[str, Scanner]
) -> Iterator[tuple[str, str]]:
    """Yield what could send a secret to anybody: another program, or other arguments for it."""
    for name, scanner in settings.scanner.items():
        if isinstance(scanners.get(name), HasSecrets):
            if scanner.image:
                yield f"scanner.{name}.image", "chooses the program that is given secrets"
            if scanner.args:
                yield f"scanner.{name}.args", "may have a secret sent elsewhere"


def _application(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what of the application runs a program here, sends requests, or gives secrets away.

    Its image, and a build, stay in containers.
    """
    app = settings.app
    if app.compose:
        yield "app.compose", "has this host's docker compose run it"
        yield "app.compose_allow", "lets a compose file out of its containers"
    if app.url:
        yield "app.url", "says where requests are sent"
        yield "app.allowed_targets", "says where requests may be sent"
    if app.secrets:
        yield "app.secrets", "gives secrets to the application"
    if app.sign_in:
        yield "app.sign_in", "gives a secret to the application"
    if app.network == "open":
        yield "app.network", "gives the application a way out"


def _options(settings: Settings, scanners: Mapping[str, Scanner]) -> Iterator[tuple[str, str]]:
    for name, key, _, value in _changed(settings, scanners):
        yield f"scanner.{name}.{key}", f"sets {key} of {name} ({ascii(value)[:200]})"


def _changed(
    settings: Settings, scanners: Mapping[str, Scanner]
) -> Iterator[tuple[str, str, FieldInfo, object]]:
    """Yield scanner, key, field and value of each option that is other than by default."""
    for name, scanner in settings.scanner.items():
        if scanner.declared or name not in scanners:
            continue
        for key, field in options_model(scanners[name]).model_fields.items():
            default = field.get_default(call_default_factory=True, validated_data={})
            usual = default.model_dump() if isinstance(default, BaseModel) else default
            if key in scanner.options and scanner.options[key] != usual:
                yield name, key, field, scanner.options[key]


def _weaknesses(settings: Settings, isolated: Collection[str]) -> Iterator[tuple[str, str]]:
    yield from _gate(settings)
    yield from _scan(settings, isolated)
    for name, scanner in settings.scanner.items():
        yield from _scanner(name, scanner, isolated)
    for name, secret in settings.secret.items():
        yield f"secret.{name}", f"names the variable that is the secret {name} ({secret.env})"
    yield from _app(settings)
    if settings.waiver:
        count = len(settings.waiver)
        yield "waiver", f"waives findings ({count} [[waiver]] entr{'y' if count == 1 else 'ies'})"


def _app(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what makes another answer, or another place, the application's own."""
    app = settings.app
    if app.status != AppSettings().status:
        yield "app.status", f"has the application answer {app.status} where it is scanned"
    if app.url:
        yield "app.url", f"says where requests are sent ({ascii(app.url)[:200]})"
    if app.network == "open":
        yield "app.network", "gives the application a way out"
    if app.compose_allow:
        yield "app.compose_allow", f"lets its compose file have {', '.join(app.compose_allow)}"


def _gate(settings: Settings) -> Iterator[tuple[str, str]]:
    fail_on = settings.gate.fail_on
    if fail_on == "never":
        yield "gate.fail_on", "switches the gate off (gate.fail_on = 'never')"
    elif not Severity.HIGH.reaches(Severity(fail_on)):
        yield "gate.fail_on", f"lets high findings pass (gate.fail_on = {fail_on!r})"
    if settings.policy.inline_ignores == "allow":
        yield "policy.inline_ignores", "lets comments in the source suppress findings"
    if any(age > USUAL_AGE for age in settings.evidence.max_age.values()):
        yield "evidence.max_age", "lets databases be older than usual (evidence.max_age)"
    for name, proofs in settings.evidence.lower.items():
        if proofs:
            yield "evidence.lower", f"asks less evidence of {name} ({', '.join(proofs)})"


def _scan(settings: Settings, isolated: Collection[str]) -> Iterator[tuple[str, str]]:
    scan = settings.scan
    if scan.skip:
        yield "scan.skip", f"skips {', '.join(scan.skip)}"
    if scan.exclude:
        yield "scan.exclude", f"leaves files out ({', '.join(map(ascii, scan.exclude))[:200]})"
    if scan.engine not in {"auto", *isolated}:
        yield "scan.engine", f"runs scanners without a container (scan.engine = {scan.engine!r})"
    if scan.mirror:
        yield "scan.mirror", f"takes images from another registry ({scan.mirror})"
    if settings.output.dir != OutputSettings().dir:
        yield (
            "output.dir",
            f"names a folder that is not scanned (output.dir = {settings.output.dir!a})",
        )
    if settings.output.raw == "always":
        yield "output.raw", "keeps raw reports, which may hold secrets (output.raw = 'always')"


def _scanner(
    name: str, scanner: ScannerSettings, isolated: Collection[str]
) -> Iterator[tuple[str, str]]:
    table = f"scanner.{name}"
    if scanner.image and not scanner.declared:
        yield f"{table}.image", f"replaces the image of {name} ({scanner.image})"
    if scanner.engine and scanner.engine not in {"auto", *isolated}:
        yield f"{table}.engine", f"runs {name} without a container"
    if scanner.args and not scanner.declared:
        yield f"{table}.args", f"adds arguments to {name}"
    if scanner.options.get("command"):
        yield f"{table}.command", f"lets {name} run a program on this host"
    if scanner.options.get("network"):
        yield f"{table}.network", f"gives {name} a network"
    if scanner.severity:
        rules = ", ".join(f"{ascii(k)[1:-1]} {v}" for k, v in sorted(scanner.severity.items()))
        yield f"{table}.severity", f"sets severities of {name} ({rules[:200]})"


def _from_file(origin: Mapping[str, str], key: str) -> bool:
    return "file " in origin.get(key, "")


def _file(origin: str) -> str:
    return origin.rpartition("file ")[2]
