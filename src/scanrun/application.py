"""The application under test, as the configuration says it: the verb is `application`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from scanrun.config.app import KINDS, AppSettings, means_here
from scanrun.errors import UsageError
from scanrun.model import Address, App, Build, Compose, Limits, Page, Service, SignIn, origin_of
from scanrun.web.ready import answers

NAME = "app"
_LIMITS = Limits(memory_mb=1024, pids=512, scratch_mb=256)
_RELAY = Limits(memory_mb=128, pids=64, scratch_mb=16)
_START_S = 120.0
_RUNS_S = 10.0
"""It runs already, so nobody has to wait for its start; but it may be started beside scanrun."""


def application(settings: AppSettings, root: Path, *, trusted: bool = True) -> App | None:
    """Return the application that `[app]` configures; None where it configures none.

    Where the scanned tree alone says so (not `trusted`), a build has no network.

    Raises:
        UsageError: its address is not among the allowed targets, or it is described and not named.
    """
    kind = settings.kind
    if kind is None:
        _check_unused(settings)
        return None
    sign_in = settings.sign_in
    app = App(
        url=settings.url or "",
        page=Page(status=settings.status, text=settings.text or "", title=settings.title or ""),
        sign_in=SignIn(header=sign_in.header, secret=sign_in.secret) if sign_in else None,
    )
    if kind == "url":
        return _elsewhere(app, settings)
    return _in_container(app, settings, root, trusted=trusted)


def _in_container(app: App, settings: AppSettings, root: Path, *, trusted: bool) -> App:
    host, port = settings.host or NAME, settings.port or 0
    service = Service(
        name=NAME,
        image=settings.image or "",
        build=_build(settings, root, trusted=trusted),
        compose=_compose(settings, root),
        host=host,
        port=port,
        env=settings.env,
        secrets=settings.secrets,
        argv=settings.command,
        ready=_ready(settings, settings.scheme, settings.path, host),
        limits=replace(_LIMITS, memory_mb=settings.memory),
        start_s=_patience(settings, _START_S),
        open=settings.network == "open",
        own_program=True,
        seed=settings.seed,
        watched=True,
    )
    return replace(app, url=f"{settings.scheme}://{host}:{port}{settings.path}", service=service)


def _build(settings: AppSettings, root: Path, *, trusted: bool) -> Build | None:
    if settings.dockerfile is None:
        return None
    return Build(
        context=root / settings.context,
        root=root,
        dockerfile=settings.dockerfile,
        target=settings.target or "",
        args=settings.build_args,
        network=trusted,
    )


def _compose(settings: AppSettings, root: Path) -> Compose | None:
    if settings.compose is None or settings.service is None:
        return None
    return Compose(
        file=root / settings.compose,
        service=settings.service,
        root=root,
        allowed=frozenset(settings.compose_allow),
    )


def _elsewhere(app: App, settings: AppSettings) -> App:
    """Return an application that is reached through a relay, which lets one address through."""
    _check_allowed(settings)
    parts = urlsplit(settings.url or "")
    own = urlunsplit(parts._replace(path=parts.path or "/"))
    address = Address(parts.hostname or "", int(origin_of(own).rpartition(":")[2]))
    host = settings.host or _host_name(address.host)
    shown = f"{host}:{parts.port}" if parts.port else host
    service = Service(
        name=NAME,
        remote=address,
        host=host,
        port=address.port,
        ready=_ready(settings, parts.scheme, _path(own), host),
        limits=_RELAY,
        start_s=_patience(settings, _RUNS_S),
        watched=True,
    )
    url = urlunsplit(parts._replace(netloc=shown, path=parts.path or "/"))
    return replace(app, url=url, own_url=own, service=service)


def _ready(settings: AppSettings, scheme: str, path: str, host: str) -> Callable[[Address], bool]:
    return partial(
        answers,
        scheme=scheme,
        path=settings.health or path,
        host=host,
        believes_404=_believes_404(settings),
    )


def _believes_404(settings: AppSettings) -> bool:
    """Say whether 404 may be all that the start page answers before the scan.

    It may be what is due, what strangers get, or what there is until the seed is sown.
    """
    due = settings.status == HTTPStatus.NOT_FOUND
    return not settings.health and (due or bool(settings.sign_in or settings.seed))


def _patience(settings: AppSettings, usual: float) -> float:
    return usual if settings.start_deadline is None else settings.start_deadline


def _check_unused(settings: AppSettings) -> None:
    """Refuse what describes no application: somebody thinks that one is scanned.

    Not a matter of the file alone: the address may come from the command line.
    """
    if idle := sorted(settings.said - {"allowed_targets"}):
        raise UsageError(
            f"[app] has {', '.join(idle)}, and not what the application is",
            hint=f"name one of {', '.join(KINDS)}",
        )


def _check_allowed(settings: AppSettings) -> None:
    target = settings.url_target.lower()
    if target not in {each.lower() for each in settings.allowed_targets}:
        raise UsageError(
            f"{target} is not among the targets that may be sent requests",
            hint=f'is it yours to scan? then: [app] allowed_targets = ["{target}"]',
        )


def _host_name(host: str) -> str:
    """Return how scanners call it. A number, or this host's own name, is another one for them."""
    return NAME if means_here(host) else host


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
