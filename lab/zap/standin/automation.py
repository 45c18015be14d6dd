"""A plan of the automation framework: its jobs, and what they come to."""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin import faults, openapi, report, summary
from standin.active import attack
from standin.alerts import Alert, Filter, Hit, Limits, collect
from standin.document import Contents, document
from standin.insights import MEMORY_HIGH, insights, memory
from standin.passive import look
from standin.spider import Site, Spider
from standin.web import Client, Message, Request, UnknownHostError, UnreachableError, origin

_OK = 200
Parameters = Mapping[str, Any]


class JobError(Exception):
    """A job failed; the text is what the plan says of it."""


@dataclass
class Run:
    """One run of a plan."""

    client: Client
    heap_mb: int
    systemic_limit: int
    say: Callable[[str], None]
    fault: str = ""
    urls: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    per_rule: int = 10
    site: Site = field(default_factory=Site)
    looked: int = 0
    hits: list[Hit] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    log_warnings: int = 0
    stopped: bool = False

    def alerts(self) -> dict[str, list[Alert]]:
        """Return the alerts of each site; of one without any, too."""
        for message in self.site.messages[self.looked :]:
            self.hits.extend(look(message))
        self.looked = len(self.site.messages)
        limits = Limits(self.per_rule, self.systemic_limit)
        found = {} if self.stopped else collect(self.hits, self.filters, limits)
        # whoever was begun with stands in a report even where nothing was got
        return {name: [] for name in map(origin, self.urls)} | dict(found)

    def warn(self, text: str) -> None:
        """Note a warning of the plan."""
        self.say(text)
        self.warnings.append(text)


def run_plan(plan: object, run: Run) -> int:
    """Run a plan and return ZAP's exit status."""
    jobs = _checked(plan, run)
    parameters = _mapping(_mapping(_mapping(plan).get("env")).get("parameters"))
    if parameters.get("progressToStdout") is False:
        run.say = lambda _: None
    if run.errors:
        jobs = []
    for job in jobs:
        for name, value in _mapping(job.get("parameters")).items():
            shown = str(value).lower() if isinstance(value, bool) else value
            run.say(f"Job {job['type']} set {name} = {shown}")
    for job in jobs:
        kind = job["type"]
        run.say(f"Job {kind} started")
        begun = time.monotonic()
        try:
            _JOBS[kind](run, job)
        except JobError as error:
            text = f"Job {kind} {error}"
            run.say(text)
            run.errors.append(text)
            if parameters.get("failOnError", True):
                break
        took = time.gmtime(time.monotonic() - begun)
        run.say(f"Job {kind} finished, time taken: {time.strftime('%H:%M:%S', took)}")
    return _ended(run)


def _ended(run: Run) -> int:
    for title, texts in (("failures", run.errors), ("warnings", run.warnings)):
        if texts:
            print(f"Automation plan {title}:")
            print("".join(f"\t{each}\n" for each in texts), end="")
    if not run.errors and not run.warnings:
        print("Automation plan succeeded!")
    return 1 if run.errors else 2 if run.warnings else 0


def _checked(plan: object, run: Run) -> list[dict[str, Any]]:
    """Take what the plan says of its environment, and return its jobs."""
    contexts = _mapping(_mapping(plan).get("env")).get("contexts") or []
    if not contexts:
        run.errors.append("Missing environment.")
    for context in contexts:
        run.urls += [str(url) for url in context.get("urls") or []]
        run.excluded += context.get("excludePaths") or []
    jobs = _mapping(plan).get("jobs") or []
    for job in jobs:
        if (kind := job.get("type")) not in _JOBS:
            run.errors.append(f"Unrecognised job type: {kind}")
    return [job for job in jobs if job.get("enabled", True)]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _spider(run: Run, job: Parameters) -> None:
    parameters = _mapping(job.get("parameters"))
    given = parameters.get("url")
    # the context's are asked for whatever the job begins with
    begun = list(dict.fromkeys([*run.urls, *([given] if given else [])]))
    spider = Spider(run.client, run.site, run.excluded)
    for url in begun:
        if spider.excludes(url):
            run.log_warnings = 1
        else:
            _access(run, url)
    before = len(run.site.found)
    run.site.found.update(url for url in begun if spider.excludes(url))
    spider.run(
        [url for url in begun if not spider.excludes(url)],
        int(parameters.get("maxDuration") or 0),
        run.heap_mb,
    )
    run.say(f"Job spider found {len(run.site.found) - before} URLs")
    if memory(run.site, run.heap_mb) >= MEMORY_HIGH or run.fault == "stopping":
        run.stopped = True


def _access(run: Run, url: str) -> None:
    run.say(f"Job spider requesting URL {url}")
    try:
        message = run.client.follow(Request(url))
    except UnknownHostError as error:
        raise JobError(f"failed to access URL {url} check that it is valid : {error}") from error
    except UnreachableError as error:
        raise JobError(f"failed to access URL {url} : {error}") from error
    run.site.messages.append(message)
    if message.status != _OK:
        run.warn(
            f"Job spider error accessing URL {url} status code returned : {message.status}"
            f" expected {_OK}"
        )


def _passive_config(run: Run, job: Parameters) -> None:
    run.per_rule = int(_mapping(job.get("parameters")).get("maxAlertsPerRule") or 0)


