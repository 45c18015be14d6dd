"""Which addresses might be an engine's, in the order in which they are tried?

`DOCKER_HOST`, else the current docker context, else the usual sockets, else Podman's. What is
asked for by name is never replaced by something else that happens to answer.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanrun.api import EngineError


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A folder with `ca.pem`, `cert.pem` and `key.pem`, each of them optional."""

    folder: Path
    verify: bool = True

    def file(self, name: str) -> str | None:
        """Return the path of a file in the folder, if it is there."""
        path = self.folder / name
        return str(path) if path.is_file() else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, and where it was read."""

    url: str
    origin: str
    tls: TlsFiles | None = None

    @property
    def socket(self) -> Path | None:
        """Return the path of a unix socket."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None


def candidates(environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """Return the endpoints to try, first one first.

    Raises:
        EngineError: the docker configuration names a context that can't be read.
    """
    if host := environment.get("DOCKER_HOST"):
        return (Endpoint(host, "DOCKER_HOST", _tls_of_environment(environment)),)
    if context := _context_name(environment):
        return (_context(context, environment),)
    return (*_docker_sockets(environment), *_podman_sockets(environment))


def docker_config_folder(environment: Mapping[str, str]) -> Path | None:
    """Return the folder of the docker client's own configuration."""
    if folder := environment.get("DOCKER_CONFIG"):
        return Path(folder)
    home = environment.get("HOME")
    return Path(home, ".docker") if home else None


def _tls_of_environment(environment: Mapping[str, str]) -> TlsFiles | None:
    if not (environment.get("DOCKER_TLS_VERIFY") or environment.get("DOCKER_CERT_PATH")):
        return None
    folder = environment.get("DOCKER_CERT_PATH") or docker_config_folder(environment)
    if folder is None:
        raise EngineError(
            "DOCKER_TLS_VERIFY is set, but there is no folder with certificates",
            hint="set DOCKER_CERT_PATH",
        )
    return TlsFiles(Path(folder))


def _context_name(environment: Mapping[str, str]) -> str:
    """Return the current context's name; empty for the default one."""
    name = environment.get("DOCKER_CONTEXT")
    folder = docker_config_folder(environment)
    if not name and folder is not None and (folder / "config.json").exists():
        name = _read_json(folder / "config.json").get("currentContext")
    return "" if not name or name == "default" else str(name)


def _context(name: str, environment: Mapping[str, str]) -> Endpoint:
    folder = docker_config_folder(environment) or Path()
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = _read_json(folder / "contexts" / "meta" / digest / "meta.json")
    try:
        docker = meta["Endpoints"]["docker"]
        url, skip = str(docker["Host"]), bool(docker.get("SkipTLSVerify"))
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"docker context {name!r} has no docker endpoint") from error
    certificates = folder / "contexts" / "tls" / digest / "docker"
    tls = TlsFiles(certificates, verify=not skip) if certificates.is_dir() or skip else None
    return Endpoint(url, f"docker context {name!r}", tls)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EngineError(
            f"the docker configuration {str(path)!r} can't be read: {error}",
            hint="mend it, or set DOCKER_HOST",
        ) from error
    if not isinstance(content, dict):
        raise EngineError(f"the docker configuration {str(path)!r} is no JSON object")
    return content


def _docker_sockets(environment: Mapping[str, str]) -> Iterator[Endpoint]:
    yield Endpoint("unix:///var/run/docker.sock", "usual socket")
    yield Endpoint(f"unix://{_runtime_folder(environment)}/docker.sock", "rootless Docker's socket")
    if home := environment.get("HOME"):
        yield Endpoint(f"unix://{home}/.docker/run/docker.sock", "Docker Desktop's socket")
        yield Endpoint(f"unix://{home}/.docker/desktop/docker.sock", "Docker Desktop's socket")


def _podman_sockets(environment: Mapping[str, str]) -> Iterator[Endpoint]:
    if host := environment.get("CONTAINER_HOST"):
        yield Endpoint(host, "CONTAINER_HOST")
    yield Endpoint(
        f"unix://{_runtime_folder(environment)}/podman/podman.sock", "rootless Podman's socket"
    )
    yield Endpoint("unix:///run/podman/podman.sock", "Podman's socket")
    if home := environment.get("HOME"):
        machine = f"{home}/.local/share/containers/podman/machine/podman.sock"
        yield Endpoint(f"unix://{machine}", "Podman machine's socket")


def _runtime_folder(environment: Mapping[str, str]) -> str:
    return environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
