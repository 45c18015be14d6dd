"""One step, from its container's creation to its removal: read this after `session`."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from scanrun.api import STEP_LOG, DeadlineError, EngineLostError, Step, StepError, StepOutcome
from scanrun_plugins.engines.docker.capture import Capture
from scanrun_plugins.engines.docker.containers import Containers, unique_name, volume_mount
from scanrun_plugins.engines.docker.failures import LOST, engine_errors, last_lines
from scanrun_plugins.engines.docker.hardening import environment_of, hardened, not_enforced
from scanrun_plugins.engines.docker.layout import Layout, declared_outputs, layout_of, within
from scanrun_plugins.engines.docker.networks import NO_NAMES, NONE, Networks
from scanrun_plugins.engines.docker.once import Beside, check_cancelled
from scanrun_plugins.engines.docker.packing import UID, Packer
from scanrun_plugins.engines.docker.unpacking import Budget, unpack
from scanrun_plugins.engines.docker.volumes import Filled, SharedVolumes

_POLL_S = 0.2
_DRAIN_S = 30
"""How long what was printed may take to arrive after the container's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """One run of one step."""

    containers: Containers
    volumes: SharedVolumes
    joins: Networks
    step: Step
    name: str
    image: str
    share: Callable[[], Mapping[str, Filled]]
    """Returns folder in the container -> what is mounted there, read-only."""
    networks: Sequence[str]
    """All that it is in: names, or `none` alone."""
    beside: Mapping[str, str]
    """Host names of the services that it speaks to -> their numbers."""
    caller: Mapping[str, str]
    folder: Path
    cancel: threading.Event

    @property
    def log(self) -> Path:
        """Return where what it prints is written."""
        return self.folder / STEP_LOG

    def outcome(self) -> StepOutcome:
        """Run it, and leave nothing behind."""
        layout = layout_of(self.step)
        made: dict[str, str] = {}
        container = ""
        self.log.touch()
        sharing = Beside(self.share)
        try:
            if not layout.blank:
                self._fill(layout, made)
            shared = sharing.result()
            blanks = self.volumes.blanks(layout)
            if layout.blank and not blanks:
                self._fill(layout, made)
            container = self._create(layout, {**made, **blanks}, shared)
            started, state = self._run(container)
            ended = datetime.now(UTC)
            outputs = self._fetch(container, state["ExitCode"])
        except BaseException:
            # what it makes after the run's end would stay
            sharing.wait()
            self.containers.remove_all(container, made.values())
            raise
        self.containers.discard(container, made.values())
        return StepOutcome(
            exit_code=state["ExitCode"],
            outputs=outputs,
            log=self.log,
            started=started,
            ended=ended,
            oom_killed=bool(state.get("OOMKilled")),
            lost=tuple(note for filled in shared.values() for note in filled.notes),
        )

    def _fill(self, layout: Layout, made: dict[str, str]) -> None:
        """Make the step's own volumes, hand them to the scanner's user, and fill them."""
        if not layout.folders:
            return
        for folder in layout.folders:
            made[folder] = self.containers.volume(unique_name(self.name), scanner=self.name)
        shelf = self.containers.shelf(self.image, self._own(layout, made), scanner=self.name)
        try:
            for folder in layout.folders:
                self._put(shelf, folder, layout)
        finally:
            self.containers.remove(shelf)

    def _put(self, shelf: str, folder: str, layout: Layout) -> None:
        packer = self.containers.packer(folder)
        pieces = self._pieces(packer, folder, layout)
        self.containers.put(shelf, folder, pieces, self.cancel)
        if packer.notes:
            raise StepError(f"a file for {self.name!r} can't be used: {packer.notes[0]}")

    def _pieces(self, packer: Packer, folder: str, layout: Layout) -> Iterator[bytes]:
        yield from packer.folder("", 0o777)
        for inner in layout.inner:
            if within(inner, folder):
                yield from packer.folder(_below(inner, folder), 0o777)
        for name, content in self.step.files.items():
            if layout.holder(name) == folder:
                mode = 0o400 if name in self.step.sealed else 0o644
                yield from packer.content(_below(name, folder), content, mode)
        for name, target in self.step.links.items():
            if layout.holder(name) == folder:
                yield from packer.link(_below(name, folder), target)
        for name, source in self.step.host_files.items():
            if layout.holder(name) == folder:
                # named by the user, who may name a link
                real, at = source.resolve(), _below(name, folder)
                yield from packer.host_file(at, real.parent, real.name, 0o644)

    def _own(self, layout: Layout, made: Mapping[str, str]) -> list[dict[str, Any]]:
        return [
            volume_mount(volume, folder, read_only=False, copy=folder in layout.with_image_content)
            for folder, volume in made.items()
        ]

    def _create(self, layout: Layout, made: Mapping[str, str], shared: Mapping[str, Filled]) -> str:
        """Create the container, and see that it is hardened and that its files are there."""
        config = self._config(layout, made, shared)
        container = self.containers.create(config, scanner=self.name)
        try:
            self.joins.join(container, self.networks[1:])
            self._check(container, config, shared)
        except BaseException:
            self.containers.remove(container)
            raise
        return container

    def _config(
        self, layout: Layout, made: Mapping[str, str], shared: Mapping[str, Filled]
    ) -> dict[str, Any]:
        step = self.step
        mounts = [
            *self._own(layout, made),
            *(volume_mount(each.volume, at, read_only=True) for at, each in shared.items()),
        ]
        return {
            "Image": self.image,
            "User": f"{UID}:{UID}",
            "WorkingDir": step.workdir,
            "Env": environment_of(
                step.env, self.caller, network=step.network, beside=tuple(self.beside)
            ),
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": self._host(mounts),
            **({"Cmd": list(step.argv)} if step.argv else {}),
            **({"Entrypoint": list(step.entrypoint)} if step.entrypoint is not None else {}),
        }

    def _host(self, mounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        host = hardened(
            self.step.limits,
            network=self.networks[0],
            mounts=mounts,
            podman=self.containers.podman,
        )
        # not every engine resolves names in a network without a way out
        names = [f"{name}:{number}" for name, number in self.beside.items()]
        closed = {} if self.step.network else NO_NAMES
        return {**host, **closed, "ExtraHosts": names} if names else host

    def _check(
        self, container: str, config: Mapping[str, Any], shared: Mapping[str, Filled]
    ) -> None:
        dropped = not_enforced(
            config["HostConfig"],
            self.containers.inspect(container),
            networks=() if tuple(self.networks) == (NONE,) else self.networks,
        )
        if dropped:
            raise StepError(
                f"the engine does not enforce: {', '.join(dropped)}",
                hint="see `scanrun doctor`; rootless engines need cgroup v2 with delegation",
            )
        for at, filled in shared.items():
            if not self.volumes.arrived(container, filled, at):
                raise EngineLostError(f"the files for {at!r} are not on the engine", hint=LOST)

    def _run(self, container: str) -> tuple[datetime, dict[str, Any]]:
        capture = self._attach(container)
        started = datetime.now(UTC)
        with engine_errors(f"starting {self.name!r}"):
            self.containers.api.start(container)
        waiting = _Waiting(self.containers, container)
        waiting.start()
        try:
            self._watch(container, waiting, capture)
        finally:
            capture.join(_DRAIN_S)
        self._check_capture(capture)
        state = self.containers.inspect(container)["State"]
        if state["Status"] not in ("exited", "stopped", "dead"):
            raise EngineLostError(f"{self.name!r} is said to have ended, but has not", hint=LOST)
        return started, state

    def _attach(self, container: str) -> Capture:
        """Listen before the start, so that not a byte is missed."""
        with engine_errors(f"listening to {self.name!r}"):
            source = self.containers.api.attach_socket(
                container, params={"stdout": 1, "stderr": 1, "stream": 1}
            )
        printed = self._place(self.step.stdout) if self.step.stdout else None
        if printed is not None:
            printed.parent.mkdir(parents=True, exist_ok=True)
        capture = Capture(source, self.log, printed, self.step.limits)
        capture.start()
        return capture

    def _watch(self, container: str, waiting: "_Waiting", capture: Capture) -> None:
        """Return when the container has ended by itself; else kill it and say why."""
        deadline = time.monotonic() + self.step.timeout_s
        while not waiting.ended.wait(_POLL_S):
            if self.cancel.is_set():
                self.containers.kill(container)
                check_cancelled(self.cancel)
            if capture.overflow.is_set():
                self.containers.kill(container)
                break
            late = time.monotonic() - deadline
            if late > 0 and self.containers.kill(container):
                raise DeadlineError(
                    f"{self.name!r} was stopped: it ran longer than {self.step.timeout_s:g} s",
                    hint="raise its `timeout`, or exclude what takes it so long",
                )
            if late > _DRAIN_S:
                raise EngineLostError(f"the engine does not say how {self.name!r} ended", hint=LOST)
        if waiting.error is not None:
            with engine_errors(f"waiting for {self.name!r}"):
                raise waiting.error

    def _check_capture(self, capture: Capture) -> None:
        if capture.is_alive():
            raise EngineLostError(f"what {self.name!r} printed did not arrive", hint=LOST)
        if capture.overflow.is_set():
            raise StepError(f"{self.name!r} printed more than {capture.allowed_mb} MB")
        if capture.error is not None:
            raise StepError(
                f"what {self.name!r} printed is lost: {capture.error}"
            ) from capture.error

    def _fetch(self, container: str, exit_code: int) -> dict[str, Path]:
        """Fetch the outputs. One that is missing is an error, unless the exit code says why."""
        budget = Budget(self.step.limits.output_mb)
        outputs: dict[str, Path] = {}
        if self.step.stdout:
            outputs[self.step.stdout] = self._place(self.step.stdout)
            budget.take(outputs[self.step.stdout].stat().st_size, "what it printed")
        for output in declared_outputs(self.step):
            if self._fetch_one(container, output, budget):
                outputs[output] = self._place(output)
            elif output in self.step.outputs and exit_code in self.step.ok_exit_codes:
                raise StepError(
                    self._missing(output, exit_code),
                    hint="see its log; is the engine's disk full, or `image` not its usual one?",
                )
        return outputs

    def _fetch_one(self, container: str, output: str, budget: Budget) -> bool:
        place = self._place(output)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self.containers.archive(container, output) as chunks:
            if chunks is not None:
                unpack(chunks, output, place, budget)
            return chunks is not None

    def _missing(self, output: str, exit_code: int) -> str:
        words = last_lines(self.log)
        said = f"; it said: {words}" if words else ", and nothing in its log"
        return f"{self.name!r} ended with {exit_code} and left no {output!r}{said}"

    def _place(self, output: str) -> Path:
        """Return where an output is written. Declared by the scanner; `layout_of` has checked."""
        return self.folder / "outputs" / output.strip("/")


class _Waiting(threading.Thread):
    """Waits for a container's end, so that the other thread can look at clock and `cancel`."""

    def __init__(self, containers: Containers, container: str) -> None:
        super().__init__(name="wait", daemon=True)
        self.ended = threading.Event()
        self.error: Exception | None = None
        self._api = containers.api
        self._container = container

    def run(self) -> None:
        try:
            self._api.wait(self._container, timeout=None)
        except Exception as error:  # noqa: BLE001 - raised again on the thread that watches
            self.error = error
        finally:
            self.ended.set()


def _below(path: str, folder: str) -> str:
    return str(PurePosixPath(path).relative_to(folder))
