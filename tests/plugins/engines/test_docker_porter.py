"""The application on the real engine: this host is out of its reach, and asks it all the same."""

import socket
import threading
import time
import urllib.request
from contextlib import suppress

import pytest

from scanrun.api import Compose, Limits, Service
from scanrun.stages.watch import Watch
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.owner import RUN
from scanrun_plugins.engines.docker.reaping import things

pytestmark = [pytest.mark.docker, pytest.mark.lab]

PYTHON = "scanrun-lab/target:1"
SERVE = "exec busybox httpd -f -p 8080 -h /etc"


@pytest.fixture
def serve(session, image):
    """Return a function that starts an application, which is a line of shell."""

    def start(line, **more):
        limits = Limits(memory_mb=96, pids=64, scratch_mb=8)
        given = {"image": image, "limits": limits, "porter": PYTHON, **more}
        service = Service(
            name="app",
            port=8080,
            argv=("/bin/sh", "-c", line),
            ready=lambda _: True,
            own_program=True,
            watched=True,
            **given,
        )
        return session.serve(service, name="probe", cancel=threading.Event())

    return start


@pytest.fixture
def composed(session, image, program, tmp_path):
    """Return a service of a compose file, started, which needs another one."""
    program("docker-compose", "docker-compose")
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        f"  web: {{image: '{image}', command: sh -c '{SERVE}', depends_on: [db]}}\n"
        f"  db: {{image: '{image}', command: sleep 600}}\n"
    )
    service = Service(
        name="app",
        compose=Compose(file=tmp_path / "compose.yaml", service="web", root=tmp_path),
        port=8080,
        limits=Limits(memory_mb=96, pids=64),
        ready=lambda _: True,
        own_program=True,
        watched=True,
        porter=PYTHON,
    )
    return session.serve(service, name="probe", cancel=threading.Event())


def answer(address):
    for _ in range(100):
        try:
            with urllib.request.urlopen(address.url + "/marker", timeout=20) as response:
                return response.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("it never answered")


def gateway(client, network):
    """Return the address that the engine's host has in a network, or would have."""
    return client.networks.get(network).attrs["IPAM"]["Config"][0]["Gateway"]


def ways_to_this_host(client, running):
    """Return the addresses that the host may have in each network of an application."""
    joined = client.containers.get(running.made.container).attrs["NetworkSettings"]["Networks"]
    return [gateway(client, name) for name in (*joined, "bridge")]


def reached(running, numbers):
    """Return which of the addresses an application can connect to, to all that listens there."""
    found = []
    with socket.create_server(("", 0)) as host:
        host.settimeout(0)
        for number in numbers:
            ask = f"busybox timeout 4 busybox nc -w 2 {number} {host.getsockname()[1]} </dev/null"
            running.execute(("sh", "-c", ask), timeout_s=20, cancel=threading.Event())
            with suppress(BlockingIOError):
                host.accept()[0].close()
                found.append(number)
    return found


def test_application_reaches_nothing_that_listens_on_this_host(serve, client):
    running = serve(SERVE)
    front = gateway(client, running.made.front)

    found = reached(running, [*ways_to_this_host(client, running), front])
    # it would, if it stood where its porter stands
    client.networks.get(running.made.front).connect(running.made.container)
    beside = reached(running, [front])

    assert answer(running.address) == b"a"
    assert found == []
    assert beside == [front]


def test_application_of_a_compose_file_reaches_nothing_that_listens_on_this_host(
    session, composed, client
):
    answered = answer(composed.address)
    ways = [*ways_to_this_host(client, composed), gateway(client, composed.made.front)]

    found = reached(composed, ways)
    composed.remove()

    assert answered == b"a"
    assert len(ways) > 3
    assert found == []
    assert list(things(client.api, f"{RUN}={session._settings.run_id}")) == []


@pytest.mark.parametrize("seen", [True, False])
def test_application_is_asked_wherever_the_engine_is_and_nothing_of_it_stays(
    session, serve, client, monkeypatch, seen
):
    if not seen:
        monkeypatch.setattr(Networks, "make_front", lambda *_: "")
    # no program of its own can pass anything on
    running = serve("busybox httpd -f -p 8080 -h /etc & busybox rm -f /bin/*; wait")

    answered = answer(running.address)
    running.remove()

    assert answered == b"a"
    assert (running.address.host == "127.0.0.1") is not seen
    assert list(things(client.api, f"{RUN}={session._settings.run_id}")) == []


def test_application_whose_program_takes_no_more_connections_is_seen_to_refuse(serve):
    running = serve(
        "busybox httpd -f -p 8080 -h /etc & busybox sleep 6; kill %1; exec busybox sleep 60"
    )
    answer(running.address)
    service = Service(name="app", image="app:1", port=8080, ready=lambda _: True)
    watch = Watch(service, running)

    watch.look()
    before = watch.problem()
    deadline = time.monotonic() + 60
    while not watch.problem() and time.monotonic() < deadline:
        watch.look()
        time.sleep(0.2)

    assert before == ""
    assert "it did not answer between" in watch.problem()
    assert running.problem() == ""


def test_scanners_image_without_python_is_told(serve, image):
    running = serve(SERVE, porter=image)

    for _ in range(50):
        if problem := running.problem():
            break
        time.sleep(0.1)

    assert "the scanner's image has to have python3" in problem
