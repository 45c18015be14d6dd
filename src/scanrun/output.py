"""Where a run leaves its files: the folder `.scanrun`, one run at a time.

A killed run must not leave an old "passed" behind: the verdict becomes "incomplete" before
anything else happens, what an earlier run left is removed, and the real verdict is written last.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from scanrun.errors import OutputError
from scanrun.files import written
from scanrun.sarif.codec import dumps

VERDICT = "verdict.json"
LOG = "results.sarif"
_LOCK = "lock"
_IGNORE_ALL = "# written by scanrun: nothing here belongs into version control\n*\n"


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """The folder of one run, held by it alone."""

    path: Path

    def write_verdict(self, verdict: Mapping[str, Any]) -> None:
        """Write verdict.json."""
        with written(self.path / VERDICT) as stream:
            stream.write(msgspec.json.format(dumps(verdict), indent=2) + b"\n")

    @property
    def logs(self) -> Path:
        """Return the folder of the scanners' logs."""
        return self.path / "logs"

    @property
    def raw(self) -> Path:
        """Return the folder of the scanners' own reports."""
        return self.path / "raw"


@contextmanager
def opened(
    path: Path, running: Mapping[str, Any], *, reports: Iterable[str] = ()
) -> Iterator[OutputFolder]:
    """Take the folder for one run, and leave `running` as its verdict until there is one.

    `reports` are the names of files that an earlier run may have left; nothing else is removed.

    Raises:
        OutputError: it is a link, is in use by another run, or can't be written.
    """
    try:
        if path.is_symlink():
            raise OutputError(
                f"output folder {str(path)!r} is a link",
                hint="remove it, or choose another folder with --output",
            )
        ours = not path.exists() or (path / _LOCK).exists() or not any(path.iterdir())
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / _LOCK, blocking=False):
            folder = OutputFolder(path)
            folder.write_verdict(running)
            _clear(path, (LOG, *reports))
            if ours:
                (path / ".gitignore").write_text(_IGNORE_ALL)
            yield folder
    except Timeout as error:
        raise OutputError(
            f"another run is writing to {str(path)!r}",
            hint="wait for it, or choose another folder with --output",
        ) from error
    except OSError as error:
        raise OutputError(
            f"can't use {str(path)!r}: {error.strerror or error}",
            hint="mend its permissions, or choose another folder with --output",
        ) from error


def _clear(path: Path, files: Iterable[str]) -> None:
    """Remove what an earlier run left."""
    for name in files:
        (path / name).unlink(missing_ok=True)
    for left in path.glob(".tmp-*"):
        left.unlink()
    for name in ("logs", "raw"):
        if (path / name).is_symlink():
            (path / name).unlink()
        elif (path / name).exists():
            shutil.rmtree(path / name)
    (path / "logs").mkdir()
