"""Databases that are not there, not whole, old, or know nothing."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from trivy_files import npm
from trivy_lab import database

pytestmark = pytest.mark.lab

NPM = "npm::GitHub Security Advisory npm"


@pytest.fixture
def scan_with(trivy):
    """Return a function that scans with a database that `spoil` was let loose on in the cache."""

    def scan(spoil, tree=None):
        cache = trivy.cache()
        spoil(next(cache.glob("trivy-db-2/2*")))
        return trivy.scan(tree or {"package-lock.json": npm()}, cache=cache)

    return scan


def metadata(**changed):
    def spoil(folder):
        path = folder / "metadata.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return spoil


def content(change):
    def spoil(folder):
        path = folder / "trivy.db"
        path.write_bytes(change(path.read_bytes()))

    return spoil


def overwritten(data):
    return data[: 3 * 4096] + b"\xff" * 4096 + data[4 * 4096 :]


SPOILT = {
    "trivy-2f-01a": lambda folder: (folder / "trivy.db").unlink(),
    "trivy-2f-01b": lambda folder: (folder / "metadata.json").unlink(),
    "trivy-2f-01c": lambda folder: (folder / "metadata.json").write_text(""),
    "trivy-2f-01d": shutil.rmtree,
    "trivy-2f-03a": metadata(Version=1),
    "trivy-2f-03b": metadata(Version=3),
    "trivy-2f-05a": content(lambda data: b""),
    "trivy-2f-05b": content(lambda data: b"garbage" * 4096),
    "trivy-2f-05c": content(lambda data: data[:4096]),
    "trivy-2f-06a": content(lambda data: data[:-4096]),
    "trivy-2f-06b": content(overwritten),
}


@pytest.mark.parametrize("row", SPOILT)
def test_a_database_that_is_not_whole_is_incomplete(row, scan_with):
    answer = scan_with(SPOILT[row])

    assert answer.code == 3
    assert not answer.complete


def test_a_database_of_two_years_ago_is_incomplete(scan_with):
    old = (datetime.now(UTC) - timedelta(days=730)).isoformat()

    answer = scan_with(metadata(UpdatedAt=old, NextUpdate=old))

    assert not answer.complete
    assert "730 d old" in answer.reason


def changed(trivy, folder, change, tree):
    return trivy.scan(tree, cache=trivy.cache(database(folder, change)))


def test_a_database_that_knows_nothing_is_incomplete(trivy, tmp_path):
    answer = changed(trivy, tmp_path, dict.clear, {"a": ""})

    assert answer.code == 3
    assert answer.evidence["canary"] == "missing"


CARGO = """\
version = 3

[[package]]
name = "libc"
version = "0.2.1"
source = "registry+https://github.com/rust-lang/crates.io-index"
"""
BUNDLER = """\
GEM
  remote: https://rubygems.org/
  specs:
    rake (13.0.0)

DEPENDENCIES
  rake
"""
ECOSYSTEMS = {
    "trivy-2f-08a": ("Python", "requirements.txt", "jinja2==2.0\n"),
    "trivy-2f-08b": ("Go", "go.mod", "module a\n\ngo 1.20\n\nrequire rsc.io/quote v1.5.2\n"),
    "trivy-2f-08c": ("Java", "gradle.lockfile", "g:a:1.0=compileClasspath\nempty=\n"),
    "trivy-2f-08d": (
        "Rust",
        "Cargo.lock",
        CARGO,
    ),
    "trivy-2f-08e": (
        "PHP",
        "composer.lock",
        '{"packages": [{"name": "a/b", "version": "1.0.0"}]}',
    ),
    "trivy-2f-08f": (
        "Ruby",
        "Gemfile.lock",
        BUNDLER,
    ),
    "trivy-2f-08g": (
        ".NET",
        "packages.lock.json",
        '{"version": 1, "dependencies": {"net6.0": {"A": {"type": "Direct", "resolved": "1.0"}}}}',
    ),
}


@pytest.fixture(scope="module")
def knowing_npm_only(trivy, tmp_path_factory):
    def forget(buckets):
        for name in [each for each in buckets if "::" in each and each != NPM]:
            del buckets[name]

    tree = {path: text for _, path, text in ECOSYSTEMS.values()}
    return changed(trivy, tmp_path_factory.mktemp("npm"), forget, tree)


@pytest.mark.parametrize("row", ECOSYSTEMS)
def test_a_database_without_an_ecosystem_of_the_tree_is_incomplete(row, knowing_npm_only):
    assert knowing_npm_only.code == 3
    assert f"an old vulnerability ({ECOSYSTEMS[row][0]})" in knowing_npm_only.reason


def test_an_ecosystem_that_has_no_canary_is_told(trivy):
    pub = 'packages:\n  http:\n    dependency: "direct main"\n    version: "1.2.0"\n'

    answer = trivy.scan({"pubspec.lock": pub})

    assert answer.complete, answer.reason
    assert answer.told("nothing shows that its database knows packages of type pub")


def test_a_clean_tree_of_all_ecosystems_is_complete(trivy):
    answer = trivy.scan({path: text for _, path, text in ECOSYSTEMS.values()})

    assert answer.complete, answer.reason
    assert answer.evidence["canary"] == "found"
    assert answer.evidence["kinds"] == {"lock file": len(ECOSYSTEMS)}


def test_a_vulnerability_without_details_is_told_and_gated_as_high(trivy, tmp_path):
    def forget(buckets):
        del buckets["vulnerability"]["CVE-2021-23337"]

    tree = {"package-lock.json": npm("4.17.20").replace("minimist", "lodash")}
    answer = changed(trivy, tmp_path, forget, tree)

    assert (answer.code, answer.complete) == (1, True)
    assert answer.told("severity unknown")


def test_an_advisory_that_is_no_json_is_incomplete(trivy, tmp_path):
    def spoil(buckets):
        buckets[NPM]["minimist"] = {"CVE-2021-44906": b"{"}

    answer = changed(trivy, tmp_path, spoil, {"a": ""})

    assert answer.code == 3
