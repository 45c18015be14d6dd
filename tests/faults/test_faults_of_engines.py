"""An engine that stops, breaks off, stalls or lies never makes a clean scan, nor a run that hangs.

What runs on this host beside it is kept.
"""

import os
import socket
import ssl
import subprocess
import threading
import time

import pytest
from harness import (
    GOOD,
    HERE,
    assert_costs_only_itself,
    hung,
    left_behind,
    need_root,
    shell,
    wait_for_container,
)
from own_engines import OwnEngine, new_folder
from relay import Last

from scanrun.api import EngineError, EngineSettings, MissingToolError, Step
from scanrun_plugins.engines.docker import pulling
from scanrun_plugins.engines.docker.session import open_session

pytestmark = [pytest.mark.docker, pytest.mark.lab]

BESIDE = ("scan", "bandit,bad", "--engine", "docker")


def assert_lost(done, *words, host=None):
    assert_costs_only_itself(done, *words, kept="bandit", rule="B602", host=host)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_engine_that_ends_in_mid_scan_is_lost_and_what_is_left_there_is_reaped(
    program, own_engine, how
):
    process = program.start(HERE + hung(), *BESIDE, DOCKER_HOST=own_engine.host)
    wait_for_container(own_engine.host)
    getattr(own_engine, how)()

    done = program.finish(process)
    own_engine.start()
    run_id = done.verdict["run_id"]
    after = program.run(GOOD, "scan", "good", DOCKER_HOST=own_engine.host)

    assert after.code == 0, after.shown
    assert left_behind(run_id, own_engine.host) == []
    assert_lost(done, host=own_engine.host)
    if how == "kill":
        assert "start the scan again" in done.shown