def _alert_filter(run: Run, job: Parameters) -> None:
    for each in job.get("alertFilters") or []:
        pattern = str(each.get("url") or ".*")
        regex = pattern if each.get("urlRegex", True) else re.escape(pattern)
        run.filters.append(Filter(str(each["ruleId"]), regex))


def _replacer(run: Run, job: Parameters) -> None:
    headers = {
        str(rule["matchString"]): str(rule["replacementString"])
        for rule in job.get("rules") or []
        if rule.get("matchType") == "req_header"
    }
    run.client = Client(run.client.timeout, {**run.client.sign_in, **headers})


def _requestor(run: Run, job: Parameters) -> None:
    for each in job.get("requests") or []:
        due = each.get("responseCode")
        request = Request(each["url"], each.get("method") or "GET", body=_bytes(each.get("data")))
        message = _sent(run, request)
        run.site.found.add(request.url)
        if due and message and message.status != due:
            run.warn(
                f"Job requestor error accessing URL {request.url} status code returned :"
                f" {message.status} expected {due}"
            )


def _bytes(text: object) -> bytes:
    return str(text).encode() if text else b""


def _sent(run: Run, request: Request) -> Message | None:
    try:
        message = run.client.send(request)
    except UnreachableError:
        run.site.failures += 1
        return None
    run.site.messages.append(message)
    return message


def _openapi(run: Run, job: Parameters) -> None:
    parameters = _mapping(job.get("parameters"))
    target = str(parameters.get("targetUrl") or next(iter(run.urls), ""))
    try:
        if address := parameters.get("apiUrl"):
            text = run.client.follow(Request(str(address))).text
        else:
            text = Path(str(parameters.get("apiFile"))).read_text()
        found = openapi.requests_of(text, target)
    except (OSError, ValueError, UnreachableError) as error:
        raise JobError(f"failed to import the definition : {error}") from error
    for request in found:
        run.site.found.add(request.url)
        _sent(run, request)
    run.say(f"Job openapi added {len(found)} URLs")


def _active(run: Run, _: Parameters) -> None:
    inside = {origin(url) for url in run.urls}
    messages = [each for each in run.site.messages if origin(each.url) in inside]
    for answer, hit in attack(run.client, messages):
        run.site.messages.append(answer)
        if hit:
            run.hits.append(hit)


def _summary(run: Run, job: Parameters) -> None:
    parameters = _mapping(job.get("parameters"))
    levels = {
        str(rule["id"]): summary.Level(
            rule.get("action") or "WARN", rule.get("customMessage") or ""
        )
        for rule in job.get("rules") or []
    }
    found = summary.raised(run.alerts())
    short = parameters.get("format") == "Short"
    print("\n".join(summary.lines(found, levels, len(run.site.found), short=short)))
    if path := parameters.get("summaryFile"):
        summary.write_counts(Path(path), found, levels)


def _report(run: Run, job: Parameters) -> None:
    parameters = _mapping(job.get("parameters"))
    template = str(parameters.get("template") or "traditional-html")
    if template not in report.ENDINGS:
        raise JobError(f"failed to generate report: no template {template}")
    name = str(parameters.get("reportFile") or "ZAP-Report")
    ending = report.ENDINGS[template]
    folder = str(parameters.get("reportDir") or os.environ.get("HOME", "/"))
    path = Path(f"{folder}/{name if name.endswith(ending) else name + ending}")
    path = Path(os.path.normpath(path))
    made = faults.changed(run.fault, contents(run, plus="plus" in template))
    try:
        report.write(path, template, made)
    except OSError as error:
        raise JobError(f"failed to generate report: {_java(error)} {path}") from error
    run.say(f"Job report generated report {path}")
    faults.after_report(run.fault, path)


def contents(run: Run, *, plus: bool) -> dict[str, Any]:
    """Return what a report of this moment holds."""
    heap = run.heap_mb if run.fault != "stopping" else 1
    errors = 2 if run.fault == "log-error" else 0
    told = insights(run.site, heap, warnings=run.log_warnings, errors=errors)
    stopping = next((each for each in told if each.level == "High"), None)
    statistics = {"stats.spider.url.found": len(run.site.found)}
    return document(
        Contents(run.alerts(), told, stopping, run.errors, run.warnings, statistics), plus=plus
    )


def _java(error: OSError) -> str:
    names: Iterable[tuple[type[OSError], str]] = (
        (FileNotFoundError, "NoSuchFileException"),
        (PermissionError, "AccessDeniedException"),
    )
    return next((name for kind, name in names if isinstance(error, kind)), "FileSystemException")


def _nothing(_: Run, __: Parameters) -> None:
    """Do nothing: the job is known, and changes nothing here."""


_JOBS: Mapping[str, Callable[[Run, Parameters], None]] = {
    "activeScan": _active,
    "activeScan-config": _nothing,
    "activeScan-policy": _nothing,
    "alertFilter": _alert_filter,
    "exitStatus": _nothing,
    "openapi": _openapi,
    "outputSummary": _summary,
    "passiveScan-config": _passive_config,
    "passiveScan-wait": _nothing,
    "replacer": _replacer,
    "report": _report,
    "requestor": _requestor,
    "spider": _spider,
}
