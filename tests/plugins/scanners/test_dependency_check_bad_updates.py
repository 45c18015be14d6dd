"""The real Dependency-Check, whose data comes late, broken or not at all, or whose update dies."""

import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from dependency_check_lab import (
    LOG4SHELL,
    OWNERS_LOCK,
    Bench,
    Server,
    asked,
    containers_of,
    running,
)

from scanrun.cli.app import run as cli
from scanrun_plugins.scanners.dependency_check import databases

pytestmark = [pytest.mark.docker, pytest.mark.lab]

SLOW = pytest.mark.slow_fault
KEY = "c4n4ry" + "-key-for-the-nvd"
PASSWORD = "c4n4ry" + "-of-the-proxy"


@pytest.fixture(scope="module")
def feed(lab):
    return lab["dependency_check"]["12.2.2"]["feed"]


@pytest.fixture(scope="module")
def server(feed):
    made = Server(f"scanrun-test-feed-{os.getpid()}", feed)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def held(feed, tmp_path_factory):
    """Return databases that were brought up to date."""
    bench = Bench(tmp_path_factory.mktemp("held"), feed)
    done = bench.update()
    assert done.code == 0, done.said
    return bench.cache


@pytest.fixture
def bench(feed, held, tmp_path):
    """Return a bench that holds an edition of two days ago."""
    made = Bench(tmp_path / "bench", feed)
    made.take(held)
    made.aged(days=2)
    return made


@pytest.fixture
def empty(feed, tmp_path):
    """Return a bench that holds no edition."""
    return Bench(tmp_path / "bench", feed)


def assert_as_good_as_before(bench, edition):
    """Assert that the edition is in force, and that the next update is held up by nothing."""
    assert bench.edition == edition
    bench.set()
    done = bench.update()
    assert done.code == 0, done.said
    assert bench.edition != edition
    assert not (bench.edition / OWNERS_LOCK).exists()
    assert not list(bench.editions.glob("incoming-*"))


def test_update_whose_container_is_killed_leaves_the_edition_held_and_no_lock(bench, server):
    edition = bench.edition
    bench.set(nvd_datafeed=server.feed("slow"))
    process = bench.start_update()
    asked(server, "GET /slow/")

    running(process).kill()
    done = bench.finish(process)

    assert done.code == 3
    assert "137" in done.said
    assert_as_good_as_before(bench, edition)


@SLOW
def test_update_that_is_killed_itself_leaves_the_edition_held_and_is_reaped(bench, server):
    edition = bench.edition
    bench.set(nvd_datafeed=server.feed("slow"))
    process = bench.start_update()
    running(process)

    process.kill()
    process.communicate()

    assert_as_good_as_before(bench, edition)
    assert containers_of(process) == []


def test_ctrl_c_ends_an_update_that_stalls_at_once_and_leaves_nothing(bench, server):
    edition = bench.edition
    bench.set(nvd_datafeed=server.feed("slow"))
    process = bench.start_update()
    running(process)

    process.send_signal(signal.SIGINT)
    done = bench.finish(process)

    assert done.code == 130, done.said
    assert "Traceback" not in done.said
    assert containers_of(process) == []
    assert bench.edition == edition


@SLOW
def test_update_that_stalls_is_given_up_at_its_deadline_and_the_edition_held_is_used(
    bench, server, monkeypatch, capfd
):
    monkeypatch.setattr(databases, "_UPDATE_S", 8.0)
    monkeypatch.setenv("SCANRUN_CACHE_DIR", str(bench.cache))
    edition = bench.edition
    bench.set(nvd_datafeed=server.feed("slow"))
    config = str(bench.folder / "scanrun.toml")

    code = cli(
        ["scan", "dependency-check", str(bench.tree), "--engine", "docker", "--config", config]
    )

    said = "".join(capfd.readouterr())
    assert code == 1, said
    assert "ran longer than 8 s" in said
    assert "going on with the edition held" in said
    assert bench.edition == edition


@SLOW
@pytest.mark.parametrize(
    ("how", "word"),
    [("403", "refused"), ("404", "refused"), ("gone", "there is no way")],
)
def test_feed_that_gives_nothing_is_told_and_the_edition_held_is_used(bench, server, how, word):
    nowhere = "http://feed.invalid/nvdcve-{0}.json.gz"
    bench.set(nvd_datafeed=nowhere if how == "gone" else server.feed(how))

    done = bench.scan()

    assert done.code == 1, done.said
    assert done.status == "completed"
    assert LOG4SHELL in done.found("log4j-core-2.14.1.jar")
    assert word in done.said