def test_engine_that_is_restarted_in_mid_scan_is_lost_not_believed(program, own_engine):
    process = program.start(HERE + hung(), *BESIDE, DOCKER_HOST=own_engine.host)
    wait_for_container(own_engine.host)
    own_engine.stop()
    own_engine.start()

    done = program.finish(process)
    program.run(GOOD, "scan", "good", DOCKER_HOST=own_engine.host)

    assert_lost(done, host=own_engine.host)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Return a folder with a CA of our own, used for both sides of the connection."""
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout key.pem"
    names = ["-out", "cert.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*make.split(), *names], cwd=folder, check=True, capture_output=True)
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())
    return folder


@pytest.fixture
def tls(certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_remote_engine_that_is_cut_off_in_mid_scan_is_lost(
    program, own_engine, relay, tls, certificates
):
    wire = relay(tls=tls, engine=own_engine.host)
    remote = {
        "DOCKER_HOST": wire.url,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": certificates,
    }
    process = program.start(HERE + hung(), *BESIDE, **remote)
    wait_for_container(own_engine.host)
    wire.cut()

    done = program.finish(process)
    program.run(GOOD, "scan", "good", DOCKER_HOST=own_engine.host)

    assert_lost(done, host=own_engine.host)


def test_socket_without_permission_says_what_to_do(tmp_path):
    need_root()
    place = tmp_path / "docker.sock"
    settings = EngineSettings(
        run_id="r", scratch=tmp_path, environment={"DOCKER_HOST": f"unix://{place}"}
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        os.seteuid(65534)
        try:
            with pytest.raises(EngineError, match="permission denied") as caught:
                open_session(settings)
        finally:
            os.seteuid(0)

    assert "usermod -aG docker" in caught.value.hint


def test_slow_engine_is_waited_for(program, relay):
    def slow(_request, data):
        time.sleep(0.1)
        return data

    wire = relay(spoil=slow)

    done = program.run(GOOD, "scan", "good", DOCKER_HOST=wire.url)

    assert (done.code, done.rules) == (0, {"KEPT"}), done.shown
    assert left_behind(done.verdict["run_id"]) == []


def test_engine_that_accepts_and_never_answers_is_no_engine(program, tmp_path):
    place = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        done = program.run(
            GOOD, "scan", "good", "--engine", "docker", DOCKER_HOST=f"unix://{place}"
        )

    assert done.code == 2, done.shown
    assert "no container engine answers" in done.err
    assert "timed out" in done.err.lower()
    assert "try: start Docker or Podman" in done.err
    assert done.verdict["status"] == "incomplete"


def at(*words):
    """Return a test for a request that has all the words in its first line."""
    return lambda request: all(word.encode() in request for word in words)


ON_THE_WAY = {
    "create": at("/containers/create", "name=scanrun-bad"),
    "volume": at("POST", "/volumes/create"),
    "copy": at("PUT", "/archive"),
    "look": at("HEAD", "/archive"),
    "proof": at("HEAD", "/archive"),
    "attach": at("/attach"),
    "start": at("/start"),
    "wait": at("/wait"),
    "inspect": at("GET", "/containers/", "/json"),
    "fetch": at("GET", "/archive"),
}


@pytest.mark.parametrize("place", ON_THE_WAY)
def test_half_an_answer_is_a_lost_engine(program, relay, place):
    cut = set()

    def half(request, data):
        if ON_THE_WAY[place](request) and b"all=1" not in request:
            cut.add(place)
            return Last(data[: len(data) // 2])
        return data

    wire = relay(spoil=half)

    done = program.run(
        HERE + shell("bad", "echo 1 > /out/report.sarif"), *BESIDE, DOCKER_HOST=wire.url
    )

    assert cut, "nothing was spoilt"
    reaped = program.run(GOOD, "scan", "good")
    assert reaped.code == 0
    assert_lost(done)


def _json(_data, body):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


NONSENSE = {
    "no-json": b"<html>it works</html>",
    "other-shape": b'["what?"]',
    "empty-object": b"{}",
    "null": b"null",
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("place", ["create", "inspect", "look"])
def test_nonsense_from_the_engine_is_a_lost_engine_not_a_bug(program, relay, place, body):
    def garble(request, data):
        spoilt = ON_THE_WAY[place](request) and b"all=1" not in request
        return _json(data, body) if spoilt else data

    wire = relay(spoil=garble)

    done = program.run(HERE + shell("bad", "true"), *BESIDE, DOCKER_HOST=wire.url)

    reaped = program.run(GOOD, "scan", "good")
    assert reaped.code == 0
    assert_lost(done, "engine")


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_about_images_costs_the_scanners_that_need_one(program, relay, body):
    def garble(request, data):
        return _json(data, body) if at("GET", "/images/")(request) else data

    wire = relay(spoil=garble)

    done = program.run(HERE + shell("bad", "true"), *BESIDE, DOCKER_HOST=wire.url)

    assert_lost(done)


@pytest.mark.slow_fault
def test_engine_that_falls_silent_is_lost_after_a_minute(program, relay):
    never = threading.Event()

    def silent(request, data):
        if ON_THE_WAY["create"](request):
            never.wait(100)
            return None
        return data

    wire = relay(spoil=silent)

    done = program.run(HERE + shell("bad", "true"), *BESIDE, DOCKER_HOST=wire.url)
    never.set()

    reaped = program.run(GOOD, "scan", "good")
    assert reaped.code == 0
    assert_lost(done, "does not answer")


def test_engine_that_does_not_tell_the_end_is_held_to_the_deadline(program, relay):
    never = threading.Event()

    def silent(request, data):
        if ON_THE_WAY["wait"](request):
            never.wait(100)
            return None
        return data

    wire = relay(spoil=silent)

    done = program.run(HERE + hung(timeout="3s"), *BESIDE, DOCKER_HOST=wire.url)
    never.set()

    assert_lost(done, "ran longer than 3 s")


def test_registry_that_stalls_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(pulling, "STALL_S", 1)
    environment = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    settings = EngineSettings(run_id="stall", scratch=tmp_path, environment=environment)
    with socket.create_server(("127.0.0.1", 0)) as registry, open_session(settings) as session:
        address = f"127.0.0.1:{registry.getsockname()[1]}"

        with pytest.raises(MissingToolError, match="nothing came for 1 s") as caught:
            session.prepare(Step(image=f"{address}/a/b:1"), threading.Event())

    assert "see whether the registry answers" in caught.value.hint


@pytest.fixture
def engine_on_a_small_disk(small_disk):
    need_root("dockerd", "unshare")
    engine = OwnEngine(new_folder(), data=small_disk("size=48m"))
    engine.start()
    engine.load("busybox:1.35")
    yield engine
    engine.remove()


def test_full_disk_of_the_engine_is_told(program, engine_on_a_small_disk):
    (program.tree / "large").write_bytes(os.urandom(60 << 20))
    host = engine_on_a_small_disk.host

    done = program.run(HERE + shell("bad", "true"), *BESIDE, DOCKER_HOST=host)

    assert_lost(done, "no space left on device", host=host)
