"""Trees that a stranger made, in containers: what was sent came back under its own name."""

import json

import pytest
from odd_trees import BAD, NAMES, UNSEEN, make, make_deep

pytestmark = [pytest.mark.docker, pytest.mark.lab]

OPEN = b"FROM python:latest\nUSER root\nRUN sudo id\n"
KEY = b"key = '" + b"AKIA" + b"Q7X2M4K6" + b"P3T5L7W2'\n"
FOLDERS = tuple(name.removesuffix(b".py") for name in NAMES)


@pytest.fixture(scope="module")
def odd_contained(tmp_path_factory, scanrun, lab):
    parent = tmp_path_factory.mktemp("odd-contained")
    root, outside = parent / "tree", parent / "outside"
    make(outside, b"Dockerfile", OPEN)
    for name in NAMES:
        make(root, name, BAD + KEY)
    for name in FOLDERS:
        make(root, name + b"/Dockerfile", OPEN)
    make_deep(root, "d", 200)
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to(".")
    config = parent / "c.toml"
    config.write_text(f'[scanner.trivy]\ndb_repository = "{lab["db_repository"]}"\n')
    names = "bandit,detect-secrets,ruff,trivy"
    return scanrun("scan", names, "--engine=docker", "--config", config, "-v", tree=root)


def evidence(done, name):
    (found,) = (each for each in done.verdict["scanners"] if each["name"] == name)
    return found


@pytest.mark.parametrize(
    ("name", "rule"), [("bandit", "B602"), ("detect-secrets", "aws-access-key")]
)
def test_odd_names_come_back_byte_by_byte_from_a_container(odd_contained, name, rule):
    assert set(NAMES) <= odd_contained.places(name)[rule], odd_contained.told


@pytest.mark.parametrize(("name", "rule"), [("ruff", "S602"), ("trivy", "DS-0002")])
def test_what_comes_back_under_another_name_makes_the_scan_incomplete(odd_contained, name, rule):
    """Ruff misnames two of them; Trivy fails as a whole where a name is no UTF-8."""
    wanted = NAMES if name == "ruff" else tuple(each + b"/Dockerfile" for each in FOLDERS)
    lost = set(wanted) - odd_contained.places(name).get(rule, set())

    assert (evidence(odd_contained, name)["status"] == "failed") == bool(lost)


def test_no_link_is_followed_into_a_container(odd_contained):
    for name in ("bandit", "detect-secrets", "ruff", "trivy"):
        for paths in odd_contained.places(name).values():
            assert not any(path.startswith((b"out/", b"loop/")) for path in paths)


def test_terminal_and_files_are_played_no_tricks_on(odd_contained):
    texts = [odd_contained.told]
    texts += [
        (odd_contained.tree / ".scanrun" / name).read_text()
        for name in ("verdict.json", "results.sarif", "junit.xml")
    ]

    assert not any(UNSEEN.search(text) for text in texts)
    assert json.loads(texts[2])["version"] == "2.1.0"
