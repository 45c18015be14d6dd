"""Which engine answers, and how is it spoken to?"""

import importlib.util
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from docker import APIClient
from docker.errors import DockerException
from docker.tls import TLSConfig

from scanrun.api import EngineError
from scanrun_plugins.engines.docker.endpoint import Endpoint, candidates, docker_config_folder
from scanrun_plugins.engines.docker.failures import plain

CONNECT_TIMEOUT_S = 5
CALL_TIMEOUT_S = 60
"""For one answer. What may take longer (waiting, pulling, copying) has a clock of its own."""
OLDEST_API = "1.24"


@dataclass(frozen=True, slots=True)
class Connection:
    """A client that speaks to an engine, and what that engine says of itself."""

    api: APIClient
    endpoint: Endpoint
    server: Mapping[str, Any]

    @property
    def podman(self) -> bool:
        """Say whether Podman answers in Docker's place."""
        return any("Podman" in str(part.get("Name")) for part in self.server["Components"] or ())

    @property
    def version(self) -> str:
        """Return name and version."""
        return f"{'Podman' if self.podman else 'Docker'} {self.server.get('Version', '?')}"

    @property
    def platform(self) -> str:
        """Return what it runs: `linux/amd64`."""
        return f"{self.server.get('Os', '?')}/{self.server.get('Arch', '?')}"


class _UnreachableError(Exception):
    """Why an endpoint does not answer; `denied` where it is there and may not be used."""

    def __init__(self, reason: str, *, denied: bool = False) -> None:
        super().__init__(reason)
        self.denied = denied


def connect(environment: Mapping[str, str]) -> Connection:
    """Return a connection to the first endpoint that answers.

    Raises:
        EngineError: none does; the message names each, and why.
    """
    tried = []
    denied = False
    for endpoint in candidates(environment):
        try:
            return _open(endpoint, environment)
        except _UnreachableError as error:
            tried.append(f"{endpoint.url} ({endpoint.origin}): {error}")
            denied |= error.denied
    raise EngineError(f"no container engine answers: {'; '.join(tried)}", hint=_hint(denied=denied))


def _hint(*, denied: bool) -> str:
    if denied:
        return "join the group that owns the socket (`usermod -aG docker USER`, then log in again)"
    return "start Docker or Podman, or set DOCKER_HOST"


def _open(endpoint: Endpoint, environment: Mapping[str, str]) -> Connection:
    """Ask for the version first, with little patience, then speak that version."""
    _probe(endpoint)
    try:
        first = _client(endpoint, OLDEST_API, CONNECT_TIMEOUT_S)
        try:
            server = first.version(api_version=False)
        finally:
            first.close()
        client = _client(endpoint, server["ApiVersion"], CALL_TIMEOUT_S)
        _use_logins(client, environment)
    except (DockerException, requests.RequestException, OSError) as error:
        raise _UnreachableError(plain(str(error))) from error
    except (KeyError, TypeError, ValueError) as error:
        raise _UnreachableError("it answers, but not as a Docker API does") from error
    return Connection(client, endpoint, {"Components": (), **server})


def _probe(endpoint: Endpoint) -> None:
    """Tell a socket without permission from one that is not there: the SDK's words don't."""
    if endpoint.url.startswith("ssh://") and importlib.util.find_spec("paramiko") is None:
        raise EngineError(
            f"{endpoint.url!r} ({endpoint.origin}) needs ssh support, which is not installed",
            hint="install `scanrun[ssh]`",
        )
    if endpoint.socket is None:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        try:
            probe.connect(str(endpoint.socket))
        except FileNotFoundError:
            raise _UnreachableError("not there") from None
        except PermissionError:
            raise _UnreachableError("permission denied", denied=True) from None
        except OSError as error:
            raise _UnreachableError((error.strerror or str(error)).lower()) from error


def _client(endpoint: Endpoint, version: str, timeout: int) -> APIClient:
    client = APIClient(
        base_url=endpoint.url,
        version=version,
        timeout=timeout,
        tls=_tls(endpoint) or False,
        use_ssh_client=endpoint.url.startswith("ssh://"),
        user_agent="scanrun",
    )
    # else REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE replace the engine's own CA, and a proxy for the
    # Internet is asked for the engine
    client.trust_env = False
    return client


def _tls(endpoint: Endpoint) -> TLSConfig | None:
    files = endpoint.tls
    if files is None or not endpoint.url.startswith(("tcp://", "https://")):
        return None
    certificate, key = files.file("cert.pem"), files.file("key.pem")
    ca = files.file("ca.pem")
    return TLSConfig(
        client_cert=(certificate, key) if certificate and key else None,
        ca_cert=ca if files.verify else None,
        verify=files.verify,
    )


def _use_logins(client: APIClient, environment: Mapping[str, str]) -> None:
    folder = docker_config_folder(environment)
    if folder is not None and (folder / "config.json").is_file():
        client.reload_config(str(folder / "config.json"))
