"""Servers beside steps, on the real engine: reached, closed in, kept, and gone in the end."""

import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from docker.errors import NotFound

from scanrun.api import (
    InterruptedRunError,
    Limits,
    MissingToolError,
    RunsServices,
    Service,
    StepError,
)
from scanrun_plugins.engines.docker import DockerEngine, reaping, tunnel
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.owner import KEPT, RUN
from scanrun_plugins.engines.docker.reach import NOWHERE
from scanrun_plugins.engines.docker.services import kept_name

pytestmark = pytest.mark.docker

HTTPD = ("/bin/busybox", "httpd", "-f", "-p", "8080", "-h")
SMALL = Limits(memory_mb=64, pids=64, scratch_mb=8)


def labelled(client, label):
    chosen = {"label": label}
    return [
        *client.containers.list(all=True, filters=chosen),
        *client.volumes.list(filters=chosen),
        *client.networks.list(filters=chosen),
    ]


def of_run(client, session):
    return labelled(client, f"{RUN}={session._settings.run_id}")


def answer(address, path="/marker"):
    """Return what the service says, as soon as it does."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(address.url + path, timeout=20) as response:
                return response.read()
        except OSError:
            time.sleep(0.05)
    raise AssertionError("it never answered")


def ended(running):
    """Return the problem, as soon as there is one."""
    for _ in range(100):
        if problem := running.problem():
            return problem
        time.sleep(0.05)
    raise AssertionError("it never ended")


def joined(client, running):
    """Wait until a step that speaks to the service runs."""
    for _ in range(400):
        if len(client.containers.list(filters={"network": running.network})) > 1:
            return
        time.sleep(0.05)
    raise AssertionError("it never ran")


@pytest.fixture
def web(image):
    """Return a function that describes a service: a server, or a line of shell."""

    def make(name="web", *, line="", **more):
        argv = ("/bin/sh", "-c", line) if line else (*HTTPD, more.pop("folder", "/etc"))
        given = {"image": image, "port": 8080, "limits": SMALL, "ready": lambda _: True, **more}
        return Service(name=name, argv=argv, **given)

    return make


@pytest.fixture
def start(web):
    def serve(session, name="web", **more):
        return session.serve(web(name, **more), name="probe", cancel=threading.Event())

    return serve


@pytest.fixture
def forwarded(monkeypatch):
    """Have this host not see the engine's networks."""
    monkeypatch.setattr(Networks, "make_front", lambda *_: "")


