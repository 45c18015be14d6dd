"""ZAP's full scan: a spider, rules that look, and attacks on all that was found."""

from collections.abc import Iterator

from scanrun.api import Applies, Outputs, Step, Target
from scanrun_plugins.scanners.zap.launch import app_of, applies_to_app, start_of, steps_around
from scanrun_plugins.scanners.zap.options import FullOptions
from scanrun_plugins.scanners.zap.planned import Planned
from scanrun_plugins.scanners.zap.plans import (
    attacking,
    crawling,
    environment,
    looking,
    plan_step,
    reports,
    waiting,
)
from scanrun_plugins.scanners.zap.rules import check_scope, rule_set

_BEYOND_S = 7200.0


class ZapFull(Planned):
    """Attacks the application: never on one whose data somebody needs."""

    name = "zap-full"
    options = FullOptions

    def applies(self, target: Target) -> Applies:
        """Only where an application is configured."""
        return applies_to_app(target)

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return a probe, the plan, and a probe."""
        options = FullOptions(**target.options)
        app = app_of(target)
        rules = rule_set(options, target.snapshot)
        check_scope(rules, app)
        plan = {
            "env": environment(app, rules.excluded),
            "jobs": [
                looking(),
                *crawling(options, start_of(app)),
                waiting(),
                attacking(options.strength, options.threshold),
                waiting(),
                *reports(),
            ],
        }
        seconds = 60.0 * options.minutes * (2 if options.ajax else 1) + _BEYOND_S
        scan = plan_step(target, options, plan, browser=options.ajax, timeout_s=seconds)
        return steps_around(target, scan)

    def left_out(self, outputs: Outputs) -> Iterator[str]:
        """Yield a sentence on each pattern that is excluded."""
        return rule_set(FullOptions(**outputs.options), outputs.snapshot).told()

    def spiders(self, outputs: Outputs) -> Iterator[tuple[str, int]]:
        """Yield the jobs that look for pages."""
        options = FullOptions(**outputs.options)
        kinds = ("spider", "spiderAjax") if options.ajax else ("spider",)
        return ((kind, options.minutes) for kind in kinds)
