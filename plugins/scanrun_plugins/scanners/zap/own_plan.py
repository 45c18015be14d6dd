"""ZAP by a plan of the user's own."""

import re
from collections.abc import Iterator

from scanrun.api import Applies, Outputs, Step, StepError, Target
from scanrun_plugins.scanners.zap.launch import app_of, applies_to_app, steps_around
from scanrun_plugins.scanners.zap.options import PlanOptions
from scanrun_plugins.scanners.zap.planned import Planned
from scanrun_plugins.scanners.zap.plans import Json, environment, looking, plan_step, reports
from scanrun_plugins.scanners.zap.tree_file import tree_file
from scanrun_plugins.scanners.zap.user_plan import SPIDER, checked_plan

_SECONDS = 7200.0
_NUMBER = re.compile(r"[0-9]{1,6}")
_PER_RULE = 10


class ZapPlan(Planned):
    """Runs a plan as it stands in the tree, on the configured application and on nothing else."""

    name = "zap-plan"
    options = PlanOptions

    def applies(self, target: Target) -> Applies:
        """Only where an application and a plan are configured."""
        if target.app is not None and not PlanOptions(**target.options).plan:
            reason = "no plan: set plan in [zap-plan]"
            return Applies(yes=False, reason=reason, configured=False)
        return applies_to_app(target)

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return a probe, the plan, and a probe."""
        options = PlanOptions(**target.options)
        app = app_of(target)
        if options.plan:
            content = tree_file(target.snapshot, options.plan, "plan")
            plan, _ = checked_plan(content, options.plan, app)
        elif target.app is None:
            plan = {"env": environment(app), "jobs": [looking(), *reports()]}
        else:
            raise StepError("no plan is named", hint="set plan in [zap-plan]")
        scan = plan_step(target, options, plan, source="/src", timeout_s=_SECONDS)
        return steps_around(target, scan)

    def left_out(self, outputs: Outputs) -> Iterator[str]:
        """Yield a sentence on each job that is not run."""
        yield from self._checked(outputs)[1]

    def crawled(self, outputs: Outputs) -> bool:
        """Say whether a job of the plan looks for pages; without one it asks for no robots.txt."""
        plan = self._checked(outputs)[0]
        return not plan or bool(_spiders(plan))

    def spiders(self, outputs: Outputs) -> Iterator[tuple[str, int]]:
        """Yield type and minutes of each job that looks for pages."""
        for each in _spiders(self._checked(outputs)[0]):
            yield each["type"], _number(each, "maxDuration", 0)

    def per_rule(self, outputs: Outputs) -> int:
        """Return what the plan says, or what ZAP does without a word on it."""
        found = _PER_RULE
        for each in self._checked(outputs)[0].get("jobs", ()):
            if each["type"] == "passiveScan-config":
                found = _number(each, "maxAlertsPerRule", found)
        return found

    def _checked(self, outputs: Outputs) -> tuple[Json, tuple[str, ...]]:
        path = PlanOptions(**outputs.options).plan
        if not path or outputs.app is None:
            return {}, ()
        content = tree_file(outputs.snapshot, path, "plan")
        return checked_plan(content, path, outputs.app)


def _number(job: Json, name: str, default: int) -> int:
    told = job.get("parameters")
    text = str(told.get(name)) if isinstance(told, dict) else ""
    return int(text) if _NUMBER.fullmatch(text) else default


def _spiders(plan: Json) -> list[Json]:
    return [each for each in plan.get("jobs", ()) if each["type"].startswith(SPIDER)]
