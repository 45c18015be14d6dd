"""Where a run keeps what nobody is to see: a folder of its own that dies with it.

The folder is locked for as long as its run lives, so the next run can tell what is left of a
killed one without asking for process numbers.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scanrun.errors import OutputError

_PREFIX = "scanrun-"
_OWNER = "owner"


@contextmanager
def scratch_folder(run_id: str) -> Iterator[Path]:
    """Make a folder below the system's temporary one (mode 0700); remove it on the way out.

    Raises:
        OutputError: it can't be made.
    """
    try:
        _reap(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{run_id}-"))
        owner = _locked(folder)
    except OSError as error:
        raise OutputError(
            f"no scratch folder can be made: {error.strerror or error}",
            hint="make room in the temporary folder, or name another in TMPDIR",
        ) from error
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(owner)


def _locked(folder: Path) -> int:
    """Return the lock of a new folder, which is removed again where it can't be had."""
    try:
        owner = os.open(folder / "new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(owner, fcntl.LOCK_EX)
        # named only once it is locked: another run must not find it free in between
        (folder / "new").rename(folder / _OWNER)
    except OSError:
        _remove(folder)
        raise
    return owner


def _reap(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            owner = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
            finally:
                os.close(owner)


def _remove(folder: Path) -> None:
    """Remove the tree, also folders that a tool made unwritable."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for parent, _, _ in os.walk(folder):
            with suppress(OSError):
                Path(parent).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
