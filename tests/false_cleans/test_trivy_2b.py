"""Reading the tree: what Trivy skips, can't open, or never looks into."""

import os

import pytest
from trivy_files import TERRAFORM, aws_key, npm

pytestmark = pytest.mark.lab

KNOWN = "CVE-2021-44906"
READ = {
    "trivy-2b-05a": "dev/package-lock.json",
    "trivy-2b-05b": "proc/package-lock.json",
    "trivy-2b-05c": "sys/package-lock.json",
    "trivy-2b-07a": "vendor/package-lock.json",
    "trivy-2b-07b": "tests/package-lock.json",
    "trivy-2b-07c": "examples/package-lock.json",
    "trivy-2b-07d": ".github/package-lock.json",
    "trivy-2b-08": "/".join("d" * 400) + "/package-lock.json",
}


@pytest.fixture(scope="module")
def odd(trivy):
    """Return what came of a tree with folders, links and pipes that Trivy does not look into."""
    root = trivy.tree(
        {path: npm() for path in READ.values()}
        | {
            "real/lock.json": npm(),
            "real/inner/package-lock.json": npm(),
            "node_modules/minimist/package-lock.json": npm(),
            "dev/settings.py": f"k = '{aws_key()}'\n",
        }
    )
    (root / "linked").mkdir()
    (root / "linked/package-lock.json").symlink_to("../real/lock.json")
    (root / "linked-folder").symlink_to("real/inner")
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    return trivy.scan(root, "--fail-on", "never")


@pytest.mark.parametrize("row", READ)
def test_a_folder_that_trivy_would_skip_is_read(row, odd):
    assert KNOWN in odd.found_in(READ[row])


def test_a_secret_in_a_top_level_dev_folder_is_found(odd):
    assert odd.found_in("dev/settings.py") == {"aws-access-key-id"}


def test_a_lock_file_that_is_a_link_is_told(odd):
    assert "is a link" in odd.told_of("linked/package-lock.json")


def test_what_a_linked_folder_holds_is_found_in_its_own_place(odd):
    assert KNOWN in odd.found_in("real/inner/package-lock.json")


def test_a_lock_file_below_node_modules_is_told(odd):
    path = "node_modules/minimist/package-lock.json"

    assert "for the folder that it lies in" in odd.told_of(path)


@pytest.mark.parametrize("row", ["trivy-2b-01a", "trivy-2b-01b"])
def test_a_file_that_nobody_can_read_is_named_and_incomplete(row, trivy):
    path = {"trivy-2b-01a": "a/package-lock.json", "trivy-2b-01b": "a/main.tf"}[row]
    root = trivy.tree({"a.txt": "", path: TERRAFORM if path.endswith(".tf") else npm()})
    (root / path).chmod(0)

    answer = trivy.scan(root, obeying=True)

    assert answer.code == 3
    assert answer.missing(path)


@pytest.fixture(scope="module")
def forbidden(trivy):
    """Look for secrets in a tree of which a file and a folder may not be read."""
    secret = f"k = '{aws_key()}'\n"
    root = trivy.tree({"a.py": secret, "file.py": secret, "folder/b.py": secret})
    (root / "file.py").chmod(0)
    (root / "folder").chmod(0)
    yield trivy.scan(root, obeying=True, config='[scanner.trivy]\nscanners = ["secret"]\n')
    (root / "folder").chmod(0o755)


@pytest.mark.parametrize("row", ["trivy-2b-02", "trivy-2b-03"])
def test_what_the_secret_scanner_may_not_read_is_named_and_incomplete(row, forbidden):
    path = {"trivy-2b-02": "file.py", "trivy-2b-03": "folder/"}[row]
    (unread,) = (
        each for each in forbidden.verdict["conditions"] if each["name"] == "the tree could be read"
    )

    assert "aws-access-key-id" in forbidden.found_in("a.py")
    assert not unread["passed"]
    assert repr(path) in unread["detail"]
