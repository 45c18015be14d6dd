"""What lies in a tree, or in the environment, to keep the real tools quiet: it has no effect."""

import json
import os
import subprocess

import pytest

from scanrun.cli.app import run

QUIET_PYTHON = {
    "app.py": "exec(input())  # nosec B102 - reviewed\nassert 1  # noqa: S101 tests only\n",
    "whole.py": "# ruff: noqa: S102\n# flake8: noqa\nexec(input())\n",
    "block.py": "# ruff: disable[S102]\nexec(input())\n# ruff: enable[S102]\n",
    "long.py": "import subprocess\nsubprocess.run(\n    'x',\n    shell=True,\n)  # nosec\n",
    ".bandit": "[bandit]\nskips: B102,B101,B404,B602\nexclude: app.py\n",
    "ruff.toml": 'exclude = ["*.py"]\nlint.ignore = ["S102"]\n',
    "sub/.ruff.toml": 'exclude = ["*.py"]\n',
    "sub/b.py": "exec(input())\n",
    "pyproject.toml": '[tool.bandit]\nskips = ["B102"]\n[tool.ruff]\nexclude = ["*.py"]\n',
    "setup.cfg": "[bandit]\nskips = B102\n",
}
WORKFLOW = """\
on: pull_request_target  # zizmor: ignore[dangerous-triggers] we know
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.pull_request.title }}" # zizmor: ignore[template-injection]
"""
QUIET_WORKFLOWS = {
    ".github/workflows/a.yml": WORKFLOW,
    "zizmor.yml": "rules:\n  template-injection:\n    ignore: [a.yml]\n",
    ".github/zizmor.yml": "rules:\n  dangerous-triggers:\n    disable: true\n",
}


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """Return a function that runs scanners on files and returns their rules, places and verdict."""

    def call(names, files, *more, engine="local", config="", environment=None):
        tree = tmp_path / "tree"
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        (tmp_path / "own.toml").write_text(config)
        for name, value in (environment or {}).items():
            monkeypatch.setenv(name, value)
        arguments = ("--engine", engine, "--config", str(tmp_path / "own.toml"), "-q", *more)
        code = run(["scan", names, str(tree), "--fail-on", "low", *arguments])
        return Scanned(code, tree)

    return call


class Scanned:
    """What a run left behind."""

    def __init__(self, code, tree):
        folder = tree / ".scanrun"
        self.code = code
        self.tree = tree
        self.verdict = json.loads((folder / "verdict.json").read_text())
        self.told = self.verdict["told"]
        self.log = json.loads((folder / "results.sarif").read_text())
        self.results = [each for item in self.log["runs"] for each in item["results"]]
        self.found = {(each["ruleId"], *place(each)) for each in self.results}
        self.suppressions = {
            (each["ruleId"], *place(each)): each["suppressions"][0]
            for each in self.results
            if each["suppressions"]
        }


def place(result):
    physical = result["locations"][0]["physicalLocation"]
    return physical["artifactLocation"]["uri"], physical["region"]["startLine"]


def test_python_files_can_not_silence_bandit_and_ruff(scan):
    environment = {"RUFF_CONFIG": "/nowhere", "RUFF_NO_CACHE": "1", "BANDIT_X": "1"}

    done = scan("bandit,ruff", QUIET_PYTHON, environment=environment)

    assert {
        ("B102", "app.py", 1),
        ("B101", "app.py", 2),
        ("B602", "long.py", 4),
        ("B102", "sub/b.py", 1),
        ("S102", "app.py", 1),
        ("S101", "app.py", 2),
        ("S102", "whole.py", 3),
        ("S102", "block.py", 2),
        ("S102", "sub/b.py", 1),
    } <= done.found
    assert {each["status"] for each in done.verdict["scanners"]} == {"completed"}
    reasons = {key: each["justification"] for key, each in done.suppressions.items()}
    assert reasons["B102", "app.py", 1] == "reviewed"
    assert reasons["S101", "app.py", 2] == "tests only"
    assert ("B101", "app.py", 2) not in reasons
    assert {("B602", "long.py", 4), ("S102", "whole.py", 3)} <= set(reasons)
    assert {each["status"] for each in done.suppressions.values()} == {"underReview"}
    assert done.verdict["suppressed"] == 0
    assert told_of(done) == {
        "'.bandit' has no effect on bandit, though it switches tests off",
        "'pyproject.toml' has no effect on bandit, though it has settings of bandit",
        "'pyproject.toml' has no effect on ruff, though it has settings of ruff",
        "'ruff.toml' has no effect on ruff, though it has settings of ruff",
        "'sub/.ruff.toml' has no effect on ruff, though it has settings of ruff",
        "set in the environment, with no effect on ruff: RUFF_CONFIG, RUFF_NO_CACHE",
    }
    count = len(done.suppressions)
    assert f"{count} findings carry an ignore comment in the source; they count all the same" in (
        done.told
    )


