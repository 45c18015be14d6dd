"""Whether ZAP really saw the application. Exit code 0 and no alerts prove nothing.

A site that answers 404 or 401 to everything, with good headers, gives a report without alerts.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from scanrun.api import App, Notification, Outputs, Reached, Sign, pages_due, reach_of
from scanrun_plugins.scanners.web.addresses import normal, origin
from scanrun_plugins.scanners.web.texts import one_line
from scanrun_plugins.scanners.zap.alerts import findings_of
from scanrun_plugins.scanners.zap.command import REPORT
from scanrun_plugins.scanners.zap.progress import Progress, read_progress, unexpected
from scanrun_plugins.scanners.zap.report import Report

SIGNS = (
    Sign(r"(?i)failed to generate report", "ZAP could not write one of its reports"),
    Sign(r"Unable to copy yaml file", "ZAP could not write into /zap/wrk"),
    Sign(r"Failed to access summary file", "ZAP did not come to the end of its plan"),
    Sign(r"^Traceback \(most recent call last\)", "ZAP's script broke off"),
    Sign(r"java\.lang\.OutOfMemoryError", "ZAP ran out of memory: raise `memory`"),
    Sign(r"minimum of Java 17 to run", "ZAP could not start Java"),
)
_OLD = timedelta(days=1)
"""So far the engine's clock may be behind."""
_CODES = ("2xx", "3xx", "4xx", "5xx")
_ALL = 100
_MINUTE_S = 60.0
_HALF = 50
_WELL_KNOWN = ("robots.txt", "sitemap.xml")
"""ZAP asks for both, whatever the site links to."""
_NO_PROOF = re.compile(
    r"(?is)/?|.*\.(?:txt|xml|css|js|map|json|png|gif|jpe?g|svg|ico|webp|woff2?|ttf)"
    r"|.*(?:log-?in|sign-?(?:in|up)|auth|sso|register|passw|forgot|reset).*"
)
"""Paths that are open before a login wall, too: the root leads to it, and its page has a style."""
_NETWORK = "insight.network.failure"
_BEFORE = "/probe-before/answer.json"
_NOTHING = Progress()


def reached(
    outputs: Outputs,
    report: Report,
    *,
    least_pages: int,
    scripted: bool = False,
    crawled: bool = True,
) -> Reached:
    """Return what ZAP saw, and why that is not believed to be the application.

    `scripted`: `zap-baseline.py` ran it, whose log has to tell that it was in the mode in which it
    warns. `crawled`: ZAP has looked for pages itself.
    """
    progress = read_progress(outputs.log) if outputs.log else _NOTHING
    app = outputs.app
    here = app.origin if app else ""
    told = {code: report.of(here, f"insight.code.{code}") for code in _CODES}
    codes = {code: share for code, share in told.items() if share is not None}
    asked = _asked(app, scripted=scripted) if app and crawled else 0
    pages = _pages(report, app, asked) if app else 0
    problems = [*_old(report, outputs.get(_BEFORE))]
    if app:
        problems += _problems(report, progress, app, codes)
        problems += _few(report, app, pages, pages_due(outputs, least_pages))
    if scripted and outputs.log and not progress.framework:
        problems.append("ZAP did not run in the mode in which it tells of warnings")
    return reach_of(
        outputs,
        pages=pages,
        codes=codes,
        others=_others(report, here),
        problems=problems,
    )


def told(outputs: Outputs) -> Iterator[Notification]:
    """Yield a word on pages other than the first that did not answer as they should."""
    progress = read_progress(outputs.log) if outputs.log else _NOTHING
    for warning in progress.warnings:
        page = unexpected(warning)
        if page and outputs.app and not page.is_at(outputs.app.url):
            yield Notification(f"ZAP says: {warning}")


def cut_short(outputs: Outputs, minutes: int) -> Iterator[Notification]:
    """Yield a word where the spider may have used up its time: ZAP itself says nothing of it."""
    before, after = outputs.get(_BEFORE), outputs.get(REPORT)
    if before is None or after is None:
        return
    if after.stat().st_mtime - before.stat().st_mtime >= minutes * _MINUTE_S:
        yield Notification(
            f"ZAP's spider may have used up its {minutes} minutes: what it had not found by then"
            " was not looked at; raise `minutes`, or `exclude` what has no end"
        )


def spiders_cut_short(outputs: Outputs, jobs: Iterable[tuple[str, int]]) -> Iterator[Notification]:
    """Yield a word on each of `jobs` (type, minutes) that took all of its time."""
    ended = list(read_progress(outputs.log).spiders) if outputs.log else []
    for kind, minutes in jobs:
        at = next((number for number, (each, _) in enumerate(ended) if each == kind), None)
        if at is None:
            continue
        _, took_s = ended[at]
        del ended[: at + 1]
        if 0 < minutes * _MINUTE_S <= took_s:
            yield Notification(
                f"ZAP's job {kind} used up its {minutes} minutes: what it had not found by then was"
                " not looked at; give it more, or exclude what has no end"
            )


