"""The real Dependency-Check on a database that is no good, too little room, and odd trees."""

import json
import subprocess
from pathlib import Path

import pytest
from dependency_check_lab import DATABASE, LOG4SHELL, Bench, archive, library

pytestmark = [pytest.mark.docker, pytest.mark.lab]

BLOCK = 4096
SLOW = pytest.mark.slow_fault


@pytest.fixture(scope="module")
def feed(lab):
    return lab["dependency_check"]["12.2.2"]["feed"]


@pytest.fixture(scope="module")
def held(feed, tmp_path_factory):
    """Return databases that were brought up to date."""
    bench = Bench(tmp_path_factory.mktemp("held"), feed)
    done = bench.update()
    assert done.code == 0, done.said
    return bench.cache


@pytest.fixture
def bench(feed, held, tmp_path):
    made = Bench(tmp_path / "bench", feed)
    made.take(held)
    return made


def cut_within_a_block(content):
    return content[: len(content) // 2 + 1]


def cut_between_blocks(content):
    return content[: len(content) // 2 // BLOCK * BLOCK]


def with_a_hole(content):
    return content[: 2 * BLOCK] + bytes(len(content) - 3 * BLOCK) + content[-BLOCK:]


def with_garbage(content):
    middle = len(content) // 2 // BLOCK * BLOCK
    return content[: 2 * BLOCK] + b"garbage!" * ((middle - BLOCK) // 8) + content[middle + BLOCK :]


def nothing(_):
    return b""


DAMAGES = (cut_within_a_block, cut_between_blocks, with_a_hole, with_garbage, nothing)


@pytest.fixture
def damaged(bench, lab):
    """Return a function that damages the edition in force."""
    other = f"{lab['dependency_check']['9.2.0']['data']}/{DATABASE}"

    def damage(how):
        database = bench.edition / DATABASE
        if how is None:
            database.write_bytes(Path(other).read_bytes())
        else:
            database.write_bytes(how(database.read_bytes()))
        return bench

    return damage


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(None, id="of_another_version"),
        *(pytest.param(each, id=each.__name__, marks=SLOW) for each in DAMAGES),
    ],
)
def test_database_that_is_no_good_is_never_a_clean_scan_and_an_update_mends_it(damaged, how):
    bench = damaged(how)

    before = bench.scan("--offline")
    updated = bench.update()
    after = bench.scan("--offline")

    assert before.incomplete("scanrun cache update"), before.said
    assert updated.code == 0, updated.said
    assert after.code == 1, after.said
    assert LOG4SHELL in after.found("log4j-core-2.14.1.jar")


def test_scratch_space_too_small_for_the_database_is_told(bench):
    database = bench.edition / DATABASE
    with database.open("r+b") as stream:
        stream.truncate(96 << 20)
    bench.set(scratch=64)

    done = bench.scan("--offline")

    assert done.incomplete("no room", "scratch"), done.said
    assert done.code == 3


@pytest.mark.parametrize("memory", ["40m", pytest.param("96m", marks=SLOW)])
def test_too_little_memory_is_told(bench, memory):
    bench.set(memory=memory)

    done = bench.scan("--offline")

    assert done.incomplete("memory"), done.said
    assert "raise `memory`" in done.said


def test_suppression_file_with_one_bad_rule_is_refused_with_its_line(bench):
    schema = "https://jeremylong.github.io/DependencyCheck/dependency-suppression.1.3.xsd"
    rules = (
        f'<?xml version="1.0"?>\n<suppressions xmlns="{schema}">\n'
        "<suppress><cve>CVE-2021-44228</cve></suppress>\n"
        "<suppress><cve>GHSA-jfh8-c2jp-5v3q</cve></suppress>\n</suppressions>\n"
    )
    bench.put({"rules.xml": rules})
    bench.set(suppressions=["rules.xml"])

    done = bench.scan("--offline")

    assert "'rules.xml' line 4" in done.said
    assert done.code == 3


PACKAGES = {"lodash": "4.17.20", "axios": "0.26.1"}
LOCK = {
    "name": "shop",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "shop", "version": "1.0.0"},
        **{f"node_modules/{name}": {"version": version} for name, version in PACKAGES.items()},
    },
}


@pytest.fixture(scope="module")
def built(feed, held, tmp_path_factory):
    """Return a scan of a repository in which a build has left what git ignores."""
    bench = Bench(tmp_path_factory.mktemp("built") / "bench", feed)
    bench.take(held)
    bench.put(
        {
            ".gitignore": "target/\n",
            "pom.xml": "<project/>",
            "target/shop.jar": library("log4j-core"),
            "service/target/inner.war": archive(
                {"WEB-INF/lib/commons-fileupload-1.3.jar": library("commons-fileupload")}
            ),
            "web/package-lock.json": json.dumps(LOCK, indent=2),
        }
    )
    subprocess.run(["git", "init", "--quiet", bench.tree], check=True)
    return bench.scan("--offline")


def test_jars_of_a_build_are_looked_at_though_git_ignores_them(built):
    assert built.status == "completed", built.said
    assert LOG4SHELL in built.found("target/shop.jar")


def test_jar_in_a_war_is_told_at_the_war(built):
    assert "CVE-2014-0050" in built.found("service/target/inner.war")


@pytest.mark.parametrize("name", PACKAGES)
def test_package_of_npm_is_told_at_its_line_of_the_lock_file(built, name):
    text = json.dumps(LOCK, indent=2).splitlines()
    (line,) = (number for number, each in enumerate(text, 1) if f'"node_modules/{name}"' in each)

    lines = {at for _, path, at in built.results if path == "web/package-lock.json"}

    assert line in lines