@pytest.fixture
def keep(client):
    """Return a name to keep a service by; what carries it is removed at the end."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    for thing in labelled(client, f"{KEPT}={name}"):
        # a run beside this one may clear what is kept
        with suppress(NotFound):
            thing.remove(**({"force": True} if hasattr(thing, "image") else {}))


def test_a_session_runs_services_and_knows_its_memory(session, client):
    assert isinstance(session, RunsServices)
    assert session.memory_mb == client.info()["MemTotal"] >> 20


def test_a_service_is_reached_from_here_and_by_name_from_a_step(session, start, shell, image):
    running = start(session)

    here = answer(running.address)
    there = shell(session, "wget -q -O - http://web:8080/marker", beside=[running])

    assert here.decode() == there.log.read_text() == "a"
    assert running.address.host != "127.0.0.1"
    assert running.problem() == ""


def test_a_step_reaches_its_services_and_nothing_else(session, start, shell, client):
    near, far = start(session), start(session, "far")
    answer(far.address)
    inside = client.containers.get(far.made.container).attrs["NetworkSettings"]["Networks"]
    gateway = client.networks.get(near.network).attrs["IPAM"]["Config"][0]["Gateway"]
    with socket.create_server(("", 0)) as host:
        ours = f"{gateway} {host.getsockname()[1]}"
        others = [f"{each['IPAddress']} 8080" for each in inside.values()]

        outcome = shell(
            session,
            f"for to in '{ours}' '{others[0]}' '{others[1]}'; do "
            "busybox nc -w 1 $to </dev/null && echo reached $to; done; "
            "wget -q -O - http://web:8080/marker",
            beside=[near],
        )

    said = outcome.log.read_text()
    assert "reached" not in said
    assert said.endswith("a")


def test_a_step_speaks_to_several_services_and_goes_out(session, start, shell):
    beside = [start(session), start(session, "other", folder="/baked")]
    for running, path in zip(beside, ("/marker", "/report.json"), strict=True):
        answer(running.address, path)

    outcome = shell(
        session,
        "wget -q -O - http://web:8080/marker; wget -q -O - http://other:8080/report.json; "
        "ls /sys/class/net",
        beside=beside,
        network=True,
    )

    said = outcome.log.read_text()
    assert said.startswith("aa")
    assert {"eth0", "eth1", "eth2"} <= set(said.removeprefix("aa").split())


def test_a_step_in_another_network_than_asked_for_is_not_started(
    session, start, shell, monkeypatch
):
    running, other = start(session), start(session, "other")
    monkeypatch.setattr(Networks, "join", lambda *_: None)

    with pytest.raises(StepError, match="does not enforce: network"):
        shell(session, "true", beside=[running, other])


def test_a_service_is_reached_through_the_engine_where_its_network_is_not_seen(
    session, start, forwarded
):
    running = start(session)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: answer(running.address), range(12)))
    running.stop()

    assert answers == [b"a"] * 12
    assert running.address.host == "127.0.0.1"
    assert [each for each in threading.enumerate() if each.name in ("forward", "bridge")] == []
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((running.address.host, running.address.port))


def test_megabytes_of_any_bytes_pass_the_engine_unchanged(session, start, forwarded, client):
    running = start(session, folder="/bin")

    through = answer(running.address, "/busybox")

    chunks, _ = client.containers.get(running.made.container).get_archive("/bin/busybox")
    assert through in b"".join(chunks)
    assert len(through) > 1 << 20


def test_a_port_where_nobody_listens_yet_breaks_the_connection_off(session, start, forwarded):
    running = start(session, line="sleep 60")

    with pytest.raises(OSError, match=r"reset|closed"):
        urllib.request.urlopen(running.address.url, timeout=20)


def test_an_image_without_a_way_in_says_so_and_leaves_nothing(
    session, start, forwarded, monkeypatch, client
):
    absent = tuple(tool for tool in tunnel.TOOLS if tool.name in ("socat", "perl"))
    monkeypatch.setattr(tunnel, "TOOLS", absent)

    with pytest.raises(StepError, match="none of socat, perl"):
        start(session)

    assert of_run(client, session) == []


def test_a_server_that_died_with_exit_code_0_is_seen(session, start, tmp_path):
    running = start(session, line="echo first; printf 'last \\033[31mword\\n'; exit 0")

    problem = ended(running)
    running.write_log(tmp_path / "log")
    running.write_log(tmp_path / "log")

    assert problem == "'web' ended with exit code 0; it said: last word"
    assert (tmp_path / "log").read_bytes() == b"first\nlast \x1b[31mword\n" * 2


def test_a_server_that_has_ended_at_once_has_no_address(session, start, monkeypatch):
    begin = session._containers.api.start

    def to_its_end(container):
        begin(container)
        session._containers.api.wait(container)

    monkeypatch.setattr(session._containers.api, "start", to_its_end)

    running = start(session, line="exit 3")

    assert running.address == NOWHERE
    assert running.problem() == "'web' ended with exit code 3, and nothing in its log"


def test_a_server_without_enough_memory_is_told_so(session, start):
    running = start(session, line="dd if=/dev/zero of=/dev/null bs=90M", limits=SMALL)

    assert "ran out of its 64 MB of memory" in ended(running)


def test_a_server_that_somebody_removes_is_a_problem(session, start, client):
    running = start(session)
    client.containers.get(running.made.container).remove(force=True)

    assert running.problem() == "'web' was removed by somebody else"


def test_a_server_is_hardened_and_writes_where_it_may(session, start, tmp_path):
    running = start(
        session,
        line="cat /proc/self/status; touch /etc/x; touch /tmp/x /srv/x && echo written; "
        "ls -lnd /data /data/seed; sleep 60",
        writes=("/srv", "/data"),
    )
    for _ in range(100):
        (tmp_path / "log").unlink(missing_ok=True)
        running.write_log(tmp_path / "log")
        if "seed" in (tmp_path / "log").read_text():
            break
        time.sleep(0.05)

    said = (tmp_path / "log").read_text()
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert "touch: /etc/x: Read-only file system" in said
    assert "written" in said
    assert [line.split()[2:4] for line in said.splitlines() if "/data" in line] == [
        ["1000", "0"],
        ["1000", "0"],
    ]


def test_a_limit_that_the_engine_drops_stops_the_service(session, start, monkeypatch, client):
    inspect = session._containers.api.inspect_container

    def without_pids(container):
        found = inspect(container)
        found["HostConfig"]["PidsLimit"] = None
        return found

    monkeypatch.setattr(session._containers.api, "inspect_container", without_pids)

    with pytest.raises(StepError, match="does not enforce for 'web': process limit"):
        start(session)

    assert of_run(client, session) == []


def test_a_stopped_service_leaves_nothing(session, start, client):
    running = start(session, writes=("/data",), open=True)
    during = of_run(client, session)

    running.stop()
    running.stop()

    assert len(during) == 4
    assert of_run(client, session) == []


def test_a_closed_session_leaves_no_service(session, start, client):
    start(session, writes=("/data",))

    session.close()

    assert of_run(client, session) == []


def test_a_run_that_was_asked_to_stop_starts_no_service(session, web, client):
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(InterruptedRunError):
        session.serve(web(writes=("/data",)), name="probe", cancel=cancel)

    assert of_run(client, session) == []


def test_a_service_is_open_only_where_it_says_so(session, start, client):
    closed, opened = start(session), start(session, "open", open=True)

    def internal(running):
        joined = client.containers.get(running.made.container).attrs["NetworkSettings"]["Networks"]
        return sorted(client.networks.get(name).attrs["Internal"] for name in joined)

    assert internal(closed) == [True, True]
    assert internal(opened) == [False, True]
    assert answer(opened.address) == b"a"


def test_a_kept_service_is_found_again_with_what_it_wrote(open_run, start, keep, client):
    line = "echo once >> /data/runs; exec " + " ".join((*HTTPD, "/data"))
    made = []
    for _ in range(2):
        session = open_run(pull="never")
        running = start(session, line=line, writes=("/data",), keep=keep)
        made.append((running.made.container, answer(running.address, "/runs")))
        running.stop()
        session.close()

    assert made[0] == made[1]
    assert made[0][1] == b"once\n"
    assert labelled(client, f"{KEPT}={keep}") != []


def test_a_kept_service_that_was_stopped_is_started_again(open_run, start, shell, keep, client):
    first = start(open_run(pull="never"), keep=keep)
    client.containers.get(first.made.container).stop(timeout=0)

    session = open_run(pull="never")
    again = start(session, keep=keep)

    assert again.made.container == first.made.container
    assert answer(again.address) == b"a"
    said = shell(session, "wget -q -O - http://web:8080/marker", beside=[again])
    assert said.log.read_text() == "a"


def test_another_edition_takes_the_kept_ones_place(open_run, start, keep, client):
    session = open_run(pull="never")
    first = start(session, keep=keep, writes=("/data",))
    second = start(session, keep=keep, writes=("/data",), env={"X": "1"})

    assert second.made.container != first.made.container
    assert len(labelled(client, f"{KEPT}={keep}")) == 4
    assert answer(second.address) == b"a"


def test_a_kept_server_of_another_edition_in_use_is_not_pulled_away(
    open_run, start, keep, shell, client
):
    session = open_run(pull="never")
    running = start(session, keep=keep)
    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(shell, session, "sleep 4; echo done", beside=[running])
        joined(client, running)

        with pytest.raises(StepError, match="another edition, and in use"):
            start(open_run(pull="never"), keep=keep, env={"X": "1"})

        assert step.result().log.read_text() == "done\n"


def test_runs_that_start_a_kept_service_at_once_share_one(open_run, start, keep, client):
    sessions = [open_run(pull="never") for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        found = list(
            pool.map(lambda session: start(session, keep=keep, writes=("/data",)), sessions)
        )

    assert len({running.made.container for running in found}) == 1
    assert [answer(running.address) for running in found] == [b"a"] * 3
    assert len(labelled(client, f"{KEPT}={keep}")) == 4


def test_a_kept_service_whose_first_start_fails_is_not_kept(session, start, keep, client):
    running = start(session, line="exit 1", keep=keep)
    ended(running)

    running.stop()

    assert labelled(client, f"{KEPT}={keep}") == []


def test_a_container_of_that_name_that_is_not_ours_is_left_alone(
    session, start, keep, client, image
):
    theirs = client.containers.create(image, ["/bin/sleep", "9"], name=kept_name(keep))

    with pytest.raises(StepError, match="no server of ours"):
        start(session, keep=keep)

    theirs.remove()


def test_a_kept_service_is_told_by_doctor(session, settings, start, keep):
    start(session, keep=keep)

    told = {check.name: check.detail for check in DockerEngine().diagnose(settings())}

    assert f"scanrun-kept-{keep}" in told["engine cache"]


@pytest.fixture
def clear_only_ours(monkeypatch, keep):
    """Leave alone what others keep on this engine."""
    monkeypatch.setattr(reaping, "KEPT", f"{KEPT}={keep}")


@pytest.mark.usefixtures("clear_only_ours")
def test_a_kept_service_is_cleared_when_nobody_uses_it(session, start, keep, client, shell):
    running = start(session, keep=keep, writes=("/data",))

    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(shell, session, "sleep 4", beside=[running])
        joined(client, running)
        session.clear()
        used = labelled(client, f"{KEPT}={keep}")
        step.result()
    lines = session.clear()

    assert len(used) == 4
    assert f"container scanrun-kept-{keep}" in lines
    assert labelled(client, f"{KEPT}={keep}") == []


KILLED = """
import os, pathlib, signal, sys, tempfile, threading
from scanrun.api import EngineSettings, Limits, Service
from scanrun_plugins.engines.docker.session import open_session
run, keep, image = sys.argv[1:]
scratch = pathlib.Path(tempfile.mkdtemp())
session = open_session(
    EngineSettings(run_id=run, scratch=scratch, pull="never", environment=dict(os.environ))
)
for name, kept in (("web", ""), ("kept", keep)):
    service = Service(name=name, image=image, port=8080, keep=kept, writes=("/data",),
        argv=("/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"),
        limits=Limits(memory_mb=64), ready=lambda _: True)
    session.serve(service, name="probe", cancel=threading.Event())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_runs_service_is_reaped_and_the_kept_one_is_not(open_run, client, keep, image):
    run = f"test-{uuid.uuid4().hex}"
    done = subprocess.run([sys.executable, "-c", KILLED, run, keep, image], check=False)
    left = labelled(client, f"{RUN}={run}")

    open_run(pull="never")

    assert done.returncode == -signal.SIGKILL
    assert len(left) == 4
    assert labelled(client, f"{RUN}={run}") == []
    assert len(labelled(client, f"{KEPT}={keep}")) == 4
    assert client.containers.get(f"scanrun-kept-{keep}").status == "running"


def test_a_service_of_another_engine_is_refused(session, shell):
    with pytest.raises(StepError, match="another engine"):
        shell(session, "true", beside=[object()])


def test_links_and_sealed_files_lie_where_the_step_expects_them(session, shell):
    outcome = shell(
        session,
        "cat /work/there; ls -ln /work/key; cat /work/key",
        links={"/work/there": "/etc/marker"},
        files={"/work/key": b"made-up\n"},
        sealed={"/work/key": lambda _: b""},
    )

    marker, listed, key = outcome.log.read_text().partition("-r--------")
    assert marker == "a"
    assert listed + key.split()[1] == "-r--------1000"
    assert key.endswith("made-up\n")


def test_an_image_that_is_not_there_starts_no_service(session, start, client):
    with pytest.raises(MissingToolError, match="is not here, and is not to be pulled"):
        start(session, image="scanrun-test/none:1")

    assert of_run(client, session) == []