def _problems(report: Report, progress: Progress, app: App, codes: dict[str, int]) -> Iterator[str]:
    here = app.origin
    if here not in report.origins:
        shown = ", ".join(report.origins[:3]) or "no site"
        yield f"ZAP's report is about {shown}, not about {here}"
    for warning in (*progress.warnings, *report.plan_warnings):
        yield from _warned(warning, app)
    yield from (
        f"ZAP's plan failed: {one_line(each)}"
        for each in dict.fromkeys((*progress.failures, *report.plan_errors))
    )
    good = app.page.status // _ALL == 2  # noqa: PLR2004 - HTTP's own
    if not codes:
        yield (
            f"ZAP tells of no answer from {here}: all of it is out of scope, or its image is older"
            " than 2.17"
        )
    elif good and codes.get("3xx", 0) >= codes.get("2xx", 0) > 0:
        yield (
            f"most of what ZAP asked {here} for leads elsewhere ({codes['3xx']} % of the answers):"
            " [app] sign_in signs scanners in; if that is as it should be, `exclude` the pages that"
            " only send on"
        )
    lost = max((each.value for each in report.insights if each.key == _NETWORK), default=0)
    if lost >= _HALF:
        yield f"{lost} % of ZAP's requests got no answer"
    yield from _walled(report, here)


def _warned(warning: str, app: App) -> Iterator[str]:
    page = unexpected(warning)
    if page is None:
        yield f"ZAP warns: {one_line(warning)}"
    elif page.is_at(app.url) and page.status != app.page.status:
        yield f"{app.url} answered ZAP with {page.status}, and {app.page.status} is due"


def _walled(report: Report, here: str) -> Iterator[str]:
    """Yield where even `robots.txt` is answered by another page, which was told what was asked.

    An application that sends only unknown addresses there has pages of its own, too.
    """
    found = [each.uri for one in findings_of(report) for each in one.instances.values()]
    seen = [uri.partition("?") for uri in found if origin(uri) == here]
    pages = [(normal(path), query) for path, _, query in seen]
    led = [page for page, query in pages if any(name in query for name in _WELL_KNOWN)]
    others = {urlsplit(page).path for page, _ in pages if page not in led}
    if led and all(_NO_PROOF.fullmatch(path) for path in others):
        yield (
            f"the application sends every address on to {one_line(led[0], 200)}: a login wall;"
            " [app] sign_in signs scanners in"
        )


def _old(report: Report, before: Path | None) -> Iterator[str]:
    """Yield where the report is older than the question that was asked before the scan."""
    try:
        created = datetime.fromisoformat(report.created)
    except ValueError:
        return  # one that tells no time tells no codes either
    if before is None or created.tzinfo is None:
        return
    asked = datetime.fromtimestamp(before.stat().st_mtime, UTC)
    if asked - created > _OLD:
        yield f"ZAP's report is one of an earlier run: it was written {report.created[:19]}"


def _few(report: Report, app: App, pages: int, least: int) -> Iterator[str]:
    if not 0 < pages < least:  # none is told of by itself
        return
    if report.of(app.origin, "insight.endpoint.ctype.application/json"):
        yield (
            "ZAP saw the application at its root only, which speaks JSON: there are no links in"
            " that; zap-api reads its OpenAPI description"
        )
    else:
        yield (
            f"ZAP saw {pages} of its pages, and {least} are due: [app] path says where it begins,"
            " `pages` how many there are"
        )


def _asked(app: App, *, scripted: bool) -> int:
    """Return how many addresses ZAP asks for that need be no page of the application.

    They are among its endpoints, there or not. The script asks for the host's root, too, where the
    application lies below it; a plan begins where it says.
    """
    return len(_WELL_KNOWN) + (scripted and urlsplit(app.url).path not in {"", "/"})


def _pages(report: Report, app: App, asked: int) -> int:
    """Return how many pages ZAP saw, by its own count of endpoints, less what it asks for anyway.

    A root with its slash is one of them, and one without is not.
    """
    total = report.of(app.origin, "insight.endpoint.total") or 0
    return max(1, total - asked) if total else 0


def _others(report: Report, here: str) -> set[str]:
    """Return the origins beside the application's that it looked at."""
    named = {each.origin for each in findings_of(report)}
    return {each for each in (*named, *report.origins) if each and each != here}
