import os
import subprocess
import sys

import pytest
from real_tools import lay_out, scan

from scanrun.errors import ConversionError
from scanrun.testing import outputs
from scanrun_plugins.scanners.checkov import Checkov
from scanrun_plugins.scanners.checkov.scanner import IMAGE, REPORT

pytestmark = pytest.mark.lab

OPEN = (
    'resource "aws_security_group_rule" "r" {\n  type = "ingress"\n  from_port = 22\n'
    '  to_port = 22\n  protocol = "tcp"\n  cidr_blocks = ["0.0.0.0/0"]\n}\n'
)
SSH = "CKV_AWS_24"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: n}]}\n"
STACK = 'AWSTemplateFormatVersion: "2010-09-09"\nResources:\n  B:\n    Type: [\n'
BROKEN = {
    "checkov-3-07": ("syntax.tf", 'resource "x" {\n'),
    "checkov-3-08": ("latin.tf", OPEN.encode() + b"# \xff\xe9\n\xe9 {"),
    "checkov-3-09": ("nul.tf", b"resource \0 {\n"),
    "checkov-3-10": ("stack.yaml", STACK),
    "checkov-3-12": ("syntax.tf", 'resource "x" {\n'),
    "checkov-3-13": ("k8s/broken.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p\nspec: [\n"),
    "checkov-3-14": (".github/workflows/broken.yml", "on: push\njobs: [\n"),
    "checkov-3-15": ("latin.Dockerfile", b"FROM a:latest # caf\xe9\n"),
    "checkov-3-15b": ("utf16.Dockerfile", "FROM a:latest\n".encode("utf-16")),
    "checkov-3-16": ("api.yaml", "openapi: 3.0.0\ninfo: {title: x\n"),
}
SEEN = {
    "checkov-3-20": ".hidden/main.tf",
    "checkov-3-20b": ".main.tf",
    "checkov-3-21": "node_modules/x/main.tf",
    "checkov-3-21b": ".terraform/main.tf",
}
UNSEEN = {
    "checkov-3-22": "Containerfile",
    "checkov-3-22b": "main.TF",
    "checkov-3-22c": "main.tofu",
    "checkov-3-25": "chart/Chart.yaml",
    "checkov-3-25b": "chart/templates/pod.yaml",
    "checkov-3-26": ".gitlab-ci.yml",
}
_SWITCHED_OFF = 'skip-check: ["CKV*"]\nframework: [secrets]\nsoft-fail: true\n'
_CODE = "raise SystemExit(0)\n"
_PROGRAM = """\
#!{python}
import sys
sys.path.insert(0, {lib!r})
from checkov.main import Checkov
sys.exit(Checkov().run())
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """One scan of a tree with every odd file in it."""
    folder = tmp_path_factory.mktemp("odd")
    tree = dict(BROKEN.values()) | dict.fromkeys(SEEN.values(), OPEN)
    tree |= {
        "Containerfile": "FROM a:latest\n",
        "main.TF": OPEN,
        "main.tofu": OPEN,
        "chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
        "chart/templates/pod.yaml": POD.replace("image: n", 'image: "{{ .Values.i }}"'),
        ".gitlab-ci.yml": "a: [\n",
        "crd/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p\nspec: [\n",
        "module.tf": 'module "m" {\n  source = "terraform-aws-modules/vpc/aws"\n}\n',
        "skipped.tf": OPEN.replace("{\n", "{\n  #checkov:skip=CKV_AWS_24:known\n", 1),
        ".checkov.yaml": _SWITCHED_OFF + "external-checks-dir: [ext]\n",
        "ext/check.py": _CODE,
        "ext/__init__.py": _CODE,
        "sub/.checkov.yml": _SWITCHED_OFF,
        ".checkov.baseline": "{}",
        "keys.py": "key = '" + "AKIA" + "TESTKEY7" + "Q2X4H9WZ'\n",
    }
    (root := folder / "tree").mkdir()
    env = {"CKV_SKIP_CHECK": "CKV*", "CKV_FRAMEWORK": "secrets"}
    return scan("checkov", lay_out(root, tree), folder / "run", engine="docker", env=env)


def run_image(*words):
    return subprocess.run(
        ["docker", "run", "--rm", "--network=none", *words], capture_output=True, check=False
    )


@pytest.mark.parametrize("row", BROKEN)
def test_file_that_can_not_be_read_makes_the_scan_incomplete(odd, row):
    assert odd.lost(BROKEN[row][0])


@pytest.mark.parametrize("row", SEEN)
def test_file_is_checked_though_it_is_hidden_or_in_a_folder_passed_over(odd, row):
    assert SSH in odd.found(SEEN[row])


@pytest.mark.parametrize("row", UNSEEN)
def test_file_that_no_check_looked_at_is_told(odd, row):
    (told,) = [text for level, text in odd.notices if text.startswith("no check looked at")]

    assert UNSEEN[row] in told


def test_broken_file_of_which_no_check_need_speak_is_told(odd):
    (told,) = [text for _, text in odd.notices if text.startswith("no check speaks of these")]

    assert "crd/settings.yaml" in told


def test_configuration_of_the_tree_switches_nothing_off_and_is_told(odd):
    assert SSH in odd.found(".hidden/main.tf")
    assert "'.checkov.yaml' is kept from checkov" in odd.said
    assert "'sub/.checkov.yml' is kept from checkov" in odd.said


@pytest.fixture(scope="module")
def on_this_host(tmp_path_factory):
    """Return a folder with the image's Checkov, made to run with this Python."""
    folder = tmp_path_factory.mktemp("checkov")
    made = subprocess.run(
        ["docker", "create", IMAGE], capture_output=True, text=True, check=True
    ).stdout.strip()
    packages = "/usr/local/lib/python3.11/dist-packages"
    subprocess.run(["docker", "cp", f"{made}:{packages}", str(folder / "lib")], check=True)
    subprocess.run(["docker", "rm", made], capture_output=True, check=True)
    program = folder / "checkov"
    program.write_text(_PROGRAM.format(python=sys.executable, lib=str(folder / "lib")))
    program.chmod(0o755)
    return folder


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the image's libraries are for 3.11")
def test_code_of_the_tree_is_not_run(on_this_host, tmp_path):
    marker = tmp_path / "it-was-run"
    tree = {
        "main.tf": OPEN,
        ".checkov.yaml": "external-checks-dir: [ext]\n",
        "ext/__init__.py": "",
        "ext/check.py": f"from pathlib import Path\nPath({str(marker)!r}).touch()\n",
    }
    root = lay_out(tmp_path / "tree", tree)

    path = f"{on_this_host}{os.pathsep}{os.environ['PATH']}"
    run = scan("checkov", root, tmp_path / "run", env={"PATH": path})

    assert SSH in run.found("main.tf")
    assert not marker.exists()
    words = [str(on_this_host / "checkov"), "-d", ".", "--skip-download", "-o", "json"]
    quick = {"CKV_SKIP_PACKAGE_UPDATE_CHECK": "true", "CHECKOV_PARALLELIZATION_TYPE": "none"}
    subprocess.run(words, cwd=root, capture_output=True, check=False, env=os.environ | quick)
    assert marker.exists(), "by itself it runs the tree's code; else this test shows nothing"


