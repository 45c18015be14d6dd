"""Connections passed on to where this host can't reach: no engine needed, only its programs."""

import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from scanrun.api import Address
from scanrun_plugins.engines.docker.forward import AT_ONCE, Forwarder
from scanrun_plugins.engines.docker.tunnel import TOOLS


class ProcessTunnel:
    """What a tunnel does in a container, done by a process of this host."""

    def __init__(self, command):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self):
        data = self._process.stdout.read1(1 << 16)
        if not data and self._process.wait(5):
            raise ConnectionError
        return data

    def write(self, data):
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def end(self):
        self._process.stdin.close()

    def close(self):
        self._process.terminate()
        self._process.wait(5)
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError, ValueError):
                stream.close()


class SocketTunnel:
    """A tunnel without anything between."""

    def __init__(self, address):
        self._socket = socket.create_connection(address)

    def read(self):
        return self._socket.recv(1 << 16)

    def write(self, data):
        self._socket.sendall(data)

    def end(self):
        self._socket.shutdown(socket.SHUT_WR)

    def close(self):
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def server():
    """Return a function that starts a server on loopback; `answer` is given each connection."""
    listeners = []
    threads = []

    def start(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept():
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    threads.append(threading.Thread(target=serve, args=(near,)))
                    threads[-1].start()

        def serve(near):
            with near, suppress(OSError):
                answer(near)

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return listener.getsockname()

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)
    for listener in listeners:
        listener.close()


@pytest.fixture
def forward():
    """Return a function that starts forwarders; all are stopped at the end."""
    started = []

    def start(open_tunnel):
        started.append(Forwarder(open_tunnel))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def connect(forwarder):
    return socket.create_connection((forwarder.address.host, forwarder.address.port), timeout=20)


def read_all(near):
    return b"".join(iter(lambda: near.recv(1 << 16), b""))


def echo_once_all_is_said(near):
    near.sendall(read_all(near))


def greet(near):
    near.sendall(b"hello " + near.recv(100))


ANY_BYTES = bytes(range(256)) * 4000


def test_any_bytes_come_back_after_the_asker_has_said_all(server, forward):
    address = server(echo_once_all_is_said)
    forwarder = forward(lambda: SocketTunnel(address))

    with connect(forwarder) as near:
        near.sendall(ANY_BYTES)
        near.shutdown(socket.SHUT_WR)
        came = read_all(near)

    assert came == ANY_BYTES


def test_more_connections_than_at_once_all_get_their_answer(server, forward):
    address = server(greet)
    forwarder = forward(lambda: SocketTunnel(address))

    def ask(number):
        with connect(forwarder) as near:
            near.sendall(b"%d" % number)
            return read_all(near)

    with ThreadPoolExecutor(3 * AT_ONCE) as pool:
        answers = list(pool.map(ask, range(3 * AT_ONCE)))

    assert answers == [b"hello %d" % number for number in range(3 * AT_ONCE)]


def test_stop_ends_open_connections_and_all_threads(server, forward):
    address = server(read_all)
    forwarder = forward(lambda: SocketTunnel(address))
    nears = [connect(forwarder) for _ in range(AT_ONCE + 2)]
    for near in nears[:AT_ONCE]:
        near.sendall(b"waits")

    forwarder.stop()
    forwarder.stop()

    assert [each for each in threading.enumerate() if each.name in ("forward", "bridge")] == []
    for near in nears:
        with pytest.raises(ConnectionError):
            near.recv(1)
        near.close()
    with pytest.raises(ConnectionError):
        connect(forwarder)


def test_an_answer_that_breaks_off_does_not_look_whole(server, forward):
    address = server(greet)

    class Breaking(SocketTunnel):
        def read(self):
            if data := super().read():
                return data
            raise ConnectionError

    forwarder = forward(lambda: Breaking(address))

    with connect(forwarder) as near:
        near.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            read_all(near)


def test_no_tunnel_and_no_answer_are_a_broken_connection(server, forward):
    def refuse():
        raise RuntimeError

    address = server(lambda near: None)

    for open_tunnel in (refuse, lambda: SocketTunnel(address)):
        forwarder = forward(open_tunnel)
        # it may well break off before it is seen to be there
        with pytest.raises(ConnectionResetError), connect(forwarder) as near:
            read_all(near)


def test_an_asker_that_goes_away_frees_its_place(server, forward):
    address = server(echo_once_all_is_said)
    forwarder = forward(lambda: SocketTunnel(address))
    for _ in range(2 * AT_ONCE):
        connect(forwarder).close()

    with connect(forwarder) as near:
        near.sendall(b"next")
        near.shutdown(socket.SHUT_WR)

        assert read_all(near) == b"next"


@pytest.mark.parametrize("tool", TOOLS, ids=[tool.name for tool in TOOLS])
def test_each_program_passes_any_bytes(tool, server, forward):
    if shutil.which(tool.name) is None:
        pytest.skip(f"no {tool.name} here")

    def give(near):
        near.sendall(near.recv(4) + ANY_BYTES)

    host, port = server(give)
    assert subprocess.run(tool.probe, capture_output=True, check=False).returncode in (0, 1)
    forwarder = forward(lambda: ProcessTunnel(tool.command(Address(host, port))))

    with connect(forwarder) as near:
        near.sendall(b"\0\xff\r\n")
        came = read_all(near)

    assert came == b"\0\xff\r\n" + ANY_BYTES


@pytest.mark.parametrize("name", ["busybox", "socat", "python3", "perl"])
def test_most_programs_pass_on_that_all_is_said(name, server, forward):
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    host, port = server(echo_once_all_is_said)
    tool = next(tool for tool in TOOLS if tool.name == name)
    forwarder = forward(lambda: ProcessTunnel(tool.command(Address(host, port))))

    with connect(forwarder) as near:
        near.sendall(b"all of it")
        near.shutdown(socket.SHUT_WR)

        assert read_all(near) == b"all of it"


@pytest.mark.parametrize("tool", TOOLS, ids=[tool.name for tool in TOOLS])
def test_a_refused_connection_is_a_broken_one(tool, forward):
    if shutil.which(tool.name) is None:
        pytest.skip(f"no {tool.name} here")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
    forwarder = forward(lambda: ProcessTunnel(tool.command(Address(host, port))))

    with pytest.raises(ConnectionResetError), connect(forwarder) as near:
        read_all(near)
