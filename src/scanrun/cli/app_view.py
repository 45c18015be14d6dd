"""How the application under test reads in a plan: what it is, how it is fenced, and its proof."""

from collections.abc import Iterator
from typing import Any

from scanrun.model import App, Category, Decision, Page, Service
from scanrun.sarif.mask import Masker, one_line
from scanrun.stages.plan import ScanPlan
from scanrun.stages.select import Entry

_LIMIT = 300


def app_lines(plan: ScanPlan, masker: Masker) -> Iterator[str]:
    """Yield the application's lines; none where none is configured."""
    app = _app(plan)
    if app is None:
        return
    names = ", ".join(_scanners(plan)) or "no scanner of this run"
    yield f"app     {_shown(masker, _what(app))}; for {names}"
    yield f"        proof: {_shown(masker, _proof(app))}"


def app_json(plan: ScanPlan, masker: Masker) -> dict[str, Any] | None:
    """Return the application for programs; docs/plan.md has the shape."""
    app = _app(plan)
    if app is None:
        return None
    return {
        "url": masker.text(app.url),
        "what": masker.text(_what(app)),
        "proof": masker.text(_proof(app)),
        "open": bool(app.service and app.service.open),
        "scanners": list(_scanners(plan)),
    }


def reference(service: Service) -> str:
    """Return what a service is."""
    if service.remote:
        return f"relay to {service.remote.host}:{service.remote.port} in {service.image}"
    return service.reference


def _app(plan: ScanPlan) -> App | None:
    """Return the application as most scanners reach it, fenced where any of them is."""
    known = (each.target.app for each in sorted(plan.entries, key=_far) if each.target.app)
    return next(known, None)


def _far(entry: Entry) -> int:
    """Return how little a scanner has to do with the application."""
    if entry.scanner.category is not Category.DAST:
        return 2
    return 0 if entry.decision is Decision.RUN else 1


def _users(plan: ScanPlan) -> Iterator[Entry]:
    return (each for each in plan.entries if each.target.app and not _far(each))


def _scanners(plan: ScanPlan) -> Iterator[str]:
    return (each.name for each in _users(plan))


def _what(app: App) -> str:
    service = app.service
    if service is None:
        return f"{app.url} as this host reaches it: nothing is fenced, scanners reach all it does"
    if service.remote:
        place = f"{service.remote.host}:{service.remote.port}"
        return f"{app.own_url} through a relay that reaches {place} alone"
    network = "with a way out" if service.open else "private network"
    of = "" if service.build or service.compose else "image "
    return f"{of}{service.reference}, port {service.port}, {network}, {service.limits.memory_mb} MB"


def _proof(app: App) -> str:
    page: Page = app.page
    parts = [
        f"GET {app.url} answers {page.status}",
        f"with {page.text!r:.100} in it" if page.text else "",
        f"titled {page.title!r:.100}" if page.title else "",
        f"signed in by the header {app.sign_in.header}" if app.sign_in else "",
        "before and after each scan",
    ]
    return ", ".join(filter(None, parts))


def _shown(masker: Masker, text: str) -> str:
    return one_line(masker.clean(text), _LIMIT)