def test_environment_switches_nothing_off(odd):
    assert SSH in odd.found(".hidden/main.tf")


def test_skip_comment_hides_nothing_from_the_gate_and_keeps_its_reason(odd):
    assert (SSH, "skipped.tf") in odd.suppressed


def test_module_from_elsewhere_is_told(odd):
    signs = odd.scanner["evidence"]["signs"]

    assert any("a Terraform module is not in the tree" in each for each in signs)


def test_secrets_in_source_are_not_looked_for_and_that_is_told(odd):
    assert not any(rule.startswith("CKV_SECRET") for rule in odd.found("keys.py"))
    assert any("not in source code" in text for _, text in odd.notices)


@pytest.mark.parametrize(
    ("args", "reason"),
    [(["-c", "CKV_NOPE_1"], "canary"), (["--quiet"], "passed_checks")],
    ids=["checkov-3-06", "checkov-3-11"],
)
def test_arguments_that_blind_it_make_the_scan_incomplete(tmp_path, args, reason):
    root = lay_out(tmp_path / "tree", {"main.tf": "# nothing\n"})

    run = scan("checkov", root, tmp_path / "run", args=args, engine="docker")

    assert run.code == 3
    assert reason in run.reason


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ({1, 137}, ("-m", "64m", IMAGE, "-d", "/usr/local/bin", "--skip-download", "-o", "json")),
        ({0}, (IMAGE, "-d", "/nowhere", "--skip-download", "-o", "json")),
        ({1}, ("--entrypoint", "python3", IMAGE, "-c", "import libpthread_of_nobody")),
    ],
    ids=["checkov-3-18", "checkov-3-05", "checkov-4-01"],
)
def test_answer_that_is_no_report_is_an_error(code, words):
    done = run_image(*words)
    assert done.returncode in code

    with pytest.raises(ConversionError):
        list(Checkov().convert(outputs(REPORT, done.stdout)))
