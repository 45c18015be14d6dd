"""Dependencies: lock files that Trivy drops, reads in part, or never looks at."""

import json
import re

import pytest
from trivy_files import PIPENV, PNPM, POETRY, POM, UV, YARN, npm
from trivy_lab import database

pytestmark = pytest.mark.lab

LOCK = "package-lock.json"
NO_VERSION = json.dumps({"name": "a", "lockfileVersion": 99, "modules": {"minimist": "1.2.5"}})
DETECTED = {
    "trivy-2a-01a": (LOCK, "{}"),
    "trivy-2a-02a": (LOCK, npm()[:120]),
    "trivy-2a-02b": (LOCK, ""),
    "trivy-2a-02c": (LOCK, "not json"),
    "trivy-2a-02d": (LOCK, b"\xef\xbb\xbf" + npm().encode()),
    "trivy-2a-02e": (LOCK, npm().replace(' "packages"', '<<<<<<< a\n "packages"')),
    "trivy-2a-02f": (LOCK, npm().replace('"packages":', '"packages": {}, "packages":')),
    "trivy-2a-02g": (LOCK, "[" * 12_000 + "]" * 12_000),
    "trivy-2a-02h": ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages: [\n"),
    "trivy-2a-02i": ("poetry.lock", "[[package]\nname = 'x'\n"),
    "trivy-2a-02j": ("pom.xml", "<project><dependencies>"),
    "trivy-2a-02k": ("requirements.txt", "# " + "x" * 70_000 + "\nrequests==2.19.1\n"),
    "trivy-2a-06": (LOCK, NO_VERSION),
    "trivy-2a-07a": ("yarn.lock", YARN[: YARN.index('"1.2.5"') + 3]),
    "trivy-2a-07b": ("yarn.lock", YARN[: YARN.index('  version "1.2.5"')]),
}
NEEDS_LOST = (
    YARN[: YARN.index("minimist@")]
    + 'mkdirp@^0.5.0:\n  version "0.5.5"\n  dependencies:\n    minimist "^1.2.5"\n'
)
RANGES = "requests>=2.0\npyyaml~=5.0\njinja2==2.*\nflask\n"
TOLD = {
    "trivy-2a-01b": ("package.json", '{"dependencies": {"minimist": "1.2.5"}}', "no lock file"),
    "trivy-2a-01c": ("pyproject.toml", '[project]\ndependencies = ["requests"]\n', "no lock file"),
    "trivy-2a-01d": ("setup.py", "setup(install_requires=['requests'])\n", "no lock file"),
    "trivy-2a-01e": ("Pipfile", '[packages]\nrequests = "*"\n', "no lock file"),
    "trivy-2a-01f": ("requirements.in", "requests==2.19.1\n", "no lock file"),
    "trivy-2a-03a": ("npm-shrinkwrap.json", npm(), "not read by trivy"),
    "trivy-2a-03b": ("requirements-dev.txt", "requests==2.19.1\n", "not read by trivy"),
    "trivy-2a-03c": ("requirements/base.txt", "requests==2.19.1\n", "not read by trivy"),
    "trivy-2a-03d": ("constraints.txt", "requests==2.19.1\n", "not read by trivy"),
    "trivy-2a-03e": ("bun.lockb", b"#!/usr/bin/env bun\n\0", "not read by trivy"),
    "trivy-2a-03f": ("Package-Lock.json", npm(), "not read by trivy"),
    "trivy-2a-04a": ("requirements.txt", RANGES, "'flask'"),
    "trivy-2a-04b": ("requirements.txt", "requests==2.19.1\njinja2\n", "'jinja2'"),
    "trivy-2a-04c": ("requirements.txt", "requests==2.19.1\n-r other.txt\n", "'other.txt'"),
    "trivy-2a-05a": (LOCK, npm(lock=4), "version 4 is unknown"),
    "trivy-2a-05b": ("yarn.lock", YARN.replace("v1", "v99"), "version 99 is unknown"),
    "trivy-2a-05c": ("pnpm-lock.yaml", PNPM.replace("9.0", "99.0"), "version 99.0 is unknown"),
    "trivy-2a-05d": ("poetry.lock", POETRY.replace('"2.1"', '"99.0"'), "version 99.0 is unknown"),
    "trivy-2a-05e": ("uv.lock", UV.replace("version = 1", "version = 99"), "99 is unknown"),
    "trivy-2a-07d": ("yarn.lock", NEEDS_LOST, "depend on what it does not name: 'minimist'"),
    "trivy-2a-10b": ("Pipfile.lock", PIPENV, "never reads 'develop': 'requests'"),
    "trivy-2a-12c": ("node_modules/minimist/package.json", "{}", "no lock file"),
}
IN_GENERAL = {
    "trivy-2a-08a": (LOCK, npm("v1.2.5"), "version error (v1.2.5)"),
    "trivy-2a-08b": (LOCK, npm("latest"), "version error (latest)"),
    "trivy-2a-08c": (LOCK, npm("1.2"), "version error (1.2)"),
    "trivy-2a-10a": (LOCK, npm(dev=True), "dependencies for development are left out"),
    "trivy-2a-11": ("environment.yml", "dependencies:\n  - requests=2.19.1\n", "conda packages"),
    "trivy-2a-12a": ("app.jar", b"PK\3\4", "packages not checked"),
    "trivy-2a-12b": ("lib/requests-2.19.1.dist-info/METADATA", "Name: requests\n", "not checked"),
    "trivy-2a-14": ("pom.xml", POM, "a dependency in a pom.xml has no version"),
}


def placed(cases):
    return {f"{row}/{case[0]}": case[1] for row, case in cases.items()}


@pytest.fixture(scope="module")
def broken(trivy):
    return trivy.scan(placed(DETECTED), "--fail-on", "never")


@pytest.fixture(scope="module")
def partial(trivy):
    return trivy.scan(placed(TOLD) | placed(IN_GENERAL), "--fail-on", "never")


@pytest.mark.parametrize("row", DETECTED)
def test_a_lock_file_that_trivy_drops_is_named_and_incomplete(row, broken):
    assert broken.code == 3
    assert broken.missing(f"{row}/{DETECTED[row][0]}")


@pytest.mark.parametrize("row", TOLD)
def test_a_file_that_trivy_passes_by_or_reads_in_part_is_told(row, partial):
    path, _, words = TOLD[row]

    assert partial.complete
    assert words in partial.told_of(f"{row}/{path}")


@pytest.mark.parametrize("row", IN_GENERAL)
def test_packages_that_trivy_matches_with_nothing_are_told(row, partial):
    assert partial.complete
    assert partial.told(IN_GENERAL[row][2])


def test_a_lock_file_cut_between_two_packages_is_told(trivy):
    files = {
        "yarn.lock": YARN[: YARN.index("minimist@")],
        "package.json": '{"dependencies": {"lodash": "^4.0.0", "minimist": "^1.2.0"}}',
    }

    answer = trivy.scan(files)

    assert "does not name what package.json asks for: 'minimist'" in answer.told_of("yarn.lock")


def test_an_empty_tree_has_the_canary_for_evidence(trivy):
    answer = trivy.scan({"README.md": "nothing"})

    assert answer.code == 0
    assert answer.evidence["canary"] == "found"


HIDING = {
    "trivy-2a-15a": (["--severity", "LOW"], "not analysed|canary"),
    "trivy-2a-15b": (["--severity", "CRITICAL"], "not analysed|canary"),
    "trivy-2a-15c": (["--skip-files", "tree/package-lock.json"], "not analysed"),
    "trivy-2a-15d": (["--pkg-types", "os"], "not analysed|canary"),
    "trivy-2a-15e": (["--skip-dirs", "tree"], "not analysed|canary"),
    "trivy-2a-15h": (["--quiet"], "its log is silent"),
    "trivy-1-01": (["--exit-code", "1"], "exit code 1"),
    "trivy-1-02": (["--format", "table"], "report.json"),
    "trivy-2g-02": (["--timeout", "1ms"], "exit code 1"),
    "trivy-2g-03": (["--output", "/dev/full"], "exit code 1"),
}


@pytest.mark.parametrize("row", HIDING)
def test_arguments_that_hide_findings_or_the_report_are_incomplete(row, trivy):
    arguments, reason = HIDING[row]

    answer = trivy.scan({"package-lock.json": npm()}, config=settings(arguments))

    assert answer.code in {1, 3}
    assert not answer.complete
    assert re.search(reason, answer.reason), answer.reason


def test_what_an_ignore_file_of_the_arguments_takes_out_is_kept_as_suppressed(trivy):
    tree = {"yarn.lock": YARN, "ignored": "CVE-2021-23337\n"}

    answer = trivy.scan(tree, config=settings(["--ignorefile", "/src/tree/ignored"]))

    assert answer.complete, answer.reason
    assert ("CVE-2021-23337", "yarn.lock") in answer.suppressed


def settings(arguments):
    return f"[scanner.trivy]\nargs = {json.dumps(arguments)}\n"


def test_without_its_list_of_packages_findings_are_the_same(trivy):
    answer = trivy.scan({"package-lock.json": npm()}, config=settings(["--list-all-pkgs=false"]))

    assert "CVE-2021-44906" in answer.found_in("package-lock.json")


def test_an_advisory_that_can_not_be_compared_is_told(trivy, tmp_path):
    def change(buckets):
        packages = buckets["npm::GitHub Security Advisory npm"]
        packages["lodash"] = {"CVE-2021-23337": b'{"VulnerableVersions": ["<<4"]}'}

    folder = database(tmp_path, change)

    answer = trivy.scan({"yarn.lock": YARN}, cache=trivy.cache(folder))

    assert answer.told("npm constraint error")