def told_of(done):
    return {each for each in done.told if "no effect" in each}


def test_workflows_can_not_silence_zizmor(scan):
    done = scan("zizmor", QUIET_WORKFLOWS, environment={"ZIZMOR_CONFIG": "zizmor.yml"})

    quiet = {
        ("dangerous-triggers", ".github/workflows/a.yml", 1): "we know",
        ("template-injection", ".github/workflows/a.yml", 6): "ignore comment on line 6",
    }
    assert {key: each["justification"] for key, each in done.suppressions.items()} == quiet
    assert told_of(done) == {
        "'.github/zizmor.yml' has no effect on zizmor, though it switches audits off",
        "'zizmor.yml' has no effect on zizmor, though it switches audits off",
        "set in the environment, with no effect on zizmor: ZIZMOR_CONFIG",
    }


def test_each_scanner_says_in_one_line_why_it_is_believed(tmp_path, capsys):
    tree = tmp_path / "tree"
    for path, text in {**QUIET_WORKFLOWS, "app.py": "x = 1\n"}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    names = ("bandit", "detect-secrets", "ruff", "zizmor")

    run(["scan", ",".join(names), str(tree), "--engine", "local"])

    proofs = {
        "bandit": "1 Python file, canary found",
        "detect-secrets": "canary found",
        "ruff": "1 Python file, canary found",
        "zizmor": "1 workflow file, canary found",
    }
    shown = capsys.readouterr().err.splitlines()
    lines = {name: line for name in names for line in shown if f"✓ {name}:" in line}
    assert {name: line.rpartition(" · ")[2] for name, line in lines.items()} == proofs
    done = Scanned(0, tree)
    verdict = {each["name"]: each["evidence"]["summary"] for each in done.verdict["scanners"]}
    invocations = {
        each["properties"]["scanrun"]["name"]: each["invocations"][0]["properties"]["evidence"]
        for each in done.log["runs"]
    }
    assert verdict == invocations == proofs


def test_a_policy_can_allow_what_the_source_ignores(scan):
    config = '[policy]\ninline_ignores = "allow"\n'

    done = scan("zizmor", QUIET_WORKFLOWS, config=config)

    assert done.verdict["suppressed"] == 2
    assert {each["status"] for each in done.suppressions.values()} == {"accepted"}
    assert any("2 findings carry an ignore comment in the source, which is" in t for t in done.told)


def test_a_baseline_can_not_silence_detect_secrets(scan):
    key = "AKIA" + "SCANRUN7" + "Q2X4H9WA"
    files = {
        "a.py": f"k = '{key}'\n",
        "b.py": f"k = '{key}'  # pragma: allowlist secret\n",
        ".secrets.baseline": '{"version": "1.5.0", "plugins_used": [], "results": {}}\n',
    }

    done = scan("detect-secrets", files)

    assert {("aws-access-key", "a.py", 1), ("aws-access-key", "b.py", 1)} <= done.found
    assert [key[1] for key in done.suppressions] == ["b.py"]
    assert done.suppressions["aws-access-key", "b.py", 1]["status"] == "underReview"
    assert told_of(done) == {
        "'.secrets.baseline' has no effect on detect-secrets, though it lists secrets to pass over"
    }


# --- trivy -----------------------------------------------------------------------------------

