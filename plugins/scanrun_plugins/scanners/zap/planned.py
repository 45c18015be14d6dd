"""What the scanners that run a plan have in common."""

from collections.abc import Iterator
from pathlib import Path

from scanrun.api import (
    Category,
    Need,
    Notification,
    Outputs,
    Reached,
    Result,
    Rule,
    ScanError,
    Service,
    Step,
    Target,
)
from scanrun_plugins.scanners.zap import proof
from scanrun_plugins.scanners.zap.command import DRIVER
from scanrun_plugins.scanners.zap.convert import convert_report, report_in
from scanrun_plugins.scanners.zap.failures import failure
from scanrun_plugins.scanners.zap.launch import needs_of, services_of


class Planned:
    """A scanner that runs a plan of the Automation Framework. On request only."""

    name: str
    category = Category.DAST
    driver = DRIVER
    on_request = True
    embedded = False
    crawls = True
    """It looks for pages itself."""
    signs = proof.SIGNS
    variables = ("ZAP_*",)

    def services(self, target: Target) -> tuple[Service, ...]:
        """Return the application."""
        return services_of(target)

    def secrets(self, target: Target) -> tuple[Need, ...]:
        """Return the header that signs in."""
        return needs_of(target)

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what the report holds, and what was not looked at."""
        per_rule = self.per_rule(outputs)
        yield from convert_report(report_in(outputs), self.category, per_rule=per_rule)
        yield from (Notification(text) for text in self.left_out(outputs))
        yield from proof.told(outputs)
        yield from proof.spiders_cut_short(outputs, self.spiders(outputs))

    def spiders(self, outputs: Outputs) -> Iterator[tuple[str, int]]:  # noqa: ARG002 - see above
        """Yield type and minutes (0: no limit) of each job that looks for pages, in order."""
        return iter(())

    def per_rule(self, outputs: Outputs) -> int:  # noqa: ARG002 - for those that know more
        """Return how many places ZAP lists of a rule that only looks; 0: all of them."""
        return 0

    def left_out(self, outputs: Outputs) -> Iterator[str]:  # noqa: ARG002 - for those that know more
        """Yield a sentence on each thing that the configuration keeps ZAP from."""
        return iter(())

    def reached(self, outputs: Outputs) -> Reached:
        """Return what ZAP saw of the application."""
        least = int(outputs.options.get("pages", 1))
        report = report_in(outputs)
        return proof.reached(outputs, report, least_pages=least, crawled=self.crawled(outputs))

    def crawled(self, outputs: Outputs) -> bool:  # noqa: ARG002 - for those that know more
        """Say whether ZAP has looked for pages itself."""
        return self.crawls

    def failure(self, step: Step, exit_code: int, log: Path) -> ScanError | None:
        """Return what an exit code means."""
        return failure(self.name, step, exit_code, log)

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return report_in(outputs).version
