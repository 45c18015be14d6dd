"""wapiti against the application under test."""

from collections.abc import Iterator
from dataclasses import replace

from scanrun.api import (
    App,
    Applies,
    Category,
    Driver,
    Notification,
    Outputs,
    Reached,
    Result,
    Rule,
    Service,
    Step,
    Target,
    Task,
    probe_step,
)
from scanrun_plugins.scanners.wapiti.command import IMAGE, REPORT, scan_step
from scanrun_plugins.scanners.wapiti.crawl import SIGNS
from scanrun_plugins.scanners.wapiti.findings import rules_and_results
from scanrun_plugins.scanners.wapiti.options import Options, options_of
from scanrun_plugins.scanners.wapiti.reach import reached
from scanrun_plugins.scanners.wapiti.report import read_report
from scanrun_plugins.scanners.web.launch import NO_APP


class Wapiti:
    """Crawls the application and looks at its headers and cookies; attacks only when it is told."""

    name = "wapiti"
    category = Category.DAST
    driver = Driver("wapiti", "Wapiti", "Wapiti", "https://wapiti-scanner.github.io")
    on_request = True
    embedded = False
    options = Options
    signs = SIGNS

    def applies(self, target: Target) -> Applies:
        """Apply where an application is configured."""
        if target.app is None:
            return Applies(yes=False, reason="no application ([app])", configured=False)
        return Applies(yes=True, reason=target.app.own_url or target.app.url)

    def services(self, target: Target) -> tuple[Service, ...]:
        """Return the application, where it is reached by one."""
        return target.app.beside(target.configured_image or IMAGE) if target.app else ()

    def steps(self, target: Target) -> tuple[Step | Task, ...]:
        """Ask the application where wapiti stands, scan it, and ask again."""
        app = target.app or NO_APP
        return (
            _probe(app, "before"),
            scan_step(target, app, options_of(target.options)),
            _probe(app, "after"),
        )

    def reached(self, outputs: Outputs) -> Reached:
        """Return what wapiti saw: its exit code is 0 whatever that was."""
        return reached(outputs)

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return read_report(outputs[REPORT]).version

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield each finding once, and say what was not tried."""
        report = read_report(outputs[REPORT])
        if options_of(outputs.options).quiet:
            text = "it was only looked at, not attacked: [scanner.wapiti] active = true"
            yield Notification(text, level="note")
        yield from rules_and_results(report)


def _probe(app: App, name: str) -> Step:
    return replace(probe_step(app, name, image=IMAGE), pulled=False)
