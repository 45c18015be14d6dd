"""What the tests of all emitters need: a shell with a scanrun that ends as it is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scanrun.api import Invocation, Severity

SCRIPTS = Path(sys.executable).parent
PLAIN = Invocation(version="1.2.3")
OTHER = Invocation(
    version="1.2.3",
    fail_on=Severity.MEDIUM,
    output="build/scan",
    formats=("html",),
    scanners=("trivy", "bandit"),
    engine="local",
)


@pytest.fixture(params=[PLAIN, OTHER, Invocation(fail_on=None)], ids=["plain", "other", "never"])
def invocation(request):
    return request.param


@pytest.fixture
def run_shell(tmp_path):
    """Run lines as a CI system does, with programs that only note what they are given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    calls = tmp_path / "calls"
    for name in ("python", "scanrun"):
        exit_code = '"$SCANRUN_EXIT"' if name == "scanrun" else "0"
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {calls}\nexit {exit_code}\n')
        (programs / name).chmod(0o755)

    def run(lines, exit_code=0):
        done = subprocess.run(
            ["/bin/bash", "-eo", "pipefail", "-c", "\n".join(lines)],
            env={"PATH": f"{programs}{os.pathsep}/usr/bin:/bin", "SCANRUN_EXIT": str(exit_code)},
            cwd=tmp_path,
            check=False,
        )
        return done.returncode, calls.read_text().splitlines()

    return run


@pytest.fixture
def shellcheck():
    """Return what shellcheck complains of in a script."""

    def check(lines):
        done = subprocess.run(
            [SCRIPTS / "shellcheck", "-s", "bash", "-"],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return check
