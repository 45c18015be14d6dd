"""ZAP on an interface: what its OpenAPI description names is asked for, and attacked."""

from collections.abc import Mapping
from urllib.parse import urljoin

from scanrun.api import App, Applies, Step, StepError, Target
from scanrun_plugins.scanners.web.addresses import origin
from scanrun_plugins.scanners.zap.command import WORK
from scanrun_plugins.scanners.zap.launch import app_of, applies_to_app, base_of, steps_around
from scanrun_plugins.scanners.zap.options import ApiOptions
from scanrun_plugins.scanners.zap.planned import Planned
from scanrun_plugins.scanners.zap.plans import (
    CONTEXT,
    Json,
    attacking,
    environment,
    job,
    looking,
    plan_step,
    reports,
    waiting,
)
from scanrun_plugins.scanners.zap.tree_file import tree_file

_DESCRIPTION = f"{WORK}/openapi"
_SECONDS = 7200.0


class ZapApi(Planned):
    """Attacks an interface. It follows no links: those of a description stand in for them."""

    name = "zap-api"
    options = ApiOptions
    crawls = False

    def applies(self, target: Target) -> Applies:
        """Only where an application and its description are configured."""
        options = ApiOptions(**target.options)
        if target.app is not None and not (options.openapi_url or options.openapi_file):
            reason = "no OpenAPI description: set openapi_url or openapi_file in [zap-api]"
            return Applies(yes=False, reason=reason, configured=False)
        return applies_to_app(target)

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return a probe, the plan, and a probe."""
        options = ApiOptions(**target.options)
        app = app_of(target)
        described, files = _description(options, target, app)
        plan = {
            "env": environment(app),
            "jobs": [
                looking(),
                described,
                waiting(),
                attacking(options.strength, options.threshold),
                waiting(),
                *reports(),
            ],
        }
        scan = plan_step(target, options, plan, files=files, timeout_s=_SECONDS)
        return steps_around(target, scan)


def _description(options: ApiOptions, target: Target, app: App) -> tuple[Json, Mapping[str, bytes]]:
    """Return the job that reads the description, and the file, where it is one.

    Raises:
        StepError: both are named, or an address that is not the application's.
    """
    if options.openapi_url and options.openapi_file:
        raise StepError("openapi_url and openapi_file are both set", hint="keep one of them")
    # a path, even `/`, would stand for that of the servers which the description names
    told = {"targetUrl": base_of(app), "context": CONTEXT}
    if options.openapi_file:
        content = tree_file(target.snapshot, options.openapi_file, "OpenAPI description")
        return job("openapi", apiFile=_DESCRIPTION, **told), {_DESCRIPTION: content}
    url = urljoin(app.url, options.openapi_url or "/openapi.json")
    if origin(url) != app.origin:
        raise StepError(
            f"openapi_url is {url!a:.200}, and that is not the application's ({app.origin})",
            hint="name a path of the application, or set openapi_file",
        )
    return job("openapi", apiUrl=url, **told), {}
