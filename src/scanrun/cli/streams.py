"""What becomes of a command's words where nobody reads them any more (`| head`)."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any


@contextmanager
def unread(stream: IO[Any]) -> Iterator[None]:
    """Go on when `stream` has lost its reader: what a run came to does not hang on who looks.

    On stderr no other error counts either. A document that a full disk cuts off on stdout is one.
    """
    try:
        yield
    except OSError as error:
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            raise
        silence(stream)


def silence(stream: IO[Any]) -> None:
    """Let `stream` lead nowhere, with what is still in its buffer.

    Python writes that at exit, and would end with a code of its own if it could not.
    """
    with suppress(OSError, ValueError):  # closed, or none of the system's
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
