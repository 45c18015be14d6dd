"""Serves a target, counts and tells each request, and misbehaves as it is asked to."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from pages import GOOD, HTML, Asked, Mode, Page, vuln

_MB = 1 << 20
_HALF = 100
DEEDS = ("silent", "half", "close", "exit", "oom", "oom-child", "pids", "restart")
"""What can be done instead of an answer."""


@dataclass
class Target:
    """What is served, and what becomes of it."""

    port: int
    mode: Mode
    deed: str = ""
    """Done instead of answering, from the request `after` on."""
    after: int = 0
    """How many requests are answered first; those for the root alone are not counted."""
    delay_s: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    counted: int = 0

    def note(self, asked: Asked) -> str:
        """Count a request and tell it; return the deed that is due, if any."""
        seen = {"port": str(asked.port), "method": asked.method, "host": asked.host}
        seen["path"] = asked.target
        print(f"request {asked.port} {asked.method} {asked.host} {asked.target!a}", flush=True)
        with self.lock:
            self.asked.append(seen)
            self.counted += asked.path != "/"
            due = self.deed and (not self.after or self.counted > self.after)
        return self.deed if due else ""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    target: ClassVar[Target]
    own_port: ClassVar[int]

    def do(self) -> None:
        """Answer, or do what is due instead."""
        self.close_connection = True
        asked = self._asked()
        deed = self.target.note(asked)
        if deed:
            do(deed, self.connection)
            return
        time.sleep(self.target.delay_s)
        self._send(self._page(asked))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do  # noqa: N815

    def _page(self, asked: Asked) -> Page:
        return self.target.mode(asked)

    def _asked(self) -> Asked:
        length = int(self.headers.get("content-length") or 0)
        host = self.headers.get("host", "").rpartition(":")[0] or self.headers.get("host", "")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        return Asked(self.command, self.path, host, self.own_port, headers, body)

    def _send(self, page: Page) -> None:
        lines = [f"HTTP/1.1 {page.status} {self.responses.get(page.status, ('',))[0]}"]
        headers = {
            "Content-Type": page.kind,
            **page.headers,
            "Content-Length": str(len(page.body) * page.times),
            "Connection": "close",
        }
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        for _ in range(0 if self.command == "HEAD" else page.times):
            self.wfile.write(page.body)

    def log_message(self, *_: object) -> None:
        """Say nothing: requests are told elsewhere."""


class Elsewhere(Handler):
    """Another site, to which nothing is to be sent."""

    def _page(self, asked: Asked) -> Page:
        return vuln(asked)


class Count(Handler):
    """Tells which requests there were."""

    def do(self) -> None:
        """Answer with all requests so far."""
        self.close_connection = True
        with self.target.lock:
            body = json.dumps(self.target.asked).encode()
        self._send(Page(body, kind="application/json"))

    do_GET = do  # noqa: N815


def serve(target: Target, elsewhere: int, count: int, certificate: str = "") -> None:
    """Serve all three ports, until something ends it."""
    others = ((elsewhere, Elsewhere), (count, Count))
    for port, handler in others:
        server = listening(port, handler, target)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    server = listening(target.port, Handler, target, certificate)
    print(f"serving at {target.port}", flush=True)
    server.serve_forever()


def listening(
    port: int, kind: type[Handler], target: Target, certificate: str = ""
) -> ThreadingHTTPServer:
    """Return a server that takes connections."""
    handler = type(kind.__name__, (kind,), {"target": target, "own_port": port})
    server = Server(("", port), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.context = context
    return server


class Server(ThreadingHTTPServer):
    """Keeps a broken connection to itself."""

    daemon_threads = True
    request_queue_size = 128
    context: ssl.SSLContext | None = None

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Shake hands in the connection's own thread."""
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients break off as they like."""


def do(deed: str, connection: socket.socket) -> None:
    """Do something else than answer."""
    if deed == "silent":
        time.sleep(3600)
    elif deed == "half":
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {HTML}\r\nContent-Length: {2 * _HALF}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in GOOD.items())
        connection.sendall(head.encode() + b"\r\n" + b"x" * _HALF)
    elif deed == "exit":
        os._exit(1)
    elif deed == "oom":
        _use_up()
    elif deed == "oom-child":
        # a process of its own takes the memory: it is killed, and this one lives
        subprocess.run([sys.executable, __file__, "use-up"], check=False)
    elif deed == "pids":
        _fork()
    elif deed == "restart":
        os.kill(os.getppid(), signal.SIGUSR1)
        time.sleep(5)


def _use_up() -> None:
    taken = []
    while True:
        taken.append(bytearray(b"\1" * (16 * _MB)))


def _fork() -> None:
    """Start processes until there may be no more of them."""
    children = []
    try:
        while True:
            children.append(subprocess.Popen(["/bin/sleep", "600"]))
    except OSError:
        time.sleep(600)


if __name__ == "__main__":
    _use_up()
