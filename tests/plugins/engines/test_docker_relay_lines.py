"""A relay's two ends without an engine: a process stands for its container."""

import queue
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from relay_kit import (
    ProcessStream,
    echo_once_all_is_said,
    free_port,
    read_all,
    remote_of,
    servers,
    soon,
)

from scanrun_plugins.engines.docker import relay as relay_module
from scanrun_plugins.engines.docker import relay_inside
from scanrun_plugins.engines.docker.relay import Relay
from scanrun_plugins.engines.docker.relay_inside import (
    AT_ONCE,
    CHUNK,
    DATA,
    WINDOW,
    frame,
)

ANY_BYTES = bytes(range(256)) * 8000
MANY = (WINDOW // CHUNK) * frame(1, DATA, b"x" * CHUNK)


@pytest.fixture
def server():
    with servers() as start:
        yield start


@pytest.fixture
def relay():
    """Return a function that starts a relay to a server, with a process in the container's place;
    its result is the relay, and what connects to it."""
    started = []

    def start(to, *, watched=False):
        port = free_port()
        stream = ProcessStream(port)
        relay = Relay(stream, remote_of(to), watched=watched)
        started.append((relay, stream))
        assert relay.ready.wait(20)
        return relay, lambda: socket.create_connection(("127.0.0.1", port), timeout=20)

    yield start
    for each, stream in started:
        each.stop()
        stream.end()
    assert not [each for each in threading.enumerate() if each.name == "relay"]


def test_any_bytes_come_back_after_the_asker_has_said_all(relay, server):
    running, connect = relay(server(echo_once_all_is_said))

    with connect() as near:
        near.sendall(ANY_BYTES)
        near.shutdown(socket.SHUT_WR)
        came = read_all(near)

    assert came == ANY_BYTES
    assert (running.connections, running.refusals, running.problem()) == (1, 0, "")


def test_a_server_on_the_ipv6_loopback_is_reached(relay, server):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    _, connect = relay(server(lambda near: near.sendall(b"six"), "::1"))

    with connect() as near:
        assert read_all(near) == b"six"


def test_a_server_that_has_said_all_is_still_told_the_rest(relay, server):
    heard = queue.Queue()

    def bid_farewell(near):
        near.sendall(b"bye")
        near.shutdown(socket.SHUT_WR)
        heard.put(read_all(near))

    _, connect = relay(server(bid_farewell))

    with connect() as near:
        assert read_all(near) == b"bye"
        near.sendall(b"and thanks")
        near.shutdown(socket.SHUT_WR)

        assert heard.get(timeout=20) == b"and thanks"


def test_a_thousand_connections_one_after_the_other(relay, server):
    running, connect = relay(server(echo_once_all_is_said))

    for number in range(1000):
        with connect() as near:
            near.sendall(str(number).encode())
            near.shutdown(socket.SHUT_WR)
            assert read_all(near) == str(number).encode()

    assert (running.connections, running.problem()) == (1000, "")


def test_more_connections_than_are_passed_on_at_once_wait_for_their_turn(relay, server):
    running, connect = relay(server(echo_once_all_is_said))
    held = [connect() for _ in range(AT_ONCE)]
    soon(lambda: running.connections == AT_ONCE)

    def ask(number):
        with connect() as near:
            near.sendall(str(number).encode())
            near.shutdown(socket.SHUT_WR)
            return read_all(near)

    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask, number) for number in range(20)]
        for near in held:
            near.close()
        came = [each.result() for each in answers]

    assert came == [str(number).encode() for number in range(20)]
    assert running.problem() == ""


def test_a_reader_that_does_not_read_fills_no_memory_and_holds_nobody_up(relay, server):
    sent, full = [], threading.Event()

    def pour(near):
        if near.recv(1) == b"?":
            near.sendall(b"!")
            return
        near.settimeout(2)
        try:
            while True:
                sent.append(near.send(b"x" * (1 << 16)))
        except TimeoutError:
            full.set()

    _, connect = relay(server(pour))

    with connect() as slow:
        slow.sendall(b"x")
        assert full.wait(60)
        for _ in range(20):
            with connect() as near:
                near.sendall(b"?")
                assert read_all(near) == b"!"

    # the window, and what this system itself holds for four sockets
    assert sum(sent) < 40 << 20


def test_a_server_that_does_not_read_fills_no_memory(relay, server):
    enough = threading.Event()
    _, connect = relay(server(lambda near: enough.wait(60)))
    sent = []

    with connect() as near:
        near.settimeout(2)
        with suppress(TimeoutError):
            while True:
                sent.append(near.send(b"x" * (1 << 16)))
    enough.set()

    assert sum(sent) < 40 << 20


def test_an_answer_that_breaks_off_is_no_end_of_an_answer(relay, server):
    def break_off(near):
        near.sendall(b"half an ans")
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, relay_inside._RESET)

    running, connect = relay(server(break_off))

    with connect() as near, pytest.raises(ConnectionResetError):
        read_all(near)

    assert running.problem() == ""


def test_an_asker_that_breaks_off_breaks_off_at_the_server(relay, server):
    ended = queue.Queue()

    def wait(near):
        try:
            ended.put(read_all(near))
        except ConnectionResetError:
            ended.put("reset")

    _, connect = relay(server(wait))

    with connect() as near:
        near.sendall(b"half a quest")
        soon(lambda: near.send(b"i"))
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, relay_inside._RESET)

    assert ended.get(timeout=20) == "reset"


def test_an_asker_that_is_gone_does_not_hold_its_place(relay, server, monkeypatch):
    monkeypatch.setattr(relay_module, "LINGER_S", 0.2)
    left = queue.Queue()

    def say_nothing(near):
        assert read_all(near) == b"?"
        near.settimeout(20)
        with suppress(OSError):
            while True:
                time.sleep(0.1)
                near.send(b"")
                if near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    break
        left.put("left")

    _, connect = relay(server(say_nothing))

    with connect() as near:
        near.sendall(b"?")

    assert left.get(timeout=20) == "left"


@pytest.mark.parametrize("watched", [True, False])
def test_a_server_that_refuses_is_no_empty_answer(watched, relay):
    running, connect = relay(("127.0.0.1", free_port()), watched=watched)

    with connect() as near, pytest.raises(ConnectionResetError):
        near.recv(1)

    assert (running.connections, running.refusals) == (0, 1)
    assert bool(running.problem()) is watched


def test_an_end_of_the_container_breaks_all_connections_off(relay, server):
    ended = queue.Queue()

    def wait(near):
        with suppress(ConnectionResetError):
            ended.put(near.recv(1))
            near.recv(1)
            near.recv(1)
        ended.put("off")

    running, connect = relay(server(wait))

    with connect() as near:
        near.sendall(b"?")
        ended.get(timeout=20)
        running._stream.kill()

        assert ended.get(timeout=20) == "off"
    assert "ended" in soon(running.problem)
    assert running.ended
