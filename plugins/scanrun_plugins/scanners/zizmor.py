"""zizmor: weaknesses in GitHub workflows and actions. Writes SARIF itself.

https://docs.zizmor.sh
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from scanrun.api import (
    Applies,
    Canary,
    Category,
    ConversionError,
    Driver,
    Ignore,
    Influence,
    Input,
    Notification,
    Outputs,
    Result,
    Rule,
    Scanner,
    Severity,
    Sign,
    SnapshotFile,
    Step,
    Target,
    hookimpl,
    read_json,
    result,
    rule,
)
from scanrun_plugins.scanners.log_names import unforged

IMAGE = "ghcr.io/zizmorcore/zizmor:1.32.0"
REPORT = "/out/zizmor.sarif"
WORKFLOWS = re.compile(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml$")
ACTIONS = re.compile(r"(?:^|/)action\.ya?ml$")

_COMPLETED = re.compile(r"^ *INFO audit: zizmor: [^\w\s]* ?completed (\S.*?)\s*$", re.MULTILINE)
_CANARY = b"""\
on: pull_request
jobs:
  canary:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.pull_request.title }}"
"""


class _Region(msgspec.Struct, rename="camel"):
    start_line: int
    end_line: int | None = None
    start_column: int | None = None
    end_column: int | None = None


class _Artifact(msgspec.Struct):
    uri: str


class _Physical(msgspec.Struct, rename="camel"):
    artifact_location: _Artifact
    region: _Region


class _Location(msgspec.Struct, rename="camel"):
    physical_location: _Physical


class _Text(msgspec.Struct):
    text: str


class _Words(msgspec.Struct):
    severity: str = msgspec.field(name="zizmor/severity")
    confidence: str = msgspec.field(name="zizmor/confidence", default="")


class _Result(msgspec.Struct, rename="camel"):
    rule_id: str
    message: _Text
    locations: list[_Location]
    properties: _Words


class _Rule(msgspec.Struct, rename="camel"):
    id: str
    help: _Text
    help_uri: str = ""


class _Driver(msgspec.Struct):
    name: str
    rules: list[_Rule]
    version: str = ""


class _Tool(msgspec.Struct):
    driver: _Driver


class _Run(msgspec.Struct):
    tool: _Tool
    results: list[_Result]


class _Log(msgspec.Struct):
    runs: list[_Run]


class Zizmor:
    """Audits offline, with the default persona, and without the tree's own configuration."""

    name = "zizmor"
    category = Category.IAC
    driver = Driver("zizmor", "zizmor", "zizmor", "https://docs.zizmor.sh")
    on_request = False
    embedded = True
    signs = (
        Sign(r"failed to (?:parse|validate|load) .*", "a workflow or action can't be read"),
        Sign(r"^\s*ERROR\b|\bpanicked at\b", "an audit failed"),
    )

    tells: Mapping[str, Influence] = {
        name: Influence(effect="switches audits off", left_out=False)
        for name in ("zizmor.yml", "zizmor.yaml")
    }
    variables = ("ZIZMOR_*",)
    ignores = (Ignore(r"#\s*zizmor:\s*ignore\[(?P<rules>[^\]]*)\](?P<reason>.*)"),)

    def applies(self, target: Target) -> Applies:
        """Apply to workflows and actions."""
        return Applies.to(_inputs(target), "workflow file")

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Collect all, ignored or not, and show what a comment would hide."""
        argv = ("--offline", "--no-config", "--no-ignores", "--collect=all", "--no-progress")
        shape = ("--color=never", "--format=sarif")
        return (
            Step.scan(
                IMAGE,
                (*argv, *shape, *target.args, "."),
                output=REPORT,
                stdout=REPORT,
                executable="zizmor",
                workdir="/src",
            ),
        )

    def canary(self) -> Canary:
        """Return a workflow that runs a stranger's words."""
        return Canary({".github/workflows/canary.yml": _CANARY}, rule_id="template-injection")

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return all workflows and actions."""
        return tuple(Input(file.path, "workflow file") for file in _inputs(target))

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return the files that its log calls completed: a broken one is only left out."""
        if outputs.log is None:
            return frozenset()
        text = outputs.log.read_text(encoding="utf-8", errors="surrogateescape")
        named = (path.removeprefix("./") for path in _COMPLETED.findall(text))
        return unforged(named, outputs.snapshot)

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return _run(outputs).tool.driver.version

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield its results with its own words for severity; snippets are left behind."""
        run = _run(outputs)
        helps = {each.id: each for each in run.tool.driver.rules}
        by_rule: dict[str, list[_Result]] = {}
        for found in sorted(run.results, key=_order):
            by_rule.setdefault(found.rule_id, []).append(found)
        for rule_id, results in by_rule.items():
            if rule_id not in helps:
                raise ConversionError(f"rule {rule_id!r} is not described")
            yield _rule(helps[rule_id], max(results, key=lambda each: _severity(each).score))
            yield from map(_result, results)


def _run(outputs: Outputs) -> _Run:
    runs = read_json(outputs[REPORT], _Log).runs
    if len(runs) != 1 or runs[0].tool.driver.name != "zizmor":
        raise ConversionError("the report is not zizmor's")
    if any(not found.locations for found in runs[0].results):
        raise ConversionError("a result has no place")
    return runs[0]


def _rule(described: _Rule, worst: _Result) -> Rule:
    """Return the rule. How bad it is depends on the place; the rule is as bad as it gets."""
    rule_id = _short(described.id)
    return rule(
        rule_id,
        name="".join(word.capitalize() for word in rule_id.split("-")),
        short=described.help.text,
        severity=_severity(worst),
        category=Category.IAC,
        precision=worst.properties.confidence.lower(),
        help_uri=described.help_uri,
    )


def _result(found: _Result) -> Result:
    region = found.locations[0].physical_location.region
    return result(
        _short(found.rule_id),
        found.message.text,
        path=_path(found),
        severity=_severity(found),
        line=region.start_line,
        end_line=region.end_line,
        column=region.start_column,
        end_column=region.end_column,
        properties={"confidence": found.properties.confidence.lower()},
    )


def _severity(found: _Result) -> Severity:
    return Severity.of_word(found.properties.severity)


def _order(found: _Result) -> tuple[str, int, int, str, str]:
    region = found.locations[0].physical_location.region
    place = (_path(found), region.start_line, region.start_column or 0)
    return (*place, found.rule_id, found.message.text)


def _path(found: _Result) -> str:
    return found.locations[0].physical_location.artifact_location.uri.removeprefix("./")


def _short(rule_id: str) -> str:
    return rule_id.removeprefix("zizmor/")


def _inputs(target: Target) -> tuple[SnapshotFile, ...]:
    found = (f for f in target.files if WORKFLOWS.search(f.path) or ACTIONS.search(f.path))
    return tuple(found)


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add zizmor."""
    return [Zizmor()]
