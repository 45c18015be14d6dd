"""Python that a scanner of Python passes over without a word: it goes by the suffix alone."""

import os
import re
import stat
from collections.abc import Iterator

from scanrun.api import Notification, Snapshot, SnapshotFile

_OTHER = ("*.PY", "*.Py", "*.pyi", "*.pyw", "*.ipynb")
_SHEBANG = re.compile(rb"#!\s*\S+/(?:env\s+(?:-\S+\s+)*)?python")
_NAMED = 5


def not_read(snapshot: Snapshot, patterns: tuple[str, ...]) -> Iterator[Notification]:
    """Say which Python files fit none of the `patterns` that the scanner looks for."""
    read = {file.path for file in snapshot.match(*patterns)}
    other = {file.path for file in snapshot.match(*_OTHER)} - read
    scripts = {file.path for file in snapshot.files if _is_script(snapshot, file)}
    if paths := sorted(other | (scripts - read)):
        named = ", ".join(paths[:_NAMED]) + (", …" if len(paths) > _NAMED else "")
        plural = "" if len(paths) == 1 else "s"
        yield Notification(f"not scanned, for their names: {len(paths)} file{plural} ({named})")


def _is_script(snapshot: Snapshot, file: SnapshotFile) -> bool:
    """Say whether a file without a suffix is run by Python."""
    if "." in file.name.lstrip("."):
        return False
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(snapshot.root / file.path, flags)
    except OSError:
        return False  # it was read when the copy was made, or the run has ended already
    with os.fdopen(descriptor, "rb") as stream:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return regular and bool(_SHEBANG.match(stream.read(128)))
