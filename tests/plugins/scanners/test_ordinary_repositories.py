"""That a repository in which nothing is wrong or odd makes no scan incomplete."""

import json
import subprocess
import sys

import pytest

STEPS = "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make test\n"
TREE = {
    "app/__init__.py": "",
    "app/main.py": '"""Run."""\n\n\ndef main() -> int:\n    return 0\n',
    "app/main.pyw": "x = 1\n",
    "pyproject.toml": "[project]\nname = 'app'\n",
    "README.md": "# café\n",
    "run.sh": "#!/bin/sh\n",
    "Makefile": "all:\n",
    "Dockerfile": "FROM a:1\nHEALTHCHECK CMD true\nUSER 1000\n",
    "variables.tf": 'variable "x" {}\n',
    "main.tf": 'output "x" {\n  value = 1\n}\n',
    ".vscode/settings.json": '{ // for all\n  "a": 1,\n}\n',
    "tsconfig.json": '{ /* no JSON */ "b": 1, }\n',
    "config.yaml": "a: 1\n",
    "k8s/crd.yaml": "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\n",
    ".github/workflows/ci.yml": f"name: ci\non: push\npermissions: {{}}\n{STEPS}",
}


def scan(names, engine, folder):
    for path, content in TREE.items():
        place = folder / "tree" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    words = ("scan", names, str(folder / "tree"), "--engine", engine, "--pull", "never")
    done = subprocess.run(
        [sys.executable, "-m", "scanrun", *words, "--output", str(folder / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = json.loads((folder / "out" / "verdict.json").read_text())
    return done, {each["name"]: each["status"] for each in verdict["scanners"]}


def test_scanners_of_the_local_engine_are_complete_and_pass(tmp_path):
    names = ("bandit", "detect-secrets", "ruff", "zizmor")

    done, status = scan(",".join(names), "local", tmp_path)

    assert done.returncode == 0, done.stderr
    assert status == dict.fromkeys(names, "completed")


@pytest.mark.lab
def test_checkov_is_complete_and_passes(tmp_path):
    done, status = scan("checkov", "docker", tmp_path)

    assert done.returncode == 0, done.stderr
    assert status == {"checkov": "completed"}
