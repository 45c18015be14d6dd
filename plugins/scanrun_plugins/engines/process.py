"""How one program is run and, whatever it does, ended: with all that it started."""

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from scanrun.api import DeadlineError, InterruptedRunError, StepError

GRACE_S = 2.0
"""Between the signal that asks and the one that kills."""
_TICK_S = 0.2
_GONE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program, and what it is held to."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    log: Path
    stdout: Path | None = None
    """None: it goes to the log, as stderr does."""
    timeout_s: float
    max_bytes: int
    """Of all that it prints, and of all `written`."""
    max_log_bytes: int = 1 << 26
    """Of the log alone."""
    written: tuple[Path, ...] = ()
    """Files and folders that it writes, to be watched."""


def run_command(command: Command, stopped: Callable[[], bool] = lambda: False) -> int:
    """Run it and return its exit code, negative for a signal. Nothing of its group is left.

    Both streams go to files: a pipe would be held open by whatever the program leaves behind.

    Raises:
        DeadlineError: its time was over.
        InterruptedRunError: `stopped` said so.
        StepError: it can't be started, or wrote more than it may.
    """
    process = _start(command)
    try:
        return _wait(process, command, stopped)
    finally:
        _end_group(process)


def _start(command: Command) -> subprocess.Popen[bytes]:
    with ExitStack() as stack:
        log = stack.enter_context(command.log.open("wb"))
        stdout = stack.enter_context(command.stdout.open("wb")) if command.stdout else log
        try:
            process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=dict(command.env),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                start_new_session=True,
                umask=0o077,
            )
        except (OSError, ValueError) as error:
            raise StepError(f"{command.argv[0]!r} can't be started: {error}") from error
    _limit(process.pid, command.max_bytes)
    return process


def _limit(pid: int, max_bytes: int) -> None:
    """Bound a single file and forbid core dumps, where the system can (Linux).

    Address space and processor time stay unbounded: under such limits scanners were seen to
    report nothing, or to hang for ever, instead of failing.
    """
    prlimit = getattr(resource, "prlimit", None)
    if prlimit is None:
        return
    with suppress(ProcessLookupError, PermissionError, ValueError):
        prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        prlimit(pid, resource.RLIMIT_FSIZE, (max_bytes, max_bytes))


def _wait(process: subprocess.Popen[bytes], command: Command, stopped: Callable[[], bool]) -> int:
    deadline = time.monotonic() + command.timeout_s
    while not _ended(process, min(_TICK_S, max(0.0, deadline - time.monotonic()))):
        if stopped():
            raise InterruptedRunError("interrupted")
        _check_size(command)
        if time.monotonic() >= deadline:
            raise DeadlineError(
                f"killed after {command.timeout_s:g} s, its time limit",
                hint="raise its `timeout`, or exclude what it need not scan",
            )
    # before the leader is reaped, its process group can't be anybody else's
    _signal(process, signal.SIGKILL)
    code = process.wait()
    _await_group(process.pid)
    _check_size(command)
    return code


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Wait for the end without reaping, so that the group's number stays taken."""
    if not hasattr(os, "waitid"):  # macOS, before Python 3.13
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
        return process.returncode is not None
    until = time.monotonic() + timeout_s
    pause = threading.Event()
    delay = 0.002
    while True:
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        if os.waitid(os.P_PID, process.pid, options) is not None:
            return True
        left = until - time.monotonic()
        if left <= 0:
            return False
        pause.wait(min(delay, left))
        delay = min(delay * 2, 0.05)


def _check_size(command: Command) -> None:
    if size_of(command.log) > command.max_log_bytes:
        raise StepError(f"printed more than {command.max_log_bytes >> 20} MB")
    paths = [command.log, *command.written, *([command.stdout] if command.stdout else [])]
    if sum(size_of(path) for path in paths) >= command.max_bytes:
        raise StepError(
            f"wrote {command.max_bytes >> 20} MB or more, its output limit",
            hint="exclude what it need not scan",
        )


def size_of(path: Path) -> int:
    """Return the bytes in a file, or in all files below a folder; links are not followed."""
    try:
        total = path.lstat().st_size
    except OSError:
        return 0
    if path.is_symlink() or not path.is_dir():
        return total
    for parent, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - hot loop
    return total


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask, then kill. Also what ignores the first signal, or outlives its parent."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    _ended(process, GRACE_S)
    _signal(process, signal.SIGKILL)
    process.wait()
    _await_group(process.pid)


def _await_group(group: int) -> None:
    """Wait until what was killed is gone, so that nothing writes to the outputs any more.

    Only for a moment: where nobody reaps orphans (process 1 of a container), zombies stay.
    """
    until = time.monotonic() + _GONE_S
    pause = threading.Event()
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < until:
            os.killpg(group, 0)
            pause.wait(0.005)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # EPERM is what macOS says when all that is left of the group are zombies
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
