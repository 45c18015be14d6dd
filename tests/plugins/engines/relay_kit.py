"""What tests of relays are made of: ends of them, and servers beyond them."""

import hashlib
import queue
import random
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scanrun.api import Address
from scanrun_plugins.engines.docker import relay_inside
from scanrun_plugins.engines.docker.remote import Remote

HOSTILE = b"HTTP/1.1 200 \x1b[2J\xff\xfe\r\nX-\x00: \x80\r\n\r\n" + bytes(range(256)) * 100


class SaidStream:
    """What a container says, told beforehand; it stays open after that."""

    def __init__(self, *said, ends=False):
        self.written = bytearray()
        self._said = queue.Queue()
        for each in (*said, *([None] if ends else [])):
            self._said.put(each)
        self.frames = self._frames()

    def _frames(self):
        while (said := self._said.get()) is not None:
            if isinstance(said, Exception):
                raise said
            yield said if isinstance(said, tuple) else (1, said)

    def write(self, data):
        self.written += data

    def close(self):
        self._said.put(None)


class ProcessStream:
    """A container's end, run by a process of this host."""

    def __init__(self, port):
        command = [sys.executable, "-I", relay_inside.__file__, str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.frames = self._frames()

    def _frames(self):
        while data := self._process.stdout.read1(1 << 16):
            yield 1, data

    def write(self, data):
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def kill(self):
        self._process.kill()

    def close(self):
        self._process.kill()
        self._process.wait(5)

    def end(self):
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError, ValueError):
                stream.close()


def never():
    return threading.Event()


def soon(fact):
    """Return what a function gives as soon as that is something."""
    for _ in range(600):
        if found := fact():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{fact} never came to hold")


def free_port(host="127.0.0.1"):
    with socket.create_server((host, 0)) as listener:
        return listener.getsockname()[1]


def remote_of(number):
    family = socket.AF_INET6 if ":" in number[0] else socket.AF_INET
    return Remote(Address("app.example", number[1]), family, number)


@contextmanager
def servers():
    """Give a function that starts a server on loopback; `answer` is given each connection."""
    listeners, threads, taken = [], [], []

    def start(answer, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family, backlog=256)
        listeners.append(listener)

        def accept():
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    taken.append(near)
                    threads.append(threading.Thread(target=serve, args=(near,)))
                    threads[-1].start()

        def serve(near):
            with suppress(OSError):
                answer(near)
            near.close()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return listener.getsockname()

    yield start
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for near in taken:
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)


def read_all(near):
    return b"".join(iter(lambda: near.recv(1 << 16), b""))


def echo_once_all_is_said(near):
    near.sendall(read_all(near))


def silent(near):
    near.recv(1)
    near.recv(1 << 16)


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    meeting: threading.Barrier

    def do_GET(self):
        if self.path == "/hostile":
            self.wfile.write(HOSTILE)
            self.close_connection = True
        elif self.path == "/slow":
            self._slowly()
        else:
            if self.path.startswith("/meet/"):
                self.meeting.wait(60)
            self._send(large() if self.path == "/large" else self.path.encode())

    def do_POST(self):
        if self.path == "/half":
            said = self.rfile.read()
            self._send(said[::-1])
        else:
            count = len(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(f"{self.path} {count}".encode())

    def _slowly(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.server.slow.set()
        with suppress(OSError):
            while True:
                self.wfile.write(b"x")
                time.sleep(0.05)

    def _send(self, data):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@cache
def large():
    return random.Random(1).randbytes(20_000_000)


class Application(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Pages)
        self.slow = threading.Event()
        self._open = []
        self._serving = threading.Thread(target=self.serve_forever, args=(0.05,))
        self._serving.start()

    def get_request(self):
        near, at = super().get_request()
        self._open.append(near)
        return near, at

    def handle_error(self, request, client_address):
        pass

    def die(self):
        if self._serving.is_alive():
            self.shutdown()
            self._serving.join()
            self.server_close()
            for near in self._open:
                with suppress(OSError):
                    near.shutdown(socket.SHUT_RDWR)


class Counter(socketserver.ThreadingTCPServer):
    """A server beside the application, on all that this host listens on."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("0.0.0.0", 0), None)
        self.count = 0
        self._serving = threading.Thread(target=self.serve_forever, args=(0.05,))
        self._serving.start()

    def verify_request(self, request, client_address):
        self.count += 1
        return False

    def end(self):
        self.shutdown()
        self._serving.join()
        self.server_close()
