"""What passes bytes between the engine's own connection and a port inside a container?

A program of the image, started by the engine as a further process (`exec`) of the service's
container; which one is found out by asking for each.
"""

from collections.abc import Mapping
from typing import Any

from docker.errors import APIError

from scanrun.api import Address, EngineLostError, StepError
from scanrun_plugins.engines.docker.attached import Attached
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.failures import engine_errors

LINGER_S = 60
"""How long an answer may pause once its asker has said all."""
_USAGE = 1

_BASH = (
    "exec 3<>/dev/tcp/$0/$1 4<&0 || exit 1; "
    f"{{ cat <&4 >&3; sleep {LINGER_S}; kill $$; }} 2>/dev/null & "
    "cat <&3; code=$?; kill $! 2>/dev/null; exit $code"
)
_PYTHON = """
import os, socket, sys, threading
far = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    for data in iter(lambda: os.read(0, 65536), b""):
        far.sendall(data)
    far.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
for data in iter(lambda: far.recv(65536), b""):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
os._exit(0)
"""
_PERL = """
my $far = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or exit 1;
my $up = fork;
if (!$up) { while (sysread(STDIN, my $data, 65536)) { print $far $data } shutdown($far, 1); exit }
$| = 1;
while (sysread($far, my $data, 65536)) { print STDOUT $data }
kill 9, $up;
"""


class Tool:
    """A program that passes bytes on, and how to see whether it is there."""

    def __init__(self, name: str, probe: tuple[str, ...], command: tuple[str, ...]) -> None:
        self.name = name
        self.probe = probe
        self._command = command

    def command(self, to: Address) -> list[str]:
        """Return the command for an address."""
        words: Mapping[str, str] = {"HOST": to.host, "PORT": str(to.port)}
        return [
            words.get(part, part.replace("HOST:PORT", f"{to.host}:{to.port}"))
            for part in self._command
        ]


PYTHON = Tool("python3", ("python3", "-c", "pass"), ("python3", "-c", _PYTHON, "HOST", "PORT"))
TOOLS = (
    Tool("nc", ("nc", "-h"), ("nc", "HOST", "PORT")),
    Tool("busybox", ("busybox", "nc", "--help"), ("busybox", "nc", "HOST", "PORT")),
    Tool("bash", ("bash", "-c", "type cat sleep"), ("bash", "-c", _BASH, "HOST", "PORT")),
    Tool("socat", ("socat", "-V"), ("socat", "-t", str(LINGER_S), "-", "TCP:HOST:PORT")),
    PYTHON,
    Tool(
        "perl",
        ("perl", "-MIO::Socket::INET", "-e", "1"),
        ("perl", "-MIO::Socket::INET", "-e", _PERL, "HOST", "PORT"),
    ),
)


def find_tool(containers: Containers, container: str, name: str) -> Tool:
    """Return the first tool that the container has.

    Raises:
        StepError: it has none.
    """
    for tool in TOOLS:
        if _there(containers.api, container, tool):
            return tool
    names = ", ".join(tool.name for tool in TOOLS)
    raise StepError(
        f"{name!r} can't be reached from here: this host does not see the engine's networks, "
        f"and its image has none of {names}",
        hint="run scanrun on the engine's own host, or add one of them to the image",
    )


def _there(api: Any, container: str, tool: Tool) -> bool:  # noqa: ANN401 - partly untyped
    with engine_errors("looking for a way to the service"):
        made = api.exec_create(container, list(tool.probe), stdout=True, stderr=True)["Id"]
        try:
            api.exec_start(made)
        except APIError:
            return False
        # some print how they are used, and fail; 126 and 127 are what is not there
        return api.exec_inspect(made)["ExitCode"] in (0, _USAGE)


class ExecTunnel:
    """One connection to a port of a container, through a process in it."""

    def __init__(self, containers: Containers, container: str, command: list[str]) -> None:
        self._api = containers.api
        with engine_errors("forwarding to the service"):
            self._exec = self._api.exec_create(container, command, stdin=True, stderr=False)["Id"]
            self._attached = Attached(self._api.exec_start(self._exec, socket=True))

    def read(self) -> bytes:
        """Return what has come; nothing at the end.

        Raises:
            EngineLostError: it broke off: the process in the container failed.
        """
        for _, data in self._attached.frames:
            return data
        with engine_errors("forwarding to the service"):
            code = self._api.exec_inspect(self._exec)["ExitCode"]
        if code != 0:
            raise EngineLostError("the connection to the service broke off")
        return b""

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._attached.write(data)

    def end(self) -> None:
        """Close the process's input, where the way to it can be closed by half."""
        self._attached.end(LINGER_S)

    def close(self) -> None:
        """End it."""
        self._attached.close()
