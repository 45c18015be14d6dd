"""Jars of an image, and the database that says which library each is."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from java_files import ALPINE, LOG4J, jar, java_index, named_jar, nested, packed, saved
from trivy_lab import database

from scanrun.cache import Cache
from scanrun_plugins.scanners.trivy.databases import JAVA, java_database

pytestmark = pytest.mark.lab

JAVA_WANTED = "[scanner.trivy-image]\njava = true\n"
LOG4SHELL = "CVE-2021-44228"
NAMELESS = jar({"a.class": "only its checksum tells what it is"})
UNKNOWN = jar({"b.class": "nobody knows what it is"})
NAMED = named_jar(*LOG4J)
LONG_LINE = jar({"META-INF/maven/g/a/pom.properties": "a" * (1 << 20)})
FOUND = {
    "trivy-2f-12a": ("app/nameless.jar", NAMELESS),
    "trivy-6-10a": ("app/twelve.jar", nested(12, NAMED)),
    "trivy-6-10b": ("app/three-hundred.jar", nested(300, NAMED)),
}
BROKEN = {
    "trivy-6-11a": ("app/cut.jar", NAMED[:60]),
    "trivy-6-11b": ("app/text.jar", b"text"),
    "trivy-6-11c": ("app/long-line.jar", LONG_LINE),
    "trivy-6-11d": ("app/outer.jar", jar({"inner.jar": "text"})),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("java") / "index"
    return java_index(folder, (*LOG4J, NAMELESS))


@pytest.fixture(scope="module")
def scan_image(trivy, index, tmp_path_factory):
    """Return a function that scans an image that holds `files`, with a database `spoil` was at."""

    def scan(files, spoil=None, config=JAVA_WANTED, vulnerabilities=None):
        cache = trivy.cache(vulnerabilities)
        Cache(cache).put(java_database({"java_db_repository": ""}), index)
        if spoil:
            spoil(next(cache.glob(f"{JAVA}/2*")))
        archive = tmp_path_factory.mktemp("image") / "image.tar"
        archive.write_bytes(saved(packed(ALPINE | files)))
        return trivy.scan(
            {"a": ""},
            *("--image", str(archive), "--fail-on", "never"),
            scanner="trivy-image",
            config=config,
            cache=cache,
        )

    return scan


def stamped(**changed):
    def spoil(folder):
        path = folder / "metadata.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return spoil


def content(change):
    def spoil(folder):
        path = folder / "trivy-java.db"
        path.write_bytes(change(path.read_bytes()))

    return spoil


def emptied(folder):
    shutil.rmtree(folder)
    java_index(folder)


OLD = (datetime.now(UTC) - timedelta(days=60)).isoformat()
SPOILT = {
    "trivy-2f-11b": content(lambda data: b""),
    "trivy-2f-11c": content(lambda data: b"garbage" * 4096),
    "trivy-2f-11d": lambda folder: (folder / "trivy-java.db").unlink(),
    "trivy-2f-11e": content(lambda data: data[:-4096]),
    "trivy-2f-11f": lambda folder: (folder / "metadata.json").write_text("{}"),
    "trivy-2f-11g": stamped(Version=2),
    "trivy-2f-11h": stamped(UpdatedAt=OLD, NextUpdate=OLD),
    "trivy-2f-11i": emptied,
}


@pytest.mark.parametrize("row", SPOILT)
def test_a_java_database_that_is_not_whole_or_old_is_incomplete(row, scan_image):
    answer = scan_image({"app/log4j.jar": NAMED}, SPOILT[row])

    assert answer.code == 3
    assert "java" in answer.reason.lower()


def test_a_jar_in_an_image_without_the_java_database_is_incomplete(scan_image):
    answer = scan_image({"app/log4j.jar": NAMED}, config="")

    assert answer.code == 3
    assert "exit code 1" in answer.reason


@pytest.fixture(scope="module")
def whole(scan_image):
    return scan_image(dict(FOUND.values()) | {"app/unknown.jar": UNKNOWN})


@pytest.mark.parametrize("row", FOUND)
def test_a_library_is_found_whatever_jar_it_lies_in(row, whole):
    path = FOUND[row][0]

    assert whole.complete, whole.reason
    assert any(rule == LOG4SHELL and place.startswith(path) for rule, place in whole.found)


def test_a_jar_that_nobody_knows_is_told(whole):
    assert whole.told("no package was recognised in: 'app/unknown.jar'")


@pytest.mark.parametrize("row", BROKEN)
def test_a_jar_that_can_not_be_read_is_incomplete(row, scan_image):
    answer = scan_image(dict([BROKEN[row]]))

    assert answer.code == 3
    assert answer.told(BROKEN[row][0])


def test_a_database_without_java_is_incomplete_for_an_image_with_jars(scan_image, tmp_path):
    def forget(buckets):
        for name in [each for each in buckets if each.startswith("maven::")]:
            del buckets[name]

    answer = scan_image({"app/log4j.jar": NAMED}, vulnerabilities=database(tmp_path, forget))

    assert answer.code == 3
    assert "an old vulnerability (Java)" in answer.reason


def test_layers_and_jars_with_ways_out_write_nothing_outside(scan_image, tmp_path):
    up = "../" * 40 + str(tmp_path).lstrip("/")
    slip = jar({f"{up}/slipped.jar": NAMED, "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n"})
    ways_out = {f"{up}/relative": "x", f"{tmp_path}/absolute": "x"}

    answer = scan_image(ways_out | {"app/slip.jar": slip, "app/log4j.jar": NAMED})

    assert LOG4SHELL in {rule for rule, _ in answer.found}
    assert list(tmp_path.iterdir()) == []
