"""The real Dependency-Check on what it passes over without a word, with the lab's database."""

import io
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from real_tools import lay_out, scan

from scanrun.cli.app import run as cli
from scanrun_plugins.scanners.dependency_check import canary

pytestmark = [pytest.mark.docker, pytest.mark.lab]

ROOT = Path(__file__).parents[2]
LIBRARIES = ROOT / "examples" / "vulnerable-app" / "lib"
LOG4SHELL = canary.RULE_ID


def archive(files):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return written.getvalue()


def nested(content, name, times):
    for number in range(times):
        content, name = archive({name: content}), f"{number}.zip"
    return content


def lock(name="a", **packages):
    """Return a lock file of npm's that names these."""
    named = {f"node_modules/{name}": {"version": version} for name, version in packages.items()}
    found = {"version": "1.0.0", "lockfileVersion": 3, **({"name": name} if name else {})}
    return json.dumps({**found, "packages": {"": {"name": "a", "version": "1.0.0"}, **named}})


def library(start):
    (found,) = LIBRARIES.glob(f"{start}*.jar")
    return found.read_bytes()


def options(feed, **more):
    """Return a configuration with which all data comes from a folder."""
    said = {
        "nvd_datafeed": str(feed),
        "kev_url": f"{feed}/kev.json",
        "retirejs_url": f"{feed}/jsrepository.json",
        "hosted_suppressions_url": f"file://{feed}/hosted-suppressions.xml",
        **more,
    }
    lines = (f"{key} = {json.dumps(value)}\n" for key, value in said.items())
    return "[scanner.dependency-check]\n" + "".join(lines)


@pytest.fixture(scope="module")
def check(lab, tmp_path_factory):
    """Return a function that scans a tree; all share one database."""
    feed = lab["dependency_check"]["12.2.2"]["feed"]
    cache = tmp_path_factory.mktemp("database")

    def run(tree, *more, feed=feed, cache=cache, plain=False, **settings):
        folder = tmp_path_factory.mktemp("scan")
        root = tree if isinstance(tree, Path) else lay_out(folder / "tree", tree)
        return scan(
            "dependency-check",
            root,
            folder,
            *more,
            engine="docker",
            env={"SCANRUN_CACHE_DIR": str(cache)},
            plain=plain,
            table=options(feed, **settings),
        )

    return run


@pytest.fixture(scope="module")
def whole(check):
    """Return a scan of what is whole: none of it may take the scan's worth away."""
    return check(
        {
            "log4j-core-2.14.1.jar": library("log4j-core"),
            "deep.zip": nested(library("commons-fileupload"), "commons-fileupload-1.3.jar", 8),
            "four.jar": library("logback"),
            "web/package-lock.json": lock(lodash="4.17.20"),
            "nameless/package-lock.json": lock(name="", axios="0.26.1"),
            "service/pom.xml": "<project/>",
            "service/requirements.txt": "django==2.0\n",
            "service/package.json": '{"name": "b", "dependencies": {"lodash": "4.17.20"}}',
            "service/yarn.lock": "# yarn lockfile v1\n",
        }
    )


def test_a_clean_tree_of_many_kinds_is_complete(whole):
    assert whole.complete, whole.said
    assert LOG4SHELL in whole.found("log4j-core-2.14.1.jar")


def test_a_lock_file_without_installed_packages_is_looked_at(whole):
    assert "CVE-2021-23337" in whole.found("web/package-lock.json")
    assert any("without installing them" in text for _, text in whole.notices)


def test_a_lock_file_without_a_name_is_looked_at(whole):
    assert "CVE-2023-45857" in whole.found("nameless/package-lock.json")


def test_a_jar_in_eight_archives_is_found(whole):
    assert "CVE-2014-0050" in whole.found("deep.zip")


def test_what_has_a_score_of_the_newest_kind_only_counts(whole):
    assert "CVE-2024-12798" in whole.found("four.jar")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("service/pom.xml", id="dependency-check-4-08"),
        pytest.param("service/requirements.txt", id="dependency-check-4-09"),
        pytest.param("service/yarn.lock", id="dependency-check-4-10"),
    ],
)
def test_a_file_that_it_does_not_read_is_told(whole, path):
    assert any(path in text for level, text in whole.notices if level == "warning")


