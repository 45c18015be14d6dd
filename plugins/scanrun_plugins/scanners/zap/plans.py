"""Plans of ZAP's Automation Framework, written here as JSON, which is YAML, too.

https://www.zaproxy.org/docs/automate/automation-framework/
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from scanrun.api import App, Step, StepError, Target
from scanrun_plugins.scanners.web.launch import USUAL_PORTS
from scanrun_plugins.scanners.zap.command import REPORT, WORK, XML_REPORT
from scanrun_plugins.scanners.zap.launch import memory_of, own_options, scan_step, start_of
from scanrun_plugins.scanners.zap.options import Common, Crawling

Json = dict[str, Any]

PLAN = f"{WORK}/plan.yaml"
CONTEXT = "application"
PARAMETERS: Mapping[str, Any] = {
    "failOnError": True,
    "failOnWarning": False,
    "continueOnFailure": False,
    "progressToStdout": True,
}


def environment(app: App, excluded: Iterable[str] = ()) -> Json:
    """Return a plan's environment: nothing but the application is in scope."""
    return {
        "contexts": [
            {
                "name": CONTEXT,
                "urls": [start_of(app)],
                "includePaths": [scope(app)],
                "excludePaths": list(excluded),
            }
        ],
        "parameters": dict(PARAMETERS),
    }


def scope(app: App) -> str:
    """Return the regular expression of the application's addresses, as Java reads it."""
    parts = urlsplit(app.url)
    port = parts.port or USUAL_PORTS[parts.scheme]
    shown = f":{port}"
    either = f"(?:{shown})?" if port == USUAL_PORTS[parts.scheme] else shown
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{re.escape(name)}{either}(?:[/?#].*)?"


def looking() -> Json:
    """Return the job that sets up the rules which only look."""
    # 0: all of them. Which ones a limit would leave is chance
    return job("passiveScan-config", maxAlertsPerRule=0, scanOnlyInScope=True)


def crawling(options: Crawling, url: str) -> tuple[Json, ...]:
    """Return the jobs that look for pages."""
    told = {"context": CONTEXT, "url": url, "maxDuration": options.minutes}
    return (job("spider", **told), *((job("spiderAjax", **told),) if options.ajax else ()))


def attacking(strength: str, threshold: str) -> Json:
    """Return the job that attacks. It has no limit of its own: one would cut it in silence."""
    made = job("activeScan", context=CONTEXT, maxScanDurationInMins=0, maxRuleDurationInMins=0)
    policy = {"defaultStrength": strength.lower(), "defaultThreshold": threshold.lower()}
    return {**made, "policyDefinition": policy}


def waiting() -> Json:
    """Return the job that waits for the rules which only look, as long as they take."""
    return job("passiveScan-wait", maxDuration=0)


def reports() -> tuple[Json, ...]:
    """Return the jobs that write what is read. Only the longer form tells how the plan went."""
    return (
        _report("traditional-json-plus", REPORT),
        _report("traditional-xml", XML_REPORT),
    )


def job(kind: str, **parameters: object) -> Json:
    """Return one job."""
    return {"type": kind, "parameters": parameters}


def plan_step(
    target: Target,
    options: Common,
    plan: Json,
    *,
    files: Mapping[str, bytes] | None = None,
    browser: bool = False,
    source: str | None = None,
    timeout_s: float,
) -> Step:
    """Return the step that runs a plan.

    Raises:
        StepError: `args` says more than settings of ZAP's.
    """
    _check_arguments(target.args)
    memory = memory_of(target, browser=browser)
    argv = (
        *("zap.sh", "-cmd"),
        *own_options(options, memory),
        *("-autorun", PLAN),
        *target.args,
    )
    return scan_step(
        target,
        argv,
        memory_mb=memory,
        files={**(files or {}), PLAN: json.dumps(plan, indent=1).encode()},
        # 2: with warnings, which are weighed. 1: it failed
        ok_exit_codes={0, 2},
        timeout_s=timeout_s,
        source=source,
    )


def _report(template: str, path: str) -> Json:
    name = path.rpartition("/")[2]
    return job("report", template=template, reportDir=WORK, reportFile=name, reportTitle="scanrun")


def _check_arguments(args: tuple[str, ...]) -> None:
    pairs = zip(args[::2], (*args[1::2], ""), strict=False)
    for name, value in pairs:
        if name != "-config" or "=" not in value:
            raise StepError(
                f"`args` has {name!a:.80}, and only `-config KEY=VALUE` can be added here",
                hint="take it out",
            )
