"""Files of the tree and variables of the environment that would change a scan."""

import pytest
from trivy_files import BUCKET, TERRAFORM, aws_key, npm

pytestmark = pytest.mark.lab

KNOWN = "CVE-2021-44906"
IGNORE = f"{KNOWN}\nDS-0001\naws-access-key-id\n"
IGNORE_YAML = f"vulnerabilities:\n  - id: {KNOWN}\nmisconfigurations:\n  - id: DS-0001\n"
FILES = {
    "trivy-2c-01": (".trivyignore", IGNORE),
    "trivy-2c-02": (".trivyignore.yaml", IGNORE_YAML),
    "trivy-2c-03": ("trivy.yaml", "severity: [LOW]\nscan:\n  skip-dirs: ['**']\n"),
    "trivy-2c-04": ("trivy-secret.yaml", "disable-rules: [aws-access-key-id]\n"),
    "trivy-2c-05": ("policy/user.rego", "package user\nignore { true }\n"),
}
TOLD = {"trivy-2c-01", "trivy-2c-02", "trivy-2c-03", "trivy-2c-04"}
"""A policy is loaded by nobody, and so is no reason to say a word."""
VARIABLES = {
    "trivy-2c-07a": {"TRIVY_SEVERITY": "LOW"},
    "trivy-2c-07b": {"TRIVY_SKIP_DIRS": "**"},
    "trivy-2c-07c": {"TRIVY_IGNOREFILE": "/dev/null", "TRIVY_SCANNERS": "license"},
}
COMMENTS = {
    "trivy-2c-08a": ("a/Dockerfile", "# trivy:ignore:DS-0001\nFROM a:latest\n", "DS-0001"),
    "trivy-2c-08b": ("a/main.tf", f"# trivy:ignore:*\n{TERRAFORM}", ""),
    "trivy-2c-08c": ("b/main.tf", f"# tfsec:ignore:*\n{TERRAFORM}", ""),
    "trivy-2c-08d": (
        "a/stack.yaml",
        BUCKET.replace("  Bucket:", "  #trivy:ignore:*\n  Bucket:"),
        "",
    ),
    "trivy-2c-08e": (
        "c/Dockerfile",
        "# trivy:ignore:DS-0001 exp:2020-01-01\nFROM a:latest\n",
        "DS-0001",
    ),
}
RUN_OUT = {"trivy-2c-08e"}
TREE = {
    "package-lock.json": npm(),
    "Dockerfile": "FROM a:latest\n",
    "s.py": f"k = '{aws_key()}'  # gitleaks:allow trivy:ignore:aws-access-key-id nosec\n",
}


def found_all(answer):
    return (
        KNOWN in answer.found_in("package-lock.json")
        and "DS-0001" in answer.found_in("Dockerfile")
        and "aws-access-key-id" in answer.found_in("s.py")
    )


@pytest.fixture(scope="module")
def with_files(trivy):
    return trivy.scan(TREE | dict(FILES.values()))


@pytest.mark.parametrize("row", FILES)
def test_a_file_of_the_tree_takes_no_finding_out(row, with_files):
    assert found_all(with_files)
    assert row not in TOLD or f"{FILES[row][0]!r} has no effect on trivy" in with_files.said


@pytest.mark.parametrize("row", VARIABLES)
def test_a_variable_of_the_environment_takes_no_finding_out(row, trivy):
    assert found_all(trivy.scan(TREE, **VARIABLES[row]))


def test_a_comment_beside_a_secret_hides_it_from_nobody(with_files):
    assert "aws-access-key-id" in with_files.found_in("s.py")


@pytest.fixture(scope="module")
def with_comments(trivy):
    return trivy.scan({path: text for path, text, _ in COMMENTS.values()})


@pytest.mark.parametrize("row", COMMENTS)
def test_a_comment_in_the_tree_takes_no_finding_out(row, with_comments):
    path, _, rule = COMMENTS[row]
    found = with_comments.found_in(path)

    assert rule in found if rule else found
    assert path in {place for _, place in with_comments.suppressed} or row in RUN_OUT
