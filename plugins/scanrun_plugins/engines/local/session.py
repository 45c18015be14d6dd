"""A run's use of this host's own programs."""

import platform
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from scanrun.api import (
    EngineSettings,
    Isolation,
    Located,
    MissingToolError,
    Running,
    Snapshot,
    Step,
    StepError,
    StepOutcome,
)
from scanrun_plugins.engines.local.executables import (
    embedded_executables,
    find_executable,
    minimal_environment,
    version_of,
)
from scanrun_plugins.engines.local.places import Places, take
from scanrun_plugins.engines.local.tree import ScannedCopy
from scanrun_plugins.engines.process import Command, run_command, size_of

ISOLATION = Isolation(
    network=False,
    limits=False,
    summary="not isolated: local processes share this host's network and files",
)
_NETWORK_NAMES = re.compile(
    r"(?i)(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|(?:REQUESTS|CURL)_CA_BUNDLE"
)


class LocalSession:
    """Runs the programs installed beside scanrun, or on `PATH`, on a copy of the tree."""

    def __init__(self, settings: EngineSettings) -> None:
        self.endpoint = "this host"
        self.version = platform.platform(terse=True)
        self.isolation = ISOLATION
        self._settings = settings
        # links resolved once: what a program prints of the copy must be what we look for
        self._scratch = settings.scratch.resolve()
        self._copy: ScannedCopy | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def share(self, snapshot: Snapshot, extra: Mapping[str, bytes]) -> None:
        """Tell what the copy holds; it is made when the first step needs it."""
        self._copy = ScannedCopy(self._scratch, snapshot, extra)

    def locate(self, step: Step) -> Located:
        """Find the executable."""
        if not step.executable:
            return Located(
                "", problem="runs in a container only", hint="use --engine docker, or skip it"
            )
        path = self._find(step)
        if path is None:
            return Located(
                step.executable,
                problem=f"{step.executable!r} is not installed",
                hint=_how_to_install(step),
            )
        return Located(str(path), version=version_of(path))

    def prepare(self, step: Step, cancel: threading.Event) -> Located:  # noqa: ARG002 - no pull
        """Return what `locate` does.

        Raises:
            MissingToolError: it is not there.
        """
        located = self.locate(step)
        if located.problem:
            raise MissingToolError(located.problem, hint=located.hint)
        return located

    def run(
        self,
        step: Step,
        *,
        name: str,
        caches: Mapping[str, Path],
        folder: Path,
        cancel: threading.Event,
        beside: Sequence[Running] = (),
    ) -> StepOutcome:
        """Run the executable in a folder of its own; see `Session.run`."""
        if beside or step.services:
            raise StepError(
                f"step {step.name!r} needs a server, and no engine here can start one",
                hint="use `--engine docker`",
            )
        executable = self._find(step)
        if executable is None:
            raise MissingToolError(f"{step.executable!r} is not installed")
        tree = self._tree(step)
        try:
            return self._run(step, executable, tree, name, caches, folder.resolve(), cancel)
        except OSError as error:
            raise StepError(f"the scratch folder can't be used: {error}") from error

    def close(self) -> None:
        """End what still runs and remove the copy."""
        self._closed.set()
        if self._copy is not None:
            self._copy.remove()

    def _find(self, step: Step) -> Path | None:
        snapshot = self._copy.snapshot if self._copy else None
        return find_executable(step.executable, self._settings.environment, snapshot)

    def _run(  # noqa: PLR0917 - all of them, once
        self,
        step: Step,
        executable: Path,
        tree: Path | None,
        name: str,
        caches: Mapping[str, Path],
        folder: Path,
        cancel: threading.Event,
    ) -> StepOutcome:
        prefix = f"{_plain(name)}-{_plain(step.name)}-"
        root = Path(tempfile.mkdtemp(prefix=prefix, dir=self._scratch))
        try:
            places = Places.of(step, root, tree, caches)
            _put_files(step, places)
            command = self._command(step, places, executable, folder)
            started = datetime.now(UTC)
            try:
                code = run_command(command, lambda: cancel.is_set() or self._closed.is_set())
            finally:
                places.restore(command.log)
            ended = datetime.now(UTC)
            outputs = _fetch(step, places, folder, command, code)
        finally:
            shutil.rmtree(root, ignore_errors=True)
        return StepOutcome(
            exit_code=code,
            outputs=outputs,
            log=command.log,
            started=started,
            ended=ended,
            lost=self._copy.lost if self._copy and tree else (),
        )

    def _tree(self, step: Step) -> Path | None:
        if step.source is None:
            return None
        if self._copy is None:
            raise StepError(f"step {step.name!r} wants the scanned tree, and none was shared")
        return self._copy.tree()

    def _command(self, step: Step, places: Places, executable: Path, folder: Path) -> Command:
        given = self._settings.environment if step.network else {}
        env = {k: v for k, v in given.items() if _NETWORK_NAMES.fullmatch(k)}
        env |= minimal_environment(executable, places.root)
        env |= {key: places.text(value) for key, value in step.env.items()}
        written = [places.path(each) for each in (*step.outputs, *step.optional_outputs)]
        return Command(
            argv=(str(executable), *(places.text(each) for each in step.argv)),
            cwd=places.workdir(step.workdir),
            env=env,
            log=folder / "log",
            stdout=_target(folder, step.stdout) if step.stdout else None,
            timeout_s=step.timeout_s,
            max_bytes=step.limits.output_mb << 20,
            max_log_bytes=step.limits.log_mb << 20,
            written=tuple(written),
        )


def _how_to_install(step: Step) -> str:
    if step.executable in embedded_executables():
        return "install it beside scanrun (`scanrun[local]` has it) or on PATH"
    own = "install it beside scanrun or on PATH"
    return f"use `--engine docker`, or {own}" if step.image else own


def _put_files(step: Step, places: Places) -> None:
    try:
        for path, content in step.files.items():
            place = places.path(path)
            place.write_bytes(content)
            if path in step.sealed:
                place.chmod(0o400)
        for path, target in step.links.items():
            places.path(path).symlink_to(places.text(target))
        for path, file in step.host_files.items():
            places.path(path).symlink_to(file.resolve(strict=True))
    except OSError as error:
        raise StepError(f"the step's own files can't be laid out: {error}") from error


def _fetch(
    step: Step, places: Places, folder: Path, command: Command, code: int
) -> dict[str, Path]:
    """Return the outputs, moved into `folder`.

    After an exit code that is not listed they may be missing: it says more than they would.
    """
    found = {}
    for path in (*step.outputs, *step.optional_outputs):
        target = _target(folder, path)
        if path != step.stdout and take(places, path, target):
            found[path] = target
    if step.stdout and command.stdout:
        found[step.stdout] = command.stdout
    missing = [path for path in step.outputs if path not in found]
    if missing and code in step.ok_exit_codes:
        raise StepError(f"it ended with exit code {code} and left no {missing[0]!r}")
    if sum(map(size_of, found.values())) >= command.max_bytes:
        raise StepError(f"wrote {command.max_bytes >> 20} MB or more, its output limit")
    for target in found.values():
        for file in (target, *target.rglob("*")) if target.is_dir() else (target,):
            places.restore(file)
    return found


def _target(folder: Path, path: str) -> Path:
    target = folder / "outputs" / path.strip("/")
    with suppress(FileExistsError):
        target.parent.mkdir(parents=True)
    return target


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)[:40]
