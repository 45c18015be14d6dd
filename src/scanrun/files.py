"""How files are put in place: whole or not at all, and never through a link."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from scanrun.errors import OutputError


@contextmanager
def written(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on leaving without an error it takes its place.

    Raises:
        OutputError: it can't be written; `path` is as it was.
    """
    stream = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".tmp-", delete=False) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(stream.name).chmod(mode)
        Path(stream.name).replace(path)
    except OSError as error:
        raise OutputError(
            f"can't write {str(path)!r}: {error.strerror or error}",
            hint="make room or choose another folder with --output",
        ) from error
    finally:
        if stream is not None:
            Path(stream.name).unlink(missing_ok=True)