BROKEN = {
    "text.jar": b"this is no archive\n",
    "empty.jar": b"",
    "cut.jar": library("log4j-core")[:200],
    "cut/package-lock.json": lock(lodash="4.17.20")[:-5],
    "none/package-lock.json": "{}",
    "strange/package-lock.json": lock(**{"../../etc": "1.0.0"}),
}


@pytest.fixture(scope="module")
def broken(check):
    return check({**BROKEN, "log4j-core-2.14.1.jar": library("log4j-core")})


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("text.jar", id="dependency-check-4-05a"),
        pytest.param("empty.jar", id="dependency-check-4-05b"),
        pytest.param("cut/package-lock.json", id="dependency-check-4-06a"),
        pytest.param("none/package-lock.json", id="dependency-check-4-06b"),
        pytest.param("strange/package-lock.json", id="dependency-check-4-06c"),
    ],
)
def test_a_file_that_it_drops_is_named_and_incomplete(broken, path):
    assert broken.lost(path)
    assert LOG4SHELL in broken.found("log4j-core-2.14.1.jar")


def test_an_archive_that_is_cut_off_is_an_error_of_the_analysis(broken):
    errors = [text for level, text in broken.notices if level == "error"]

    assert not broken.complete
    assert any("could not look at everything" in text for text in errors)


def test_a_lock_file_that_nobody_may_read_is_named_and_incomplete(check, tmp_path):
    place = lay_out(tmp_path / "tree", {"a/package-lock.json": lock(lodash="4.17.20")})
    (place / "a" / "package-lock.json").chmod(0)

    found = check(place, plain=True)

    assert found.code == 3
    assert found.lost("a/package-lock.json")


def test_a_bomb_that_fills_the_scratch_space_makes_it_incomplete(check):
    bomb = archive({"zeros.jar": bytes(200 << 20)})

    found = check({"bomb.zip": bomb, "log4j-core-2.14.1.jar": library("log4j-core")}, scratch=96)

    assert not found.complete
    assert found.code in {1, 3}
    assert "scratch space was full" in found.reason


def test_what_the_user_asked_for_and_it_does_not_read_is_incomplete(check):
    tree = {"pom.xml": "<project/>", "requirements.txt": "django==2.0\n"}

    found = check(tree, ecosystems=["java", "python"])

    assert found.code == 3
    assert found.lost("pom.xml")
    assert found.lost("requirements.txt")


def test_a_tree_with_nothing_that_it_reads_is_no_clean_scan(tmp_path, capsys):
    lay_out(tmp_path, {"pom.xml": "<project/>"})

    assert cli(["scan", "dependency-check", str(tmp_path), "--engine", "docker"]) == 3
    assert "build before the scan" in capsys.readouterr().out


@pytest.fixture
def feeds(monkeypatch):
    """Return the module of the lab that writes feeds."""
    monkeypatch.syspath_prepend(str(ROOT / "lab"))
    import nvd  # noqa: PLC0415 - not a package

    yield nvd
    for name in ("nvd", "cvss"):
        sys.modules.pop(name, None)


def test_data_of_ten_months_ago_is_too_old(check, feeds, tmp_path):
    feeds.write(tmp_path / "feed", datetime.now(UTC) - timedelta(days=300))

    found = check(
        {"log4j-core-2.14.1.jar": library("log4j-core")},
        feed=tmp_path / "feed",
        cache=tmp_path / "c",
    )

    assert not found.complete
    assert "NVD database is" in found.reason
    assert LOG4SHELL in found.found("log4j-core-2.14.1.jar")


def test_a_database_that_knows_nothing_is_not_taken(check, feeds, tmp_path, monkeypatch):
    facts = tmp_path / "facts"
    facts.mkdir()
    for each in feeds.DATA.iterdir():
        lines = each.read_text().splitlines(keepends=True)
        (facts / each.name).write_text("".join(lines[:1] if each.suffix == ".csv" else lines))
    monkeypatch.setattr(feeds, "DATA", facts)
    feeds.write(tmp_path / "feed", datetime.now(UTC))

    found = check({"a.jar": library("h2")}, feed=tmp_path / "feed", cache=tmp_path / "c")

    assert found.code == 3
    assert "its database is empty" in found.reason
