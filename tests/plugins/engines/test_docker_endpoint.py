"""Where the engine is looked for, without any engine."""

import base64
import hashlib
import json
import os
import socket
import threading

import pytest

from scanrun.api import EngineError
from scanrun_plugins.engines.docker import connection
from scanrun_plugins.engines.docker.connection import connect
from scanrun_plugins.engines.docker.endpoint import Endpoint, candidates

DOCKER_HOST = {key: os.environ[key] for key in ("DOCKER_HOST",) if key in os.environ}


@pytest.fixture
def context(tmp_path):
    """Return a function that writes a docker context and returns the environment that has it."""

    def write(name, host, *, current=True, **docker):
        config = tmp_path / "config"
        meta = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        meta.mkdir(parents=True)
        endpoint = {"Host": host, "SkipTLSVerify": False, **docker}
        content = {"Name": name, "Endpoints": {"docker": endpoint}}
        (meta / "meta.json").write_text(json.dumps(content))
        (config / "config.json").write_text(json.dumps({"currentContext": name} if current else {}))
        return {"DOCKER_CONFIG": str(config)}

    return write


def test_docker_host_goes_before_everything(context):
    environment = {**context("far", "tcp://far:2376"), "DOCKER_HOST": "tcp://near:2375"}

    assert candidates(environment) == (Endpoint("tcp://near:2375", "DOCKER_HOST"),)


def test_the_current_context_stands_alone(context):
    environment = context("far", "ssh://user@far")

    assert candidates(environment) == (Endpoint("ssh://user@far", "docker context 'far'"),)


def test_docker_context_names_another_than_the_current_one(context):
    environment = {**context("far", "tcp://far:1", current=False), "DOCKER_CONTEXT": "far"}

    assert [each.url for each in candidates(environment)] == ["tcp://far:1"]


def test_a_contexts_certificates_are_used(context, tmp_path):
    environment = context("far", "tcp://far:2376")
    digest = hashlib.sha256(b"far").hexdigest()
    folder = tmp_path / "config" / "contexts" / "tls" / digest / "docker"
    folder.mkdir(parents=True)

    (endpoint,) = candidates(environment)

    assert endpoint.tls.folder == folder
    assert endpoint.tls.verify


@pytest.mark.parametrize("name", ["", "default"])
def test_the_default_context_means_the_usual_sockets(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))
    environment = {
        "DOCKER_CONFIG": str(tmp_path),
        "HOME": "/home/me",
        "XDG_RUNTIME_DIR": "/run/user/7",
    }

    urls = [each.url for each in candidates(environment)]

    assert urls[:3] == [
        "unix:///var/run/docker.sock",
        "unix:///run/user/7/docker.sock",
        "unix:///home/me/.docker/run/docker.sock",
    ]
    assert urls.index("unix:///run/user/7/podman/podman.sock") > 3


def test_a_context_that_is_not_there_is_an_error_not_another_engine(tmp_path):
    with pytest.raises(EngineError, match="can't be read"):
        candidates({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})


def test_a_broken_docker_configuration_is_an_error(tmp_path):
    (tmp_path / "config.json").write_text("{")

    with pytest.raises(EngineError, match=r"config\.json"):
        candidates({"DOCKER_CONFIG": str(tmp_path)})


def test_tls_is_verified_unless_a_context_says_otherwise(tmp_path):
    (endpoint,) = candidates({"DOCKER_HOST": "tcp://h:1", "DOCKER_CERT_PATH": str(tmp_path)})

    assert (endpoint.tls.folder, endpoint.tls.verify) == (tmp_path, True)


def test_tls_without_a_folder_is_an_error():
    with pytest.raises(EngineError, match="certificates"):
        candidates({"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1"})


def test_every_endpoint_that_was_tried_is_named_with_its_reason(monkeypatch, tmp_path):
    refused = tmp_path / "refused.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(refused))
    tried = (Endpoint(f"unix://{tmp_path}/none.sock", "A"), Endpoint(f"unix://{refused}", "B"))
    monkeypatch.setattr(connection, "candidates", lambda _: tried)

    with pytest.raises(EngineError) as caught:
        connect({})

    assert "none.sock (A): not there" in str(caught.value)
    assert "refused.sock (B): connection refused" in str(caught.value)
    assert "DOCKER_HOST" in caught.value.hint


def test_a_socket_without_permission_is_told_apart(monkeypatch, tmp_path):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    class Refusing(socket.socket):
        connect = refuse

    monkeypatch.setattr(connection.socket, "socket", Refusing)

    with pytest.raises(EngineError, match="permission denied") as caught:
        connect({"DOCKER_HOST": f"unix://{tmp_path}/any.sock"})

    assert "group" in caught.value.hint


def test_ssh_without_its_extra_is_named(monkeypatch):
    monkeypatch.setattr(connection.importlib.util, "find_spec", lambda _: None)

    with pytest.raises(EngineError) as caught:
        connect({"DOCKER_HOST": "ssh://user@host"})

    assert caught.value.hint == "install `scanrun[ssh]`"


def test_what_answers_but_is_no_engine_is_refused():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()

    def answer():
        peer, _ = listener.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=answer)
    thread.start()
    host = f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(EngineError, match="not as a Docker API"):
        connect({"DOCKER_HOST": host})
    thread.join()
    listener.close()


@pytest.mark.docker
def test_registry_logins_come_from_the_docker_configuration(tmp_path):
    login = base64.b64encode(b"me:made-up").decode()
    content = {"auths": {"registry.example": {"auth": login}}}
    (tmp_path / "config.json").write_text(json.dumps(content))

    found = connect({**DOCKER_HOST, "DOCKER_CONFIG": str(tmp_path)})

    known = found.api._auth_configs.resolve_authconfig("registry.example")
    assert known["username"] == "me"
    found.api.close()


@pytest.mark.docker
def test_a_private_ca_or_proxy_of_the_caller_does_not_break_the_engine(monkeypatch, tmp_path):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    found = connect(DOCKER_HOST)

    assert found.api.trust_env is False
    assert found.version.startswith(("Docker ", "Podman "))
    found.api.close()
