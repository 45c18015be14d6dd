"""Secrets in places, and in forms, in which Trivy looks for none."""

import pytest
from trivy_files import aws_key

pytestmark = pytest.mark.lab

PLAIN = f"k = '{aws_key()}'\n"
PATHS = {
    "trivy-2d-01a": "a/test/s.py",
    "trivy-2d-01b": "a/tests/s.py",
    "trivy-2d-01c": "a/testing/s.py",
    "trivy-2d-01d": "a/example/s.py",
    "trivy-2d-01e": "examples/s.py",
    "trivy-2d-01f": "test_a.py",
    "trivy-2d-01g": "a_test.py",
    "trivy-2d-01h": "foo_test.go",
    "trivy-2d-01i": "a.test.js",
    "trivy-2d-01j": "README.md",
    "trivy-2d-01k": "usr/lib/s.py",
    "trivy-2d-01l": "usr/share/s.py",
    "trivy-2d-01m": "opt/yarn-v1/s.py",
    "trivy-2d-01n": "a/locale/s.py",
}
FORMS = {
    "trivy-2d-05a": f'String k = "{aws_key()}";\n',
    "trivy-2d-05b": f'{{"k":"{aws_key()}"}}\n',
    "trivy-2d-05c": f"`{aws_key()}`\n",
    "trivy-2d-05d": f"({aws_key()})\n",
    "trivy-2d-05e": f"u={aws_key()}&x=1\n",
}
PASSED_BY = {
    "trivy-2d-01o": "node_modules/a/s.py",
    "trivy-2d-02a": "package-lock.json",
    "trivy-2d-02b": "yarn.lock",
    "trivy-2d-02c": "go.sum",
    "trivy-2d-03a": "a.svg",
    "trivy-2d-03b": "a.bin",
    "trivy-2d-03c": "a.pdf",
    "trivy-2d-04a": "nul.dat",
    "trivy-2d-04b": "utf16.txt",
}
CONTENT = {
    "nul.dat": b"\0\0" + PLAIN.encode(),
    "utf16.txt": PLAIN.encode("utf-16"),
    "package-lock.json": '{"lockfileVersion": 3, "packages": {}}' + f"\n\n{PLAIN}",
}


@pytest.fixture(scope="module")
def answer(trivy):
    files = dict.fromkeys((*PATHS.values(), *PASSED_BY.values()), PLAIN)
    forms = {f"{row}.txt": content for row, content in FORMS.items()}
    return trivy.scan(files | CONTENT | forms, config='[scanner.trivy]\nscanners = ["secret"]\n')


@pytest.mark.parametrize("row", PATHS)
def test_a_secret_is_found_whatever_its_path(row, answer):
    assert answer.found_in(PATHS[row]) == {"aws-access-key-id"}


@pytest.mark.parametrize("row", FORMS)
def test_a_key_is_found_whatever_follows_it(row, answer):
    assert answer.found_in(f"{row}.txt") == {"aws-access-key-id"}


@pytest.mark.parametrize("row", PASSED_BY)
def test_a_file_that_is_not_searched_is_told(row, answer):
    assert any(
        text.startswith("no secret was looked for in") and repr(PASSED_BY[row]) in text
        for _, text, _ in answer.notices
    )


def test_a_password_that_no_rule_of_trivy_knows_is_found_by_detect_secrets(trivy):
    answer = trivy.scan(
        {"settings.ini": "password = 'hunter2hunter2'\n"}, scanner="trivy,detect-secrets"
    )

    assert "settings.ini" in answer.places("detect-secrets")
