"""An image, built by the docker program, with this very engine and nothing else of ours."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from docker.errors import DockerException

from scanrun_plugins.engines.docker.connection import Connection
from scanrun_plugins.engines.docker.endpoint import Endpoint
from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS
from scanrun_plugins.engines.docker.recipe import Job

_ASK_S = 20
_END_S = 5
_PASSED = ("PATH", "HOME", "DOCKER_CONFIG", "DOCKER_BUILDKIT", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR")
"""What the program needs of the caller's environment: its logins, its plugins, its ways."""

_HELD_SCRIPT = """
exec 3<&0
"$@" </dev/null & build=$!
{ read -r _ <&3; kill $build; } & holder=$!
wait $build; code=$?
kill $holder
exit $code
"""
_HELD = ("/bin/sh", "-c", _HELD_SCRIPT, "sh")
"""Runs what follows for as long as somebody holds the other end of its input: a process that was
killed lets go of it, and would else leave a build behind."""


class ProgramBuilder:
    """Builds with a docker program."""

    title = "the docker program"

    def __init__(self, program: str, environment: Mapping[str, str], *, direct: bool) -> None:
        self._program = program
        self._environment = dict(environment)
        self._direct = direct

    @classmethod
    def find(cls, connection: Connection, caller: Mapping[str, str]) -> Self | None:
        """Return the docker program, if there is one that speaks to this very engine.

        What is called `docker` may be Podman's, which builds elsewhere, or too new for the engine.
        """
        program = shutil.which("docker", path=caller.get("PATH", os.defpath))
        if program is None:
            return None
        environment = program_environment(connection.endpoint, caller)
        if not _same_engine(connection, program, environment):
            return None
        return cls(program, environment, direct=connection.endpoint.socket is not None)

    def begin(self, job: Job) -> "_ProgramBuild":
        """Start a build."""
        # a program that is told of a proxy asks it for the engine, too, but for a socket
        proxies = job.proxies if self._direct else {}
        with job.log.open("ab") as log:
            process = subprocess.Popen(
                (*_HELD, *self._command(job, proxies)),
                cwd=job.recipe.context,
                env={**self._environment, **proxies},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return _ProgramBuild(process)

    def _command(self, job: Job, proxies: Mapping[str, str]) -> list[str]:
        build = job.recipe.build
        command = [self._program, "build", "--force-rm", f"--tag={job.tag}"]
        command += [f"--label={name}={value}" for name, value in sorted(job.labels.items())]
        command += [f"--build-arg={name}" for name in sorted(proxies)]
        command += [f"--build-arg={name}={value}" for name, value in sorted(build.args.items())]
        command += [f"--target={build.target}"] if build.target else []
        command += [] if job.network else ["--network=none"]
        return [*command, f"--file={job.recipe.file}", "--", "."]


class _ProgramBuild:
    """The program at work. The engine ends a build whose asker is gone."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def ended(self, wait_s: float) -> bool:
        """Wait a moment; say whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_s)
        return self._process.returncode is not None

    def good(self) -> bool:
        """Say whether it ended well."""
        return self._process.returncode == 0

    def leave(self) -> None:
        """End it, and all that it has started."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        for way in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, way)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)


def program_environment(endpoint: Endpoint, caller: Mapping[str, str]) -> dict[str, str]:
    """Return what a docker program is given: little of the caller's, and this endpoint."""
    environment = {name: caller[name] for name in _PASSED if caller.get(name)}
    environment |= {
        "DOCKER_HOST": endpoint.url,
        "BUILDKIT_PROGRESS": "plain",
        # they would make an index of the image
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }
    if endpoint.tls is not None:
        verify = {"DOCKER_TLS_VERIFY": "1"} if endpoint.tls.verify else {"DOCKER_TLS": "1"}
        environment |= {"DOCKER_CERT_PATH": str(endpoint.tls.folder), **verify}
    return environment


def _same_engine(connection: Connection, program: str, environment: Mapping[str, str]) -> bool:
    api: Any = connection.api  # partly untyped
    command = (program, "info", "--format", "{{.ID}}")
    try:
        told = subprocess.run(
            command, env=dict(environment), capture_output=True, check=True, timeout=_ASK_S
        )
        own = str(api.info()["ID"])
    except (OSError, subprocess.SubprocessError, DockerException, *TRANSPORT_ERRORS, KeyError):
        return False
    return told.stdout.decode(errors="replace").strip() == own
