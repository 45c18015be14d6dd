"""An application outside the engine, on the real engine: reached, and nothing else is."""

import json
import socket
import threading
import tracemalloc

import pytest
from relay_kit import HOSTILE, Application, Counter, Pages, large, never, sha256, soon

from scanrun.api import Address, Limits, Service, Step, StepError
from scanrun_plugins.engines.docker import DockerEngine
from scanrun_plugins.engines.docker.owner import RUN

pytestmark = [pytest.mark.docker, pytest.mark.lab]

PYTHON = "python:3.11-slim"

ALL_OF_IT = """
import concurrent.futures, hashlib, http.client, json, socket, sys, urllib.request
seen = {}
def get(path):
    return urllib.request.urlopen("http://app:8080" + path, timeout=60).read()
seen["large"] = hashlib.sha256(get("/large")).hexdigest()
seen["many"] = sum(get(f"/{each}") == b"/%d" % each for each in range(200))
with concurrent.futures.ThreadPoolExecutor(100) as pool:
    each = list(pool.map(lambda n: get(f"/meet/{n}"), range(100)))
    seen["at once"] = sum(got == b"/meet/%d" % n for n, got in enumerate(each))
kept = http.client.HTTPConnection("app", 8080, timeout=60)
kept.connect()
own = kept.sock.getsockname()
for n in range(50):
    kept.request("POST", "/keep", body=b"x" * 5000)
    assert kept.getresponse().read() == b"/keep 5000"
seen["kept alive"] = kept.sock.getsockname() == own
raw = socket.create_connection(("app", 8080), timeout=60)
raw.sendall(b"GET /hostile HTTP/1.1\\r\\nHost: app\\r\\n\\r\\n")
got = b"".join(iter(lambda: raw.recv(65536), b""))
seen["hostile"] = hashlib.sha256(got).hexdigest()
raw = socket.create_connection(("app", 8080), timeout=60)
raw.sendall(b"POST /half HTTP/1.0\\r\\n\\r\\nall that I have to say")
raw.shutdown(socket.SHUT_WR)
seen["half"] = b"".join(iter(lambda: raw.recv(65536), b"")).decode().rpartition("\\n")[2]
print(json.dumps(seen))
"""

ELSEWHERE = """
import json, socket, sys
tried, reached = json.loads(sys.argv[1]), []
for host, port in tried:
    try:
        socket.create_connection((host, port), timeout=0.3).close()
        reached.append([host, port])
    except OSError:
        pass
print(json.dumps(reached))
"""

ASK = """
import socket, sys
try:
    raw = socket.create_connection(("app", 8080), timeout=20)
    raw.sendall(b"GET /slow HTTP/1.1\\r\\nHost: app\\r\\n\\r\\n")
    while raw.recv(65536):
        pass
    print("an end")
except (ConnectionResetError, BrokenPipeError):
    print("broken off")
"""


def of_run(client, session):
    chosen = {"label": f"{RUN}={session._settings.run_id}"}
    return [
        *client.containers.list(all=True, filters=chosen),
        *client.volumes.list(filters=chosen),
        *client.networks.list(filters=chosen),
    ]


def relay_of(at, **more):
    given = {"host": "app", "image": PYTHON, "remote": Address("127.0.0.1", at), **more}
    limits = Limits(memory_mb=128, pids=64, scratch_mb=16)
    return Service(
        **{"name": "app", "port": 8080, "ready": lambda _: True, "limits": limits, **given}
    )


@pytest.fixture
def application():
    Pages.meeting = threading.Barrier(100)
    running = Application()
    yield running
    running.die()


@pytest.fixture
def session(settings):
    with DockerEngine().open(settings(pull="never")) as session:
        yield session


@pytest.fixture
def scan(session, tmp_path):
    """Return a function that runs a script beside a relay; what it printed comes back."""

    def run(script, *args, beside, image=PYTHON):
        step = Step(
            name="scan",
            image=image,
            entrypoint=("python3", "-c"),
            argv=(script, *args),
            source=None,
            services=("app",),
            timeout_s=120,
        )
        folder = tmp_path / f"step-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        outcome = session.run(
            step, name="t", caches={}, folder=folder, cancel=never(), beside=[beside]
        )
        return outcome.exit_code, outcome.log.read_text()

    return run


def start(session, service):
    return session.serve(service, name="t", cancel=never())


