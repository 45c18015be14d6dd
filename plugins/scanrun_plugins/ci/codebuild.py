"""AWS CodeBuild: a buildspec, with a report group and artifacts or as short as can be.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from scanrun.api import CIEmitter, Invocation, hookimpl

_FULL = """\
# Written by `scanrun emit codebuild`.
{needs}
version: 0.2

env:
  shell: bash

phases:
  install:
    runtime-versions:
      python: "3.12"
    commands:
      - python -m pip install "{requirement}"
  build:
    commands:
      # its exit code is the gate: 0 passed, 1 findings, 3 incomplete
      - {command}

{reports}# uploaded after a failed build, too
artifacts:
  name: scanrun
  base-directory: {output}
  files:
{files}
    - logs/*
"""
_REPORTS = """\
# CodeBuild reads no SARIF: the findings are shown as tests
reports:
  scanrun:
    file-format: JUNITXML
    base-directory: {output}
    files:
      - junit.xml

"""
_PRIVILEGED = "# The project needs privileged mode: scanners run in containers."
_LOCAL = "# No container engine is needed: scanners run as programs."
_SHORT = (
    "{{version: 0.2, phases: {{build: {{commands: "
    '["python -m pip install \'{requirement}\'", "{command}"]}}}}}}\n'
)


class CodeBuild:
    """The whole file: findings as a test report, SARIF and verdict as artifacts."""

    name = "codebuild"
    filename = "buildspec.yml"

    def emit(self, invocation: Invocation) -> str:
        """One command an item: of a longer script only the last exit code would count."""
        output = invocation.path("").rstrip("/")
        return _FULL.format(
            needs=_PRIVILEGED if invocation.needs_engine else _LOCAL,
            requirement=invocation.requirement,
            command=invocation.command,
            reports=_REPORTS.format(output=output) if "junit" in invocation.formats else "",
            output=output,
            files="\n".join(f"    - {name}" for name in invocation.files()),
        )


class CodeBuildShort:
    """One line: installs, scans and gates, and keeps nothing but the log."""

    name = "codebuild-short"
    filename = "buildspec.yml"

    def emit(self, invocation: Invocation) -> str:
        """Phases and reports are left to their defaults."""
        return _SHORT.format(requirement=invocation.requirement, command=invocation.command)


@hookimpl
def scanrun_register_ci_emitters() -> list[CIEmitter]:
    """Add both forms."""
    return [CodeBuild(), CodeBuildShort()]
