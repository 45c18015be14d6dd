"""A service that is watched: when it refuses, and when nobody is to blame."""

import socket
import struct
import threading
from dataclasses import replace

import pytest

from scanrun.errors import StepError
from scanrun.model import Address, Service
from scanrun.stages import watch as module
from scanrun.stages.services import Services
from scanrun.stages.watch import Stop, Watch
from scanrun.testing import FakeEngine
from scanrun.testing.fake import FakeService


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def service(address, **more):
    return Service(
        name="app",
        image="app:1",
        port=80,
        ready=lambda _: True,
        remote=address,
        watched=True,
        **more,
    )


def watch_of(address):
    return Watch(service(address), FakeService(address=address))


def closed():
    with socket.create_server(("127.0.0.1", 0)) as made:
        return Address(*made.getsockname())


def test_a_service_that_takes_connections_has_no_problem(listener):
    watch = watch_of(Address(*listener.getsockname()))

    for _ in range(3):
        watch.look()

    assert watch.problem() == ""


def test_one_refusal_is_none_and_two_in_a_row_are_a_problem():
    watch = watch_of(closed())

    watch.look()
    once = watch.problem()
    watch.look()

    assert once == ""
    assert "it did not answer between " in watch.problem()


def test_a_service_that_comes_back_was_away_all_the_same():
    running = FakeService(address=closed())
    watch = Watch(service(running.address), running)
    watch.look()
    watch.look()

    with socket.create_server(("127.0.0.1", 0)) as back:
        running.address = Address(*back.getsockname())
        watch.look()

    assert watch.problem()


def test_a_refusal_between_two_answers_is_none(listener):
    good = Address(*listener.getsockname())
    running = FakeService(address=good)
    watch = Watch(service(good), running)

    for address in (closed(), good, closed(), good):
        running.address = address
        watch.look()

    assert watch.problem() == ""


def test_a_service_that_is_busy_is_only_slow(monkeypatch):
    def slow(*words, **more):
        raise TimeoutError

    monkeypatch.setattr(module.socket, "create_connection", slow)
    watch = watch_of(Address("192.0.2.1", 80))

    watch.look()
    watch.look()

    assert watch.problem() == ""


@pytest.mark.parametrize("refuses", [True, False])
def test_a_connection_that_is_broken_off_for_a_service_is_a_refusal_and_one_that_ends_is_none(
    refuses,
):
    how = struct.pack("ii", refuses, 0)

    def take(listener):
        for _ in range(2):
            taken, _ = listener.accept()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)
            taken.close()

    # an address that is no loopback's: those are an engine's own, and not asked
    with socket.create_server(("0.0.0.0", 0)) as listener:
        address = Address(*listener.getsockname())
        watch = Watch(replace(service(None), remote=None), FakeService(address=address))
        thread = threading.Thread(target=take, args=(listener,))
        thread.start()
        watch.look()
        watch.look()
        thread.join()

    assert ("it did not answer between " in watch.problem()) is refuses


def test_what_an_engine_passes_on_is_not_asked_over_the_network():
    """Its forwarder takes any connection, whether or not somebody is there."""
    running = FakeService(address=closed())
    watch = Watch(replace(service(None), remote=None), running)

    watch.look()
    watch.look()

    assert watch.problem() == ""


def test_a_service_that_is_unwell_twice_in_a_row_is_a_problem(listener):
    running = FakeService(address=Address(*listener.getsockname()))
    watch = Watch(service(running.address), running)

    for problem in ("paused", "", "paused"):
        running.ended = problem
        watch.look()
    between = watch.problem()
    running.ended = "\x1b[31mout of memory"
    watch.look()
    running.ended = ""
    watch.look()

    assert between == ""
    assert watch.problem() == "out of memory"


def test_a_watch_that_breaks_is_a_problem(listener):
    class Broken(FakeService):
        def problem(self):
            raise KeyError("State")

    address = Address(*listener.getsockname())
    watch = Watch(service(address), Broken(address=address), every_s=0.001)

    watch.start()
    watch._thread.join(5)

    assert watch.problem() == "it can't be watched: KeyError: 'State'"


def test_what_needs_a_watched_service_is_stopped_with_the_run_or_by_its_problem():
    run, watch = threading.Event(), watch_of(closed())
    stop = Stop(run, [watch])

    before = stop.is_set(), stop.wait(0.01)
    watch.look()
    watch.look()
    by_problem = stop.is_set(), stop.wait()
    run.set()

    assert before == (False, False)
    assert by_problem == (True, True)
    assert Stop(run, []).wait()


def test_a_watch_that_was_stopped_sees_no_problem_any_more():
    watch = watch_of(closed())
    watch.start()
    watch.stop()

    watch.look()
    watch.look()

    assert watch.problem() == ""


def test_a_gap_stops_the_scanners_and_the_watch_ends_with_the_service(tmp_path):
    address = closed()
    running = FakeService(address=address)
    watched, before = service(address), threading.active_count()
    services = Services([watched])
    session = FakeEngine(services={"app": running}).open(None)
    services.start(
        watched, session, name="t", cancel=threading.Event(), say=str, log=tmp_path / "log"
    )
    services.check([watched])
    watch = services._of(watched).watch
    watch.look()
    watch.look()

    with pytest.raises(StepError, match="'app' was not there all the time: it did not answer"):
        services.check([watched])
    services.leave(watched, tmp_path / "log")

    assert running.stopped == 1
    assert threading.active_count() == before
