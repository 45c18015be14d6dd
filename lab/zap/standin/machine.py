"""What the container gives ZAP: memory, processes, a home. Too little ends it as measured."""

import os
import pwd
import re
import time
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MB = 1 << 20
_ENOUGH_MB = 200
_SHELL_MB = 512
"""Up to this, zap.sh leaves the heap to the JVM, which takes a quarter."""
_ENOUGH_TASKS = 40
NO_JAVA = "Exiting: ZAP requires a minimum of Java 17 to run, found "


def limit_mb() -> int | None:
    """Return the container's memory; None where it has no limit."""
    for name in ("memory/memory.limit_in_bytes", "memory.max"):
        if (found := _number(_CGROUP / name)) is not None and found < 1 << 50:
            return found // _MB
    return None


def heap_mb(options: list[str]) -> tuple[int, list[str]]:
    """Return the heap's size, and the lines that zap.sh prints of it."""
    limit = limit_mb() if (_CGROUP / "memory/memory.stat").exists() else None
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    available = min(limit or host, host)
    told = [f"Available memory: {available} MB"]
    for option in options:
        if given := re.fullmatch(r"-Xmx(\d+)([mMgG])", option):
            size = int(given[1]) * (1024 if given[2] in "gG" else 1)
            return size, [*told, f"Using JVM args: {option}"]
    if available > _SHELL_MB:
        told.append(f"Using JVM args: -Xmx{available // 4}m")
    return available // 4, told


def use_up() -> None:
    """Take memory until the kernel ends this process, where there is too little for a JVM."""
    limit = limit_mb()
    if limit is None or limit > _ENOUGH_MB:
        return
    taken = []
    for _ in range(limit // 8 + 16):
        taken.append(bytearray(b"\1" * (8 * _MB)))
        time.sleep(0.01)


def has_tasks() -> bool:
    """Say whether there may be as many processes and threads as a JVM needs."""
    found = _number(_CGROUP / "pids/pids.max") or _number(_CGROUP / "pids.max")
    return found is None or found >= _ENOUGH_TASKS


def has_home(options: list[str]) -> bool:
    """Make ZAP's own folder, and say whether it can be written to."""
    if "-dir" in options:
        home = Path(options[options.index("-dir") + 1])
    else:
        # Java asks for the user's entry, whatever HOME says
        try:
            home = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ZAP"
        except KeyError:
            home = Path("/?/.ZAP")
    try:
        for folder in ("session", "dirbuster", "fuzzers", "plugin"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        (home / "config.xml").write_text("<config/>\n")
    except OSError:
        return False
    return True


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