def test_all_that_is_said_comes_through_whole(session, scan, application, tmp_path):
    running = start(session, relay_of(application.server_port, watched=True))
    due = sha256(large())
    tracemalloc.start()

    code, printed = scan(ALL_OF_IT, beside=running)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert code == 0, printed
    assert json.loads(printed) == {
        "large": due,
        "many": 200,
        "at once": 100,
        "kept alive": True,
        "hostile": sha256(HOSTILE),
        "half": "yas ot evah I taht lla",
    }
    assert running.problem() == ""
    assert running.relay.connections == 1 + 200 + 100 + 1 + 1 + 1
    assert peak < 10 << 20
    running.write_log(tmp_path / "log")
    assert (
        f"304 connections to 127.0.0.1:{application.server_port}" in (tmp_path / "log").read_text()
    )


def test_nothing_else_is_reached_from_beside_a_relay(session, scan, application, client):
    counter = Counter()
    running = start(session, relay_of(application.server_port, watched=True))
    joined = client.containers.get(running.made.container).attrs["NetworkSettings"]["Networks"]
    gateways = {
        each["Gateway"] or ""
        for network in client.networks.list()
        for each in network.attrs["IPAM"]["Config"] or ()
        if each.get("Gateway")
    }
    own = {each[4][0] for each in socket.getaddrinfo(socket.gethostname(), 0, socket.AF_INET)}
    port = counter.server_address[1]
    hosts = ["app", "localhost", "host.docker.internal", "127.0.0.1", *gateways, *own]
    tried = [[host, each] for host in hosts for each in (port, application.server_port)]

    code, printed = scan(ELSEWHERE, json.dumps([*tried, ["app", 8080]]), beside=running)
    counter.end()

    assert (code, json.loads(printed), counter.count) == (0, [["app", 8080]], 0)
    assert set(joined) == {running.network}
    assert client.networks.get(running.network).attrs["Internal"] is True


def test_no_name_is_asked_for_outside(session, scan, application):
    """What is asked for comes back to the asker: its own loopback is its name server."""
    running = start(session, relay_of(application.server_port))
    script = """
import socket, threading
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.bind(("127.0.0.1", 53))
ear.settimeout(20)
def ask():
    try:
        socket.getaddrinfo("stolen-data.invalid", 80)
    except OSError:
        pass
threading.Thread(target=ask, daemon=True).start()
print(b"stolen-data" in ear.recv(4096))
"""

    assert scan(script, beside=running) == (0, "True\n")


def test_a_relay_is_hardened_and_leaves_nothing(session, scan, application, client, tmp_path):
    running = start(session, relay_of(application.server_port, port=80))
    found = client.containers.get(running.made.container).attrs
    code, printed = scan(
        "import urllib.request; print(urllib.request.urlopen('http://app/a').read())",
        beside=running,
    )
    running.stop()
    session._containers.settle()

    assert (code, printed) == (0, "b'/a'\n")
    assert found["Config"]["User"] == "1000:1000"
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["CapAdd"] is None
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert found["Mounts"] == []
    assert found["HostConfig"]["PortBindings"] in ({}, None)
    assert of_run(client, session) == []
    assert not [each for each in threading.enumerate() if each.name == "relay"]


def test_an_application_that_dies_in_mid_scan_is_a_problem(session, scan, application):
    running = start(session, relay_of(application.server_port, watched=True))
    killer = threading.Thread(target=lambda: application.slow.wait(60) and application.die())
    killer.start()

    _, printed = scan(ASK, beside=running)
    killer.join()

    assert printed in ("broken off\n", "an end\n")  # a server's own end is passed on as it is
    assert scan(ASK, beside=running)[1] == "broken off\n"
    assert "took no connection any more: connection refused" in running.problem()


@pytest.mark.parametrize("ends", ["container", "stream"])
def test_a_relay_that_dies_in_mid_scan_is_a_problem(ends, session, scan, application, client):
    running = start(session, relay_of(application.server_port))
    container = client.containers.get(running.made.container)
    end = container.kill if ends == "container" else running.relay._stream.close
    killer = threading.Thread(target=lambda: application.slow.wait(60) and end())
    killer.start()

    _, printed = scan(ASK, beside=running)
    killer.join()

    assert printed == "broken off\n"
    assert "'app' ended" in soon(running.problem) or "broke off" in running.problem()


def test_an_image_without_python_is_told(session, application, image, client):
    with pytest.raises(StepError, match="python3") as caught:
        start(session, relay_of(application.server_port, image=image))

    assert "python3" in caught.value.hint
    assert of_run(client, session) == []


def test_an_application_that_does_not_run_starts_nothing(session, client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(StepError, match=f"127.0.0.1:{port} .* refuses connections"):
        start(session, relay_of(port, start_s=0))

    assert of_run(client, session) == []


def test_no_command_is_run_beside_an_application_elsewhere(session, application):
    running = start(session, relay_of(application.server_port))

    with pytest.raises(StepError, match="runs elsewhere"):
        running.execute(("id",), timeout_s=5, cancel=never())
