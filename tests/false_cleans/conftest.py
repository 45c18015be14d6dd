import os
import shutil
import subprocess

import pytest
from trivy_lab import LAB_FILE, TrivyLab, database

from scanrun_plugins.scanners.trivy.command import IMAGE


@pytest.fixture(scope="session")
def trivy(tmp_path_factory):
    """Return the real Trivy (of PATH, or of the lab's image) with a fresh database of the lab's."""
    if not LAB_FILE.exists() and not os.environ.get("SCANRUN_REQUIRE_LAB"):
        pytest.skip("no lab: run `make lab`")
    scratch = tmp_path_factory.mktemp("trivy")
    return TrivyLab(_programs(scratch), database(scratch / "database"), scratch)


def _programs(scratch):
    if found := shutil.which("trivy"):
        return found.rpartition("/")[0]
    folder = scratch / "programs"
    folder.mkdir()
    made = _docker("create", IMAGE)
    try:
        _docker("cp", f"{made}:/usr/local/bin/trivy", str(folder))
    finally:
        _docker("rm", made)
    return folder


def _docker(*words):
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
