"""Which program runs compose files here, and how is it run?"""

import json
import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scanrun.api import DeadlineError, MissingToolError, StepError
from scanrun_plugins.engines.docker.compose_yaml import load_mapping
from scanrun_plugins.engines.docker.endpoint import Endpoint
from scanrun_plugins.engines.docker.failures import last_lines, telling_line
from scanrun_plugins.engines.process import Command, run_command

Cancel = threading.Event

_OLDEST = (1, 27)
_ASK_S = 30.0
_MOST_RESOLVED = 16 << 20
_MOST_PRINTED = 64 << 20
_MOST_WRITTEN = 1 << 40
"""A build's context is packed into a file first."""
_PASSED = ("HOME", "DOCKER_CONFIG")
_OURS = re.compile(
    r"(?i)(LD_|DYLD_|PYTHON|DOCKER_|COMPOSE_|BUILD(X|KIT)_|GIT_|SSH_|SSL_|XDG_|GO)\w*"
    r"|PATH|HOME|TMPDIR|IFS|\w+_PROXY"
)
"""Variables that mean something to the program itself."""
INSTALL = (
    "install Docker's compose plugin (`docker compose version` has to work), or docker-compose"
    " (Debian: apt-get install docker-compose)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program, and where it works."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path
    """The run's own."""
    log: Path
    """Where all that it prints is appended."""
    version: str = ""

    @property
    def title(self) -> str:
        """Return name and version, for people."""
        name = " ".join((Path(self.argv[0]).name, *self.argv[1:]))
        return f"{name} {self.version}".strip()

    @property
    def first_generation(self) -> bool:
        """Say whether it is the old one, which knows no BuildKit of its own."""
        return self.version.startswith("1.")

    def resolve(
        self, file: Path, project: str, given: Mapping[str, str], cancel: Cancel
    ) -> dict[str, Any]:
        """Return what the program makes of a compose file, its variables filled in.

        It sees `given` and the file's own `.env`, no other variable of the caller's, and no engine.

        Raises:
            StepError: it does not take the file.
        """
        told = {name: value for name, value in given.items() if not _OURS.fullmatch(name)}
        # all profiles: what is to run is chosen here
        env = {**told, **self.env, "COMPOSE_PROFILES": "*"}
        base = file.parent.resolve()
        printed = self.folder / "resolved.yaml"
        where = ("--project-directory", str(base), "--file", str(file), "--project-name", project)
        asking = replace(self, env=env)
        asking.run((*where, "config"), f"{file.name!r} can't be used", 60, cancel, printed)
        found = load_mapping(printed.read_bytes(), file.name, most=_MOST_RESOLVED)
        return {key: _unescaped(each) for key, each in found.items()}

    def write(self, model: Mapping[str, Any]) -> Path:
        """Write a model down as the program reads it; nobody else does.

        Raises:
            StepError: it can't be written as text.
        """
        file = self.folder / "model.json"
        try:
            text = json.dumps(_escaped(model), ensure_ascii=False).encode()
        except ValueError as error:
            raise StepError(f"the compose file holds what is no text: {error}") from error
        file.touch(mode=0o600)
        file.write_bytes(text)
        return file

    def drive(
        self, model: Mapping[str, Any], *argv: str, what: str, timeout_s: float, cancel: Cancel
    ) -> None:
        """Run a command of the program on a model; as `run`."""
        where = ("--project-directory", str(self.folder), "--project-name", self.folder.name)
        file = self.write(model)
        self.run((*where, "--file", str(file), *argv), what, timeout_s, cancel)

    def run(
        self,
        argv: Sequence[str],
        what: str,
        timeout_s: float,
        cancel: Cancel,
        printed: Path | None = None,
        *,
        ask: bool = False,
    ) -> None:
        """Run it; `what` is for the message where it does not end well.

        What it prints is kept unless it was only to `ask` something.

        Raises:
            StepError: it did not; the message has its last words.
            InterruptedRunError: `cancel` was set; it is dead.
        """
        log = self.folder / "last.log"
        command = Command(
            argv=(*self.argv, *argv),
            cwd=self.folder,
            env=self.env,
            log=log,
            stdout=printed,
            timeout_s=timeout_s,
            max_bytes=_MOST_WRITTEN,
            max_log_bytes=_MOST_PRINTED,
        )
        try:
            code = run_command(command, cancel.is_set)
        except DeadlineError:
            words = last_lines(log)
            raise DeadlineError(
                f"{what}: {self.title} took more than {timeout_s:g} s; it said: {words}",
                hint="raise `start_deadline`",
            ) from None
        finally:
            if not ask:
                self._keep(log)
        if code:
            words = telling_line(log.read_bytes())
            raise StepError(f"{what}: {self.title} said: {words or 'nothing'}")

    def _keep(self, log: Path) -> None:
        if log.exists():
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("rb") as source, self.log.open("ab") as sink:
                shutil.copyfileobj(source, sink)


def find_program(
    caller: Mapping[str, str], endpoint: Endpoint, folder: Path, log: Path, cancel: Cancel
) -> Program:
    """Return the program that is installed here, for this engine.

    Raises:
        MissingToolError: there is none, or only one that is too old.
    """
    env = environment_of(caller, endpoint, folder)
    old = ""
    for name, more in (("docker", ("compose",)), ("docker-compose", ())):
        path = shutil.which(name, path=caller.get("PATH"))
        if path is None:
            continue
        program = Program(argv=(path, *more), env=env, folder=folder, log=log)
        version = _version(program, cancel)
        if version and _number(version) >= _OLDEST:
            return replace(program, version=version)
        old = old or (f"{program.title} is version {version}" if version else "")
    if old:
        raise MissingToolError(f"{old}, which is too old for compose files", hint=INSTALL)
    raise MissingToolError("a compose file needs a program that is not here", hint=INSTALL)


def environment_of(caller: Mapping[str, str], endpoint: Endpoint, folder: Path) -> dict[str, str]:
    """Return the program's environment: the engine, and nothing of the caller's but its place.

    What is empty is set all the same: it keeps a `.env` of the tree from setting it.
    """
    tls = endpoint.tls
    passed = {name: caller[name] for name in _PASSED if caller.get(name)}
    if endpoint.url.startswith("ssh://") and caller.get("SSH_AUTH_SOCK"):
        passed["SSH_AUTH_SOCK"] = caller["SSH_AUTH_SOCK"]
    return {
        **passed,
        "PATH": caller.get("PATH", ""),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "DOCKER_HOST": endpoint.url,
        "DOCKER_TLS_VERIFY": "1" if tls and tls.verify else "",
        "DOCKER_CERT_PATH": str(tls.folder) if tls else "",
        "DOCKER_CONTEXT": "",
        "COMPOSE_ANSI": "never",
        "COMPOSE_PROGRESS": "plain",
        "COMPOSE_MENU": "0",
        "BUILDKIT_PROGRESS": "plain",
    }


def _version(program: Program, cancel: Cancel) -> str:
    """Return its version; empty where it is not there, or is something else."""
    printed = program.folder / "version"
    try:
        program.run(
            ("version", "--short"), "asking for its version", _ASK_S, cancel, printed, ask=True
        )
    except StepError:
        return ""
    lines = printed.read_bytes().decode("utf-8", "replace").split()
    found = re.match(r"v?(\d+\.\d+[\w.+-]*)", lines[-1]) if lines else None
    return found[1] if found else ""


def _number(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(re.match(r"\d+", minor)[0])  # type: ignore[index]  # as `_version` reads


def has_buildkit(program: Program, caller: Mapping[str, str], cancel: Cancel) -> bool:
    """Say whether the docker program can build with BuildKit."""
    path = shutil.which("docker", path=caller.get("PATH"))
    if path is None:
        return False
    try:
        replace(program, argv=(path, "buildx")).run(
            ("version",), "asking", _ASK_S, cancel, ask=True
        )
    except StepError:
        return False
    return True


def _unescaped(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what is meant: a resolved file still writes a dollar sign twice."""
    return _texts(value, "$$", "$")


def _escaped(value: Any) -> Any:  # noqa: ANN401 - JSON
    return _texts(value, "$", "$$")


def _texts(value: Any, old: str, new: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {key: _texts(each, old, new) for key, each in value.items()}
    return [_texts(each, old, new) for each in value] if isinstance(value, list) else value
