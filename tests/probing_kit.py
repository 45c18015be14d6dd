"""Servers that answer as a test says, and probes of them, run as an engine would."""

import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scanrun.model import Outputs
from scanrun.web.probe import answer_of, probe_step, read_answer


@contextmanager
def site(pages, *, tls=None, names=None):
    """Serve `pages`: path -> (status, headers, body); tell the address and what was asked.

    `names` gets the names that are asked for by TLS, and then nobody is let in without one.
    """
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            status, headers, body = pages.get(self.path, (404, {}, b"nothing"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    scheme = "http"
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        if names is not None:
            context.sni_callback = partial(_by_name, names)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _by_name(names, _, name, __):
    names.append(name)
    return None if name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


def certificate(folder):
    """Make a certificate of nobody; return its path and its key's, as `site` takes them."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other.invalid"
        f" -keyout {key} -out {made}".split(),
        check=True,
        capture_output=True,
    )
    return made, key


@contextmanager
def talker(answer):
    """Serve what `answer` does with each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def probed(app, folder: Path, *, name="before", secrets=None, quick=True):
    """Run the probe's step by hand, and return its output where an engine would have it."""
    step = probe_step(app, name, image="image:1")
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        **step.files,
        **{path: make(secrets or {}) for path, make in step.sealed.items()},
    }
    for path, content in contents.items():
        (folder / Path(path).name).write_bytes(_hurried(content) if quick else content)
    argv = [word.replace(f"/probe-{name}", str(folder)) for word in step.argv]
    done = subprocess.run(
        [sys.executable, *argv], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return Outputs({answer_of(name): folder / "answer.json"}, app=app)


def _hurried(content):
    content = content.replace(b'"timeout_s": 20.0', b'"timeout_s": 1.0')
    return content.replace(b"_PAUSE_S = 1.0", b"_PAUSE_S = 0.01")


def answer(app, folder, **more):
    """Return what a probe of the application got."""
    return read_answer(probed(app, folder, **more), "before")
