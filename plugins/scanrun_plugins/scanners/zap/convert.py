"""From ZAP's report to rules and results."""

from collections.abc import Callable, Iterator

from scanrun.api import Category, Notification, Outputs, Result, Rule
from scanrun_plugins.scanners.web.texts import one_line
from scanrun_plugins.scanners.zap.alerts import findings_of
from scanrun_plugins.scanners.zap.command import REPORT, XML_REPORT
from scanrun_plugins.scanners.zap.findings import make_result, make_rule, rule_id
from scanrun_plugins.scanners.zap.report import Report, read_report


def report_in(outputs: Outputs) -> Report:
    """Return the report.

    Raises:
        ConversionError: unreadable, cut off, another tool's, or of a form not yet known.
    """
    return read_report(outputs[REPORT], outputs.get(XML_REPORT))


def _none(plugin: str) -> str:  # noqa: ARG001 - as those that a configuration names
    return ""


def convert_report(
    report: Report,
    category: Category,
    *,
    ignored: Callable[[str], str] = _none,
    per_rule: int = 0,
) -> Iterator[Rule | Result | Notification]:
    """Yield what `report` holds. `ignored` says why what a rule finds is to be suppressed.

    `per_rule` is how many places ZAP listed of a rule that only looks; 0: all of them.
    """
    yield from _notes(report)
    yield from _cut_off(report, per_rule)
    ruled: set[str] = set()
    for finding in findings_of(report):
        alert = finding.alert
        if rule_id(alert) not in ruled:
            ruled.add(rule_id(alert))
            yield make_rule(alert, category)
        yield make_result(finding, ignored(alert.plugin))


def _notes(report: Report) -> Iterator[Notification]:
    if report.instead_of:
        yield Notification(f"{report.instead_of}: the XML of the same run was read instead")
    if report.stopping:
        why = one_line(f"{report.stopping.description} ({report.stopping.key})")
        yield Notification(
            f"ZAP broke its scan off, and lost what it had found: {why}, {report.stopping.value}",
            "error",
        )
    for each in report.insights:
        if each.level.lower() == "high" and not report.stopping:
            what = one_line(each.description or each.key)
            yield Notification(f"ZAP was in trouble: {what}, {each.value}", "error")
        elif each.key == "insight.log.error" and each.value > 0:
            yield Notification(
                f"ZAP logged {each.value} errors: a rule may have crashed on a page, and counts"
                " as passed there"
            )
        elif each.key == "insight.network.failure" and each.value > 0:
            yield Notification(f"{each.value} % of what ZAP asked for was not answered at all")
    if report.sequences:
        yield Notification("the report holds sequences, whose alerts are not read", "error")


def _cut_off(report: Report, per_rule: int) -> Iterator[Notification]:
    """Yield a word on each rule of which ZAP lists as many places as it may."""
    places: dict[str, set[tuple[str, ...]]] = {}
    systemic: set[str] = set()
    for alert in (each for site in report.sites for each in site.alerts):
        found = places.setdefault(alert.plugin, set())
        found.update((each.uri, each.method, each.param or "") for each in alert.places)
        if alert.systemic:
            systemic.add(alert.plugin)
    for rule, found in places.items():
        if rule in systemic or 0 < per_rule <= len(found):
            text = f"rule {one_line(rule, 40)}: ZAP lists {len(found)} places and no more"
            yield Notification(text, "note")
