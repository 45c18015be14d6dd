"""How ZAP is launched: one step, hardened, signed in by a header that stands in no inspection."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from scanrun.api import (
    App,
    Applies,
    Limits,
    Need,
    Service,
    Step,
    Target,
    probe_step,
)
from scanrun_plugins.scanners.web.launch import NO_APP, Seal, sealed_header, start_url
from scanrun_plugins.scanners.zap.command import (
    IMAGE,
    MEMORY_MB,
    PIDS,
    REPORT,
    SCRATCH_MB,
    XML_REPORT,
    zap_options,
)
from scanrun_plugins.scanners.zap.options import Common

_HEADER = "/scanrun/sign-in"
_WITH_HEADER = (
    f'ZAP_AUTH_HEADER_VALUE="$(cat {_HEADER})" && export ZAP_AUTH_HEADER_VALUE && exec "$@"'
)


def app_of(target: Target) -> App:
    """Return the application."""
    return target.app or NO_APP


def start_of(app: App) -> str:
    """Return where ZAP begins. To ZAP `http://h` is no page and `http://h/` is another address."""
    return start_url(app)


def base_of(app: App) -> str:
    """Return what the application's own paths are added to: a root without its slash."""
    url = start_url(app)
    return url.removesuffix("/") if urlsplit(url).path == "/" else url


def applies_to_app(target: Target) -> Applies:
    """Say whether there is an application to scan."""
    if target.app is None:
        reason = "no application: say in [app] what is to be scanned while it runs"
        return Applies(yes=False, reason=reason, configured=False)
    return Applies(yes=True, reason=f"the application at {target.app.url}")


def services_of(target: Target) -> tuple[Service, ...]:
    """Return the application's own service."""
    return target.app.beside(target.configured_image or IMAGE) if target.app else ()


def needs_of(target: Target) -> tuple[Need, ...]:
    """Return the secret that signs in."""
    if target.app is None or target.app.sign_in is None:
        return ()
    return (Need(target.app.sign_in.secret, "header that signs scanners in to the application"),)


def memory_of(target: Target, *, browser: bool = False) -> int:
    """Return what the step may use."""
    return target.memory_mb or MEMORY_MB * (2 if browser else 1)


def own_options(options: Common, memory_mb: int) -> tuple[str, ...]:
    """Return ZAP's own options."""
    return tuple(
        zap_options(memory_mb, silent=options.silent, systemic_limit=options.systemic_limit)
    )


def steps_around(target: Target, scan: Step) -> tuple[Step, ...]:
    """Return the scan between two questions whether the application is there."""
    app = app_of(target)
    return (
        probe_step(app, "before", image=IMAGE),
        scan,
        probe_step(app, "after", image=IMAGE),
    )


def scan_step(
    target: Target,
    argv: tuple[str, ...],
    *,
    memory_mb: int,
    files: Mapping[str, bytes],
    ok_exit_codes: Iterable[int],
    timeout_s: float,
    source: str | None = None,
) -> Step:
    """Return the step that scans."""
    app = app_of(target)
    return Step(
        name="scan",
        image=IMAGE,
        entrypoint=("/bin/sh", "-c", _WITH_HEADER, "zap") if app.sign_in else None,
        argv=argv,
        env=_environment(app),
        source=source,
        files=files,
        sealed=_sealed(app),
        services=app.names,
        outputs=(REPORT,),
        optional_outputs=(XML_REPORT,),
        ok_exit_codes=frozenset(ok_exit_codes),
        limits=Limits(memory_mb=memory_mb, pids=PIDS, scratch_mb=SCRATCH_MB),
        timeout_s=timeout_s,
    )


def _environment(app: App) -> dict[str, str]:
    """Return what ZAP reads of the header; its value comes from a file."""
    if app.sign_in is None:
        return {}
    site = urlsplit(app.url).hostname or ""
    return {"ZAP_AUTH_HEADER": app.sign_in.header, "ZAP_AUTH_HEADER_SITE": site}


def _sealed(app: App) -> dict[str, Seal]:
    return {_HEADER: sealed_header(app.sign_in)} if app.sign_in else {}