@SLOW
def test_feed_that_gives_nothing_leaves_an_edition_that_is_too_old(bench, server):
    bench.aged(days=30)
    bench.set(nvd_datafeed=server.feed("404"))

    done = bench.scan()

    assert done.incomplete("30 d", "refused"), done.said
    assert LOG4SHELL in done.found("log4j-core-2.14.1.jar")


@pytest.mark.parametrize(
    ("how", "words"),
    [("404", ("refused", "nvd_datafeed")), ("cut", ("is not whole", "nvd_datafeed"))],
)
def test_feed_that_gives_nothing_and_no_edition_is_an_error_that_says_what_to_do(
    feed, server, tmp_path, how, words
):
    bench = Bench(tmp_path / "bench", feed)
    bench.set(nvd_datafeed=server.feed(how))

    done = bench.scan()

    assert done.incomplete(*words), done.said
    assert done.code == 3


@pytest.mark.parametrize(
    ("option", "name", "word"),
    [
        ("kev_url", "known_exploited_vulnerabilities.json", "CISA's list"),
        ("hosted_suppressions_url", "hosted.xml", "hosted.xml was not fetched"),
    ],
)
def test_list_that_is_refused_ends_a_first_import_before_the_nvd_is_asked(
    empty, server, option, name, word
):
    refused = server.feed("403").replace("nvdcve-{0}.json.gz", name)
    empty.set(nvd_datafeed=server.feed("404"), **{option: refused})

    done = empty.scan()

    assert done.incomplete(word, option), done.said


@pytest.fixture
def watch():
    """Return what the engine tells of all containers that scanrun has meanwhile."""
    seen, ended = [], threading.Event()

    def look():
        client = docker.APIClient()
        while not ended.wait(0.2):
            for each in client.containers(all=True, filters={"label": "scanrun.run"}):
                with suppress(docker.errors.APIError):
                    seen.append(json.dumps(client.inspect_container(each["Id"])))
                    seen.append(json.dumps(client.top(each["Id"], "-ef")))
        client.close()

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    ended.set()
    thread.join()


def processes():
    """Return command line and environment of all that run on this host."""
    for folder in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                yield folder.name, (folder / name).read_bytes()


def test_nvd_is_asked_by_way_of_the_proxy_and_key_and_password_are_seen_nowhere(
    bench, server, watch
):
    lists = dict.fromkeys(("kev_url", "retirejs_url", "hosted_suppressions_url"), "off")
    bench.set(nvd_datafeed="", proxy="THE_PROXY", **lists)
    bench.environment = {
        "NVD_API_KEY": KEY,
        "THE_PROXY": f"http://me:{PASSWORD}@{server.host}",
    }
    process = bench.start_update()
    asked(server, "CONNECT services.nvd.nist.gov:443")
    given = {str(process.pid)}  # who was given it in its environment

    found = [(pid, text) for pid, text in processes() if pid not in given]
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    done = bench.finish(process)

    written = b"".join(
        path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()
    ).decode("latin-1")
    everything = "".join(text.decode("latin-1") for _, text in found)
    assert "odc.properties" in everything
    for secret in (KEY, PASSWORD):
        assert secret not in written + done.said + everything + "".join(watch)


@SLOW
def test_scans_at_once_and_an_update_beside_them_do_not_disturb_each_other(bench, tmp_path):
    edition = bench.edition
    outputs = [tmp_path / "one", tmp_path / "other"]

    scans = [bench.start_scan("--offline", output=each) for each in outputs]
    updated = bench.update()
    done = [bench.finish(*each) for each in zip(scans, outputs, strict=True)]

    assert updated.code == 0, updated.said
    assert bench.edition != edition
    for each in done:
        assert each.code == 1, each.said
        assert each.found("log4j-core-2.14.1.jar") > {LOG4SHELL}


@SLOW
def test_lock_of_a_dead_owner_in_the_edition_held_holds_nobody_up(bench):
    (bench.edition / OWNERS_LOCK).write_bytes(b"x" * 32)
    edition = bench.edition

    scanned = bench.scan("--offline")

    assert scanned.code == 1, scanned.said
    assert_as_good_as_before(bench, edition)


def test_update_out_of_memory_is_told_and_leaves_the_edition_held(bench):
    edition = bench.edition
    bench.set(memory="40m")

    done = bench.update()

    assert done.code == 3
    assert "killed for its memory" in done.said
    assert "raise `memory` in [scanner.dependency-check]" in done.said
    assert bench.edition == edition
