"""What a relay's container may say, and what is asked before one starts: no engine needed."""

import socket
import threading

import pytest
from relay_kit import SaidStream, free_port, never, remote_of, servers, silent, soon

from scanrun.api import Address, EngineLostError, InterruptedRunError, StepError
from scanrun_plugins.engines.docker import relay as relay_module
from scanrun_plugins.engines.docker import remote
from scanrun_plugins.engines.docker.relay import Relay
from scanrun_plugins.engines.docker.relay_inside import (
    AT_ONCE,
    BROKEN,
    CHUNK,
    CLOSE,
    DATA,
    END,
    OPEN,
    READY,
    TAKEN,
    WINDOW,
    Frames,
    frame,
)
from scanrun_plugins.engines.docker.remote import find

ANY_BYTES = bytes(range(256)) * 8000
MANY = (WINDOW // CHUNK) * frame(1, DATA, b"x" * CHUNK)


@pytest.fixture
def server():
    with servers() as start:
        yield start


@pytest.fixture
def hear():
    """Return a function that starts a relay for what a container has said."""
    started = []

    def start(stream, to=("127.0.0.1", 9), *, watched=False):
        started.append(Relay(stream, remote_of(to), watched=watched))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.mark.parametrize("size", [1, 2, 9, 10, 1000, 1 << 20])
def test_frames_come_out_whole_however_they_are_cut(size):
    sent = [(1, OPEN, b""), (1, DATA, b"x" * CHUNK), (7, TAKEN, b"\0\0\0\1"), (1, END, b"")]
    stream = b"".join(frame(*each) for each in sent)
    frames = Frames()

    came = [each for at in range(0, len(stream), size) for each in frames.feed(stream[at:][:size])]

    assert (came, frames.held) == (sent, b"")


def test_a_stream_that_ends_in_a_frame_is_told_from_one_that_ends_after_it():
    frames = Frames()

    frames.feed(frame(1, DATA, b"abc")[:-1])

    assert frames.held


HOSTILE = {
    "text": b"Traceback (most recent call last):\n",
    "nothing but zeros": bytes(64),
    "unknown kind": frame(1, BROKEN + 1),
    "a huge length": frame(1, DATA)[:-4] + b"\xff\xff\xff\xff",
    "more data than a frame has": frame(1, OPEN) + frame(1, DATA, b"x" * (CHUNK + 1)),
    "no data": frame(1, OPEN) + frame(1, DATA),
    "an amount cut off": frame(1, OPEN) + frame(1, TAKEN, b"\0"),
    "an opening with data": frame(1, OPEN, b"evil.example:80"),
    "a connection that is not there": frame(5, DATA, b"x"),
    "a connection twice": frame(1, OPEN) * 2,
    "ready twice": frame(0, READY) * 2,
    "ready in a connection": frame(1, OPEN) + frame(1, READY) * 2,
    "more than may be sent": frame(1, OPEN) + MANY + frame(1, DATA, b"x"),
    "more taken than was sent": frame(1, OPEN) + frame(1, TAKEN, b"\0\0\0\1"),
    "data after the end": frame(1, OPEN) + frame(1, END) + frame(1, DATA, b"x"),
    "an end after the end": frame(1, OPEN) + frame(1, END) * 2,
    "closed before its end": frame(1, OPEN) + frame(1, CLOSE),
    "data after all": frame(1, OPEN) + frame(1, BROKEN) + frame(1, DATA, b"x"),
    "too many connections": b"".join(frame(each, OPEN) for each in range(AT_ONCE + 1)),
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE)
def test_a_container_that_sends_what_no_relay_sends_is_a_problem(said, hear, server):
    running = hear(SaidStream(said), server(silent))

    assert "what no relay sends" in soon(running.problem)


def test_an_endless_flood_of_what_it_prints_is_a_log_with_an_end(hear):
    running = hear(SaidStream(*[(2, b"\x1b[31mx" * 10_000)] * 40, b"?" * 9))

    soon(running.problem)

    assert len(running.log) == relay_module.LOG_LIMIT


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((frame(0, READY),), "ended"),
        ((frame(0, READY)[:-1],), "ended in the middle"),
        ((EngineLostError("what it prints was cut off"),), "broke off: what it prints was cut off"),
        ((OSError("gone"),), "broke off: gone"),
    ],
    ids=["between frames", "in a frame", "lost engine", "socket"],
)
def test_a_stream_that_ends_is_a_problem(said, words, hear):
    running = hear(SaidStream(*said, ends=True))

    assert words in soon(running.problem)
    assert running.ended


def test_a_relay_that_was_stopped_has_no_problem(hear, server):
    running = hear(SaidStream(frame(0, READY)), server(silent), watched=True)

    running.stop()
    running.stop()

    assert running.problem() == ""


def test_localhost_is_found_by_whichever_number_answers(server):
    host, port = server(silent)

    assert find(Address("localhost", port), patience_s=0, cancel=never()).number[:2] == (host, port)


def test_a_server_on_the_ipv6_loopback_is_found():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]

        found = find(Address("::1", port), patience_s=0, cancel=never())

    assert (found.family, found.number[:2]) == (socket.AF_INET6, ("::1", port))


def test_a_name_that_nobody_knows_is_told_with_what_to_do():
    with pytest.raises(StepError, match=r"no-such-host\.invalid:80 .* can't be found") as caught:
        find(Address("no-such-host.invalid", 80), patience_s=0, cancel=never())

    assert "looks names up" in caught.value.hint


def test_a_port_where_nothing_listens_is_told_with_what_to_do():
    port = free_port()

    with pytest.raises(StepError, match=rf"localhost:{port} .* refuses connections") as caught:
        find(Address("localhost", port), patience_s=0, cancel=never())

    assert "start the application first" in caught.value.hint
    assert "CI container" in caught.value.hint


def test_a_server_that_never_answers_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setattr(remote, "CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        queued = [socket.socket() for _ in range(4)]
        for each in queued:
            each.settimeout(0)
            each.connect_ex(full.getsockname())

        with pytest.raises(StepError, match=r"does not answer: no connection after 0\.3 s"):
            find(Address(*full.getsockname()), patience_s=0, cancel=never())
        for each in queued:
            each.close()


def test_a_server_that_is_late_is_waited_for():
    port = free_port()
    late = threading.Timer(1.0, lambda: listeners.append(socket.create_server(("127.0.0.1", port))))
    listeners = []
    late.start()

    found = find(Address("127.0.0.1", port), patience_s=30, cancel=never())

    late.join()
    listeners[0].close()
    assert found.number == ("127.0.0.1", port)


def test_who_is_slow_to_answer_is_left_alone_once_the_run_is_asked_to_stop():
    cancel = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        queued = [socket.socket() for _ in range(4)]
        for each in queued:
            each.settimeout(0)
            each.connect_ex(full.getsockname())
        threading.Timer(0.2, cancel.set).start()

        with pytest.raises(InterruptedRunError):
            find(Address(*full.getsockname()), patience_s=60, cancel=cancel)
        for each in queued:
            each.close()


def test_nothing_is_waited_for_once_the_run_is_asked_to_stop():
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(InterruptedRunError):
        find(Address("127.0.0.1", free_port()), patience_s=60, cancel=cancel)
