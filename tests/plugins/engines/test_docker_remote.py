"""An engine behind TCP and TLS, and one that goes away: a real engine behind a small relay."""

import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from contextlib import suppress

import pytest

from scanrun.api import EngineError, EngineLostError, Limits, Service
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.reaping import sweep
from scanrun_plugins.engines.docker.session import open_session

pytestmark = pytest.mark.docker


class Relay:
    """Passes bytes between a port on loopback and the engine's socket, until it is cut."""

    def __init__(self, context=None):
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with suppress(OSError):
                    self._connect(near)

    def _connect(self, near):
        if self._context:
            near.settimeout(5)
            try:
                near = self._context.wrap_socket(near, server_side=True)
            except OSError:
                near.close()
                raise
            near.settimeout(None)
        far = socket.socket(socket.AF_UNIX)
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        far.connect(host.removeprefix("unix://"))
        self._open += [near, far]
        for one, other in ((near, far), (far, near)):
            self._threads.append(threading.Thread(target=self._pass, args=(one, other)))
            self._threads[-1].start()

    @staticmethod
    def _pass(one, other):
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self):
        for each in [self._listener, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in [self._listener, *self._open]:
            each.close()


@pytest.fixture
def relay():
    """Return a function that starts relays; all are cut at the end."""
    started = []

    def start(context=None):
        started.append(Relay(context))
        return started[-1]

    yield start
    for each in started:
        each.cut()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Return a folder with a CA of our own, used for both sides of the connection."""
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout key.pem"
    names = ["-out", "cert.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*make.split(), *names], cwd=folder, check=True, capture_output=True)
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())
    return folder


@pytest.fixture
def strict_tls(certificates, monkeypatch):
    """Ask for a certificate, too; and let the caller's environment name another CA."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_step_runs_over_tcp(relay, open_run, shell, tree):
    session = open_run(environment={"DOCKER_HOST": f"tcp://127.0.0.1:{relay().port}"})
    session.share(tree({"a": b"here\n"}), {})

    outcome = shell(
        session, "cat /src/a | tee /out/r", source="/src", outputs=("/out/r", "/o"), stdout="/o"
    )
    session.close()

    assert outcome.outputs["/out/r"].read_text() == outcome.outputs["/o"].read_text() == "here\n"


def test_a_step_runs_over_tls_with_a_private_ca(relay, open_run, shell, certificates, strict_tls):
    session = open_run(
        environment={
            "DOCKER_HOST": f"tcp://127.0.0.1:{relay(strict_tls).port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(certificates),
        }
    )

    outcome = shell(session, "echo over tls; echo 1 > /out/r", outputs=("/out/r",))
    session.close()

    assert outcome.log.read_text() == "over tls\n"
    assert outcome.outputs["/out/r"].read_text() == "1\n"


def test_a_service_is_reached_through_tls(  # noqa: PLR0917 - fixtures
    relay, open_run, certificates, strict_tls, image, monkeypatch
):
    monkeypatch.setattr(Networks, "make_front", lambda *_: "")
    session = open_run(
        environment={
            "DOCKER_HOST": f"tcp://127.0.0.1:{relay(strict_tls).port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(certificates),
        }
    )
    service = Service(
        name="web",
        image=image,
        port=8080,
        argv=("/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/bin"),
        limits=Limits(memory_mb=64),
        ready=lambda _: True,
    )
    running = session.serve(service, name="probe", cancel=threading.Event())
    for _ in range(50):
        with (
            suppress(ConnectionError),
            urllib.request.urlopen(running.address.url + "/busybox", timeout=20) as response,
        ):
            came = response.read()
            break
        time.sleep(0.1)
    session.close()

    assert came.startswith(b"\x7fELF")
    assert len(came) == int(response.headers["Content-Length"])


def test_an_engine_with_another_ca_is_not_trusted(
    relay, settings, certificates, strict_tls, tmp_path
):
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_bytes((certificates / name).read_bytes())
    environment = {
        "DOCKER_HOST": f"tcp://127.0.0.1:{relay(strict_tls).port}",
        "DOCKER_CERT_PATH": str(tmp_path),
    }

    with pytest.raises(EngineError, match=r"(?i)certificate"):
        open_session(settings(environment=environment))


def test_an_engine_that_goes_away_in_the_middle_is_lost_not_waited_for(
    relay, open_run, shell, client
):
    link = relay()
    session = open_run(environment={"DOCKER_HOST": f"tcp://127.0.0.1:{link.port}"})
    cutter = threading.Timer(1.5, link.cut)
    cutter.start()

    with pytest.raises(EngineLostError):
        shell(session, "echo started; sleep 20", timeout_s=60)
    cutter.join()
    session.close()
    sweep(client.api, session._settings.run_id)
