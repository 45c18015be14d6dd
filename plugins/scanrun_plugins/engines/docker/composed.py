"""An application of several containers: how they fare, what they say, and their end."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import DockerException

from scanrun.api import ScanError
from scanrun_plugins.engines.docker.failures import (
    TRANSPORT_ERRORS,
    engine_errors,
    plain,
    sensible,
    telling_line,
)
from scanrun_plugins.engines.docker.reaping import things
from scanrun_plugins.engines.docker.served import LOG_LIMIT, Served

PROJECT = "scanrun.compose"
"""Label of all that one compose file has become: the project's name."""
SERVICE = "com.docker.compose.service"
_LINES = 20


def containers_of(api: APIClient, project: str) -> dict[str, dict[str, Any]]:
    """Return what the engine says of the containers of a project, by the file's service."""
    found = {}
    with engine_errors("looking at the containers of the compose file"):
        for each in api.containers(all=True, filters={"label": f"{PROJECT}={project}"}):
            if SERVICE in each["Labels"]:
                found[str(each["Labels"][SERVICE])] = api.inspect_container(each["Id"])
    return dict(sorted(found.items()))


def remove_project(api: APIClient, project: str) -> None:
    """Remove all of it: containers, volumes, networks. Never raises. Images go with the run.

    Not by the program: that one waits for each container to end by itself, and may be the very
    thing that hangs. What resists is left to the end of the run.
    """
    label = f"{PROJECT}={project}"
    # twice: a program that was killed may have asked for one more container just before
    for _ in range(2):
        with suppress(DockerException, *TRANSPORT_ERRORS):
            for thing in list(things(api, label)):
                thing.removed()


def words_of(api: APIClient, container: str) -> str:
    """Return the line of a container's log that tells most."""
    with suppress(DockerException, *TRANSPORT_ERRORS):
        return telling_line(api.logs(container, tail=_LINES))
    return ""


@dataclass(slots=True, kw_only=True)
class Composed(Served):
    """Implements `Running` for a service of a compose file, and those that it needs."""

    project: str
    started: Mapping[str, str]
    """Name of each other service -> when it was started."""
    jobs: frozenset[str] = frozenset()
    """Those that are to end, with 0."""
    settled: bool = field(default=False)
    """Steps speak to it: whatever ends from now on is missing."""
    done: set[str] = field(default_factory=set)
    """Those that had ended with 0 by then."""

    def number(self) -> str:
        """Return its number in the network of the steps, one of which begins."""
        self.settled = True
        return Served.number(self)

    def problem(self) -> str:
        """Say how it, or one of those that it needs, ended; empty while all is well."""
        if problem := Served.problem(self):
            return problem
        try:
            with sensible(f"looking at what {self.name!r} needs"):
                return self._problem_beside()
        except ScanError as error:
            return str(error)

    def _problem_beside(self) -> str:
        api = self.containers.api
        found = containers_of(api, self.project)
        for name, begun in self.started.items():
            if name not in found:
                return f"{name!r}, which {self.name!r} needs, was removed by somebody else"
            state = found[name]["State"]
            how = self._how_beside(name, state, begun)
            if how:
                words = words_of(api, found[name]["Id"])
                return f"{name!r}, which {self.name!r} needs, {how}; it said: {words or 'nothing'}"
        return ""

    def _how_beside(self, name: str, state: Mapping[str, Any], begun: str) -> str:
        if state.get("OOMKilled"):
            return "ran out of memory"
        if state.get("Paused"):
            return "was paused"
        if str(state["StartedAt"]) != begun:
            return "has ended, and was started again"
        if state["Running"]:
            return ""
        if state["ExitCode"] == 0 and (name in self.jobs | self.done or not self.settled):
            self.done.add(name)
            return ""
        return f"ended with exit code {state['ExitCode']}"

    def write_log(self, path: Path) -> None:
        """Append what all containers have printed."""
        with path.open("ab") as sink:
            try:
                for name, found in containers_of(self.containers.api, self.project).items():
                    sink.write(f"\n== {plain(name)} ==\n".encode())
                    with engine_errors(f"reading what {name!r} printed"):
                        self._copy(sink.write, found["Id"])
            except (ScanError, KeyError) as error:
                sink.write(f"\n({error})\n".encode())

    def _copy(self, write: Callable[[bytes], object], container: str) -> None:
        left = LOG_LIMIT
        for chunk in self.containers.api.logs(container, stream=True, follow=False):
            write(chunk[:left])
            left -= len(chunk)
            if left <= 0:
                write(b"\n(cut off)\n")
                return

    def remove(self) -> None:
        """Remove all of it. Never raises."""
        self.leave()
        remove_project(self.containers.api, self.project)
