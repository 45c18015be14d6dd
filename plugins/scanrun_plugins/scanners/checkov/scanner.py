"""Checkov on a tree of files."""

from collections.abc import Iterable, Iterator, Mapping

from scanrun.api import (
    CANARY_DIR,
    Applies,
    Canary,
    Category,
    Driver,
    Input,
    Limits,
    Notification,
    Outputs,
    Result,
    Rule,
    Sign,
    Step,
    Target,
    result,
    rule,
)
from scanrun_plugins.scanners.checkov import inputs
from scanrun_plugins.scanners.checkov.report import Check, Report
from scanrun_plugins.scanners.checkov.rules import is_secret, severity_of

IMAGE = "bridgecrew/checkov:3.3.30"
REPORT = "/out/checkov.json"

_ENV = {
    "CHECKOV_PARALLELIZATION_TYPE": "none",
    "CKV_IGNORED_DIRECTORIES": "",
    "CKV_IGNORE_HIDDEN_DIRECTORIES": "false",
    "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true",
}
"""Workers outlive a killed parent; folders with a dot and node_modules are passed over otherwise;
and even offline it would ask the package index for a newer version."""
_RUN_PROGRAMS = "helm,kustomize"
"""Frameworks that run programs of these names on the tree."""
_LIMITS = Limits(memory_mb=2048)
_CREDENTIALS = 798
_NAMED = 10
_CONFIGURATION = "switches checks off, and can make checkov run code of the tree"
_TERRAFORM = b"""\
resource "aws_security_group_rule" "canary" {
  type        = "ingress"
  from_port   = 22
  to_port     = 22
  protocol    = "tcp"
  cidr_blocks = ["0.0.0.0/0"]
}
"""
_POD = b"""\
apiVersion: v1
kind: Pod
metadata:
  name: canary
spec:
  containers:
    - name: canary
      image: canary
      securityContext:
        privileged: true
"""
_WORKFLOW = b"""\
on: issues
jobs:
  canary:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.issue.title }}"
"""


class Checkov:
    """Checks infrastructure as code, offline, without any configuration of the tree's own."""

    name = "checkov"
    category = Category.IAC
    driver = Driver("Checkov", "Checkov", "Bridgecrew", "https://www.checkov.io")
    on_request = True
    embedded = False
    variables = ("CKV_*", "CHECKOV_*", "BC_*", "PRISMA_*")
    tells: Mapping[str, str] = {
        ".checkov.yaml": _CONFIGURATION,
        ".checkov.yml": _CONFIGURATION,
    }
    signs = (
        Sign(r"\[ERROR\s*\]", "a file was not checked, or a check failed"),
        Sign(r"Traceback \(most recent call last\)", "it failed"),
        Sign(
            r"Failed to download module|Unable to load module",
            "a Terraform module is not in the tree",
            incomplete=False,
        ),
    )

    def applies(self, target: Target) -> Applies:
        """Apply to what may be infrastructure as code."""
        return Applies.to(target.match(*inputs.CODE), "file")

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Print JSON, whole: `--quiet` would leave out what could not be parsed."""
        argv = ("-d", ".", "--skip-download", "--skip-framework", _RUN_PROGRAMS, "-o", "json")
        return (
            Step(
                image=IMAGE,
                executable="checkov",
                argv=(*argv, *target.args),
                env=_ENV,
                workdir="/src",
                outputs=(REPORT,),
                stdout=REPORT,
                ok_exit_codes=frozenset({0, 1}),
                limits=_LIMITS.with_memory(target.memory_mb),
            ),
        )

    def canary(self) -> Canary:
        """Return a file for each of four frameworks."""
        files = {
            "Dockerfile": b"FROM a:latest\n",
            "main.tf": _TERRAFORM,
            "pod.yaml": _POD,
            ".github/workflows/canary.yml": _WORKFLOW,
        }
        return Canary(files, rule_id=("CKV_DOCKER_7", "CKV_AWS_24", "CKV_K8S_16", "CKV_GHA_2"))

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return the files of which a check must say something."""
        return tuple(inputs.expected(target.snapshot))

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return the files of which a check says something."""
        return Report(outputs[REPORT]).read_files

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return Report(outputs[REPORT]).version

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield failed checks, skipped ones as suppressed, and what was not checked.

        The order of the report differs from run to run.
        """
        report = Report(outputs[REPORT])
        yield from _unparsed(report, outputs)
        yield from _passed_over(report, outputs)
        known: set[str] = set()
        for check in sorted((*report.failed, *report.skipped), key=_order):
            if check.check_id not in known:
                known.add(check.check_id)
                yield _rule(check)
            yield _result(check)


def _unparsed(report: Report, outputs: Outputs) -> Iterator[Notification]:
    if not report.whole:
        text = "the report holds no passed check: it would not tell what could not be parsed"
        yield Notification(text, level="error")
    for path, frameworks in sorted(report.unparsed.items()):
        if path.startswith(f"{CANARY_DIR}/"):
            continue
        # every JSON file of the tree is tried as a Terraform plan
        tried = frameworks == {"terraform_plan"} and not inputs.is_plan(outputs.snapshot, path)
        level = "note" if tried else "error"
        kinds = ", ".join(sorted(frameworks))
        yield Notification(f"{path}: can't be parsed as {kinds}", level=level, path=path)


def _passed_over(report: Report, outputs: Outputs) -> Iterator[Notification]:
    if paths := inputs.passed_over(outputs.snapshot, report.read_files):
        named = ", ".join(paths[:_NAMED]) + (", …" if len(paths) > _NAMED else "")
        plural = "" if len(paths) == 1 else "s"
        yield Notification(f"no check looked at {len(paths)} file{plural} ({named})")
    if paths := inputs.silent(outputs.snapshot, report.read_files):
        named = ", ".join(paths[:_NAMED]) + (", …" if len(paths) > _NAMED else "")
        text = "no check speaks of these: nothing is wrong with them, or they could not be read"
        yield Notification(f"{text} ({named})", level="note")
    text = "checkov looks for secrets in configuration files only, not in source code"
    yield Notification(text, level="note")


def _rule(check: Check) -> Rule:
    return rule(
        check.check_id,
        short=check.check_name,
        severity=severity_of(check.check_id),
        category=Category.SECRET if is_secret(check.check_id) else Category.IAC,
        cwe=(_CREDENTIALS,) if is_secret(check.check_id) else (),
        help_uri=check.guideline or "",
    )


def _result(check: Check) -> Result:
    # the resource of a secret is its hash, without any salt
    component = "" if is_secret(check.check_id) else check.resource
    skipped = check.check_result.result == "SKIPPED"
    end = check.file_line_range[1]
    return result(
        check.check_id,
        check.check_name,
        path=check.path,
        severity=severity_of(check.check_id),
        line=check.line,
        end_line=end if end >= check.line and component else None,
        component=component,
        component_kind="resource",
        suppressed=(check.check_result.suppress_comment or "no reason") if skipped else None,
    )


def _order(check: Check) -> tuple[str, int, str, str, Iterable[int]]:
    return (check.path, check.line, check.check_id, check.resource, check.file_line_range)
