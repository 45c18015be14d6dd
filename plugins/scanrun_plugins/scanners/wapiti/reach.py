"""Whether wapiti saw the application: what report and log tell, against each other."""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from scanrun.api import App, Outputs, Reached, origin_of, pages_due, reach_of
from scanrun_plugins.scanners.wapiti.command import REPORT
from scanrun_plugins.scanners.wapiti.crawl import Crawl, read_log, unlaunched
from scanrun_plugins.scanners.wapiti.options import options_of
from scanrun_plugins.scanners.wapiti.report import Report, read_report
from scanrun_plugins.scanners.web.launch import start_url

_SHOWN = 5
_OK = 2
_SCRIPTS = (".js", ".mjs")
"""No pages: an application that is made of one script alone shows itself to browsers only."""


def reached(outputs: Outputs) -> Reached:
    """Return what it saw, and why that may not be the application, or not all of it."""
    report, crawl = read_report(outputs[REPORT]), read_log(outputs.log)
    answers = report.answers
    options = options_of(outputs.options)
    due = outputs.app.page.status if outputs.app else 0
    good = {url for (_, url), code in answers.items() if code // 100 == _OK or code == due}
    pages = sum(not urlsplit(url).path.endswith(_SCRIPTS) for url in good)
    problems = (
        *(_about(report, outputs.app) if outputs.app else ()),
        *_whole(report, crawl),
        *_dropped(report, crawl),
        *unlaunched(crawl, options.chosen),
        *_few(pages, pages_due(outputs, options.pages)),
    )
    return reach_of(
        outputs, pages=pages, codes=_codes(report), others=_others(report), problems=problems
    )


def _about(report: Report, app: App) -> Iterator[str]:
    """Yield what shows that the report is about something else."""
    if _origin(report.infos.target) != app.origin:
        yield f"its report is about {report.infos.target}, not {app.url}"
        return
    begun = _start(report, app)
    if begun is None:
        yield f"it got no answer from {app.url}"
    elif begun // 100 == 3 and app.page.status // 100 != 3:  # noqa: PLR2004 - HTTP's own
        yield (
            f"its start page answers {begun}, which is all that its modules looked at;"
            " [app] path says where it leads to"
        )
    elif begun // 100 != _OK and begun != app.page.status:
        yield f"its start page answers {begun}"


def _start(report: Report, app: App) -> int | None:
    """Return the status of the start page; None where it has none."""
    wanted = start_url(app)
    return next(
        (status for (_, url), status in report.answers.items() if url in {wanted, app.url}), None
    )


def _whole(report: Report, crawl: Crawl) -> Iterator[str]:
    """Yield what shows that report or log are not those of a whole scan."""
    if not crawl.confined:
        yield (
            "it was not started through scanrun's own launcher: nothing kept it to the application"
            " (is `wapiti` a program that runs another one?)"
        )
    if crawl.found is None or not crawl.written:
        yield "its log does not tell that it came to its end"
    elif crawl.found != report.infos.crawled_pages_nbr:
        yield (
            f"its log tells of {crawl.found} pages, its report of {report.infos.crawled_pages_nbr}"
        )
    if report.infos.crawled_pages is None:
        yield "its report does not list the pages that it saw (`-dr 1`)"
    elif len(report.infos.crawled_pages) != report.infos.crawled_pages_nbr:
        yield "its report does not list all pages that it counts"


def _few(pages: int, least: int) -> Iterator[str]:
    if 0 < pages < least:
        yield (
            f"it saw {pages} of its pages, and {least} are due: [app] path says where it begins,"
            " `pages` how many there are; links that a script makes are not seen"
        )


def _dropped(report: Report, crawl: Crawl) -> Iterator[str]:
    """Yield which pages it asked for and never speaks of again: the log says nothing of some."""
    if report.infos.crawled_pages is None:
        return
    if dropped := sorted({url for _, url in crawl.asked - set(report.answers)}):
        more = f" and {len(dropped) - _SHOWN} more" if len(dropped) > _SHOWN else ""
        yield (
            "pages that it asked for and did not look at (no answer, over 2 MB, or no text):"
            f" {', '.join(dropped[:_SHOWN])}{more}; `exclude` leaves a path alone"
        )


def _codes(report: Report) -> dict[str, int]:
    count = Counter(f"{status // 100}xx" for status in report.answers.values() if status)
    total = sum(count.values())
    return {code: max(1, number * 100 // total) for code, number in sorted(count.items())}


def _others(report: Report) -> Iterator[str]:
    """Yield the origins that its requests really went to."""
    scheme = urlsplit(report.infos.target).scheme
    for host in sorted({each.host for _, each in report.findings} - {""}):
        yield f"{scheme}://{host}/"


def _origin(address: str) -> str:
    try:
        return origin_of(address)
    except ValueError:
        return ""