TERRAFORM = """\
# trivy:ignore:AWS-0092 agreed
resource "aws_s3_bucket" "a" {
  acl = "public-read"
}
resource "aws_s3_bucket" "b" {
  #tfsec:ignore:*
  acl = "public-read"
}
resource "aws_s3_bucket" "c" {
  acl = "public-read" #trivy:ignore:avd-aws-0092:exp:2020-01-01
}
resource "aws_s3_bucket" "d" { # trivy:exp:2099-01-01:ignore:AWS-0092
  acl = "public-read"
}
"""
TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Open:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: x
      SecurityGroupIngress:
        - IpProtocol: tcp
          FromPort: 22
          ToPort: 22
          CidrIp: 0.0.0.0/0 # trivy:ignore:AWS-0107
"""
QUIET_BUILDS = {
    "Dockerfile": "# x trivy:ignore:DS-0001 pinned elsewhere\nFROM a:latest\n",
    "sub/web.Dockerfile": "#trivy:ignore:DS-00*\nFROM a:latest\n",
    "main.tf": TERRAFORM,
    "stack.yaml": TEMPLATE,
    ".trivyignore": "DS-0001\nAWS-0107\nAWS-0092\n",
    "trivy.yaml": "severity: [LOW]\nscan:\n  skip-dirs: ['**']\n",
    "trivy-secret.yaml": "disable-rules: [scanrun-canary]\n",
    "k8s/trivy.yaml": "kind: ConfigMap\n",
}
BUILDS_ONLY = '[scanner.trivy]\nscanners = ["misconfig", "secret"]\n'
HUSHED = {
    ("DS-0001", "Dockerfile", 2): "pinned elsewhere",
    ("DS-0001", "sub/web.Dockerfile", 2): "ignore comment on line 1",
    ("AWS-0092", "main.tf", 3): "agreed",
    ("AWS-0092", "main.tf", 7): "ignore comment on line 6",
    ("AWS-0092", "main.tf", 13): "ignore comment on line 12",
    ("AWS-0107", "stack.yaml", 11): "ignore comment on line 11",
}


@pytest.fixture(scope="module")
def trivy_folder(tmp_path_factory):
    """Return a folder with the real Trivy in it, taken from its image."""
    folder = tmp_path_factory.mktemp("bin")
    made = subprocess.run(
        ["docker", "create", "aquasec/trivy:0.76.0"], capture_output=True, text=True, check=True
    )
    container = made.stdout.strip()
    try:
        source = f"{container}:/usr/local/bin/trivy"
        subprocess.run(["docker", "cp", source, folder / "trivy"], check=True, capture_output=True)
    finally:
        subprocess.run(["docker", "rm", container], check=True, capture_output=True)
    return folder


@pytest.fixture
def trivy_on_path(trivy_folder, monkeypatch):
    monkeypatch.setenv("PATH", f"{trivy_folder}:{os.environ['PATH']}")


@pytest.mark.docker
@pytest.mark.lab
@pytest.mark.usefixtures("trivy_on_path")
@pytest.mark.parametrize("engine", ["local", "docker"])
def test_a_tree_can_not_silence_trivy(scan, engine):
    environment = {"TRIVY_SEVERITY": "LOW", "TRIVY_IGNOREFILE": ".trivyignore"}

    done = scan("trivy", QUIET_BUILDS, config=BUILDS_ONLY, engine=engine, environment=environment)

    assert done.verdict["scanners"][0]["status"] == "completed", done.verdict["reason"]
    assert {key: each["justification"] for key, each in done.suppressions.items()} == HUSHED
    assert ("AWS-0092", "main.tf", 10) in done.found
    assert told_of(done) == {
        "'.trivyignore' has no effect on trivy, though it takes findings out",
        "'trivy-secret.yaml' has no effect on trivy, though it switches secret rules off",
        "'trivy.yaml' has no effect on trivy, though it has settings of trivy",
        "set in the environment, with no effect on trivy: TRIVY_IGNOREFILE, TRIVY_SEVERITY",
    }
    assert {path: (done.tree / path).read_text() for path in QUIET_BUILDS} == QUIET_BUILDS
