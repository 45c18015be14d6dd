"""`zap-baseline.py`: a spider, and rules that only look at what it is given.

https://www.zaproxy.org/docs/docker/baseline-scan/
"""

from collections.abc import Iterator
from pathlib import Path

from scanrun.api import (
    Applies,
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
    StepError,
    Target,
)
from scanrun_plugins.scanners.zap import proof
from scanrun_plugins.scanners.zap.command import DRIVER, WORK
from scanrun_plugins.scanners.zap.convert import convert_report, report_in
from scanrun_plugins.scanners.zap.failures import failure
from scanrun_plugins.scanners.zap.launch import (
    app_of,
    applies_to_app,
    memory_of,
    needs_of,
    own_options,
    scan_step,
    services_of,
    start_of,
    steps_around,
)
from scanrun_plugins.scanners.zap.options import Options
from scanrun_plugins.scanners.zap.rules import NAME, check_scope, rule_set

_BEYOND_S = 1200.0
"""What ZAP may take beside its spider: its start, and rules that still look at what was found."""
_PER_RULE = 10
"""Places that the script has ZAP list of a rule: it can't be told otherwise."""
_LEGACY = ("-g", "-i", "-l", "-n", "-U", "-p", "--hook", "--autooff")
_OURS = ("-t", "-J", "-x", "-z", "-m", "-c", "-u", "-j", "--plan-only", "-h")
_FLAGS = "hdaijsI"
"""Options of one letter that take no value."""
_WHY = {
    **dict.fromkeys(
        _LEGACY, "switches to ZAP's older mode, in which an application that is away looks clean"
    ),
    **dict.fromkeys(_OURS, "is what scanrun itself says, or has an option for"),
    "-T": "cuts the rules' own work short, without a word in the report",
    "-r": "writes a report before the one that is read: if it fails, that is never written",
    "-w": "writes a report before the one that is read: if it fails, that is never written",
    "-a": "fetches rules while it runs, which it can't here",
}


class Zap:
    """The baseline, always in the mode of the Automation Framework."""

    name = "zap"
    category = Category.DAST
    driver = DRIVER
    options = Options
    signs = proof.SIGNS
    variables = ("ZAP_*",)

    def applies(self, target: Target) -> Applies:
        """Only where an application is configured."""
        return applies_to_app(target)

    def services(self, target: Target) -> tuple[Service, ...]:
        """Return the application."""
        return services_of(target)

    def secrets(self, target: Target) -> tuple[Need, ...]:
        """Return the header that signs in."""
        return needs_of(target)

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return a probe, the scan, and a probe."""
        options = Options(**target.options)
        app, memory = app_of(target), memory_of(target, browser=options.ajax)
        rules = rule_set(options, target.snapshot)
        check_scope(rules, app)
        _check_arguments(target.args)
        tsv = rules.tsv()
        argv = (
            *(
                "zap-baseline.py",
                "-t",
                start_of(app),
                "-J",
                "report.json",
                "-x",
                "report.xml",
                "-I",
            ),
            *("-m", str(options.minutes)),
            *("-z", " ".join(own_options(options, memory))),
            *(("-c", NAME) if tsv else ()),
            *(("-j",) if options.ajax else ()),
            *target.args,
        )
        scan = scan_step(
            target,
            argv,
            memory_mb=memory,
            files={f"{WORK}/{NAME}": tsv} if tsv else {},
            # 1: a rule whose level is FAIL; 2: any rule. The report tells, or there is none
            ok_exit_codes={0, 1, 2},
            timeout_s=(2 if options.ajax else 1) * 60.0 * options.minutes + _BEYOND_S,
        )
        return steps_around(target, scan)

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what the report holds, and what was not looked at."""
        options = Options(**outputs.options)
        rules = rule_set(options, outputs.snapshot)
        yield from convert_report(
            report_in(outputs), self.category, ignored=rules.ignored, per_rule=_PER_RULE
        )
        yield from (Notification(text) for text in rules.told())
        yield from proof.told(outputs)
        yield from proof.cut_short(outputs, options.minutes)

    def reached(self, outputs: Outputs) -> Reached:
        """Return what ZAP saw of the application."""
        options = Options(**outputs.options)
        return proof.reached(outputs, report_in(outputs), least_pages=options.pages, scripted=True)

    def failure(self, step: Step, exit_code: int, log: Path) -> ScanError | None:
        """Return what an exit code means."""
        return failure(self.name, step, exit_code, log)

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return report_in(outputs).version


def _check_arguments(args: tuple[str, ...]) -> None:
    """Refuse arguments by which a report would be another one, or mean less.

    Raises:
        StepError: it names one, and why.
    """
    rest = iter(args)
    for each in rest:
        for name in _options_in(each, rest):
            found = next((why for known, why in _WHY.items() if _is(name, known)), "")
            if found:
                raise StepError(f"`args` has {each!a:.80}, which {found}", hint="take it out")


def _options_in(word: str, rest: Iterator[str]) -> Iterator[str]:
    """Yield the options in a word, as getopt reads it: `-si` is two, `-D 5` takes the next word."""
    if word.startswith("--"):
        yield word.partition("=")[0]
    elif word.startswith("-"):
        for number, letter in enumerate(word[1:], 2):
            yield f"-{letter}"
            if letter not in _FLAGS:
                if number == len(word):
                    next(rest, "")
                return
    else:
        raise StepError(f"`args` has {word!a:.80}, which is no option", hint="take it out")


def _is(name: str, known: str) -> bool:
    """Say whether an argument is that option; a long one may be cut short."""
    if known.startswith("--"):
        return len(name) > len("--") and known.startswith(name) and name != "--auto"
    return name == known
