import os
import subprocess
import sys

import msgspec
import pytest

NAMES = "bandit,detect-secrets,ruff,zizmor"
WORKFLOW = b"""\
on: pull_request_target
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.pull_request.title }}
"""


def lay_out(root):
    key = b"AKIA" + b"TESTKEY7" + b"Q2X4H9WZ"
    files = {
        "app.py": b"import subprocess\nsubprocess.call(input(), shell=True)\nexec(input())\n",
        "settings.py": b"key = '" + key + b"'\n",
        ".github/workflows/ci.yml": WORKFLOW,
    }
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def scan(root, engine, folder):
    """Return each scanner's results as they stand in the log, less nothing."""
    argv = (sys.executable, "-m", "scanrun", "scan", NAMES, str(root))
    options = ("--engine", engine, "--pull", "never", "--output", str(folder), "--fail-on", "high")
    done = subprocess.run(
        [*argv, *options], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 1, done.stderr
    log = msgspec.json.decode((folder / "results.sarif").read_bytes())
    return {run["tool"]["driver"]["name"]: run["results"] for run in log["runs"]}


@pytest.mark.lab
def test_both_engines_give_the_same_results(tmp_path):
    (tmp_path / "project").mkdir()
    lay_out(tmp_path / "project")

    local = scan(tmp_path / "project", "local", tmp_path / "out-local")
    docker = scan(tmp_path / "project", "docker", tmp_path / "out-docker")

    assert len(local) == 4
    assert all(local.values())
    assert local == docker
