"""What does an error of the engine mean for the scan?"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import urllib3
from docker.errors import APIError, DockerException

from scanrun.api import EngineLostError, StepError

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TELLING = re.compile(r"(?i)\b(?:error|exception|fatal|failed|exited|denied|unable)\b")
"""What says more of an end than the words of farewell after it."""
_TAIL_BYTES = 8192
_WIDTH = 2000
"""Of a line in a message; it is cut to size where its secrets are masked."""
LOST = "see whether the engine is still running, then start the scan again"
INIT = "install `catatonit`, Podman's init process, where the engine is"

TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)
"""What the SDK raises when the engine does not answer, or breaks off."""


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn the SDK's errors into ours: a refusal costs the step, a silence is a lost engine.

    Raises:
        StepError: the engine said no.
        EngineLostError: it did not answer.
    """
    try:
        yield
    except APIError as error:
        words = explanation(error)
        hint = INIT if "container-init binary not found" in words else ""
        raise StepError(f"{doing}: the engine refused: {words}", hint=hint) from error
    except (*TRANSPORT_ERRORS, DockerException) as error:
        raise EngineLostError(
            f"{doing}: the engine does not answer: {plain(str(error))}", hint=LOST
        ) from error


@contextmanager
def sensible(doing: str) -> Iterator[None]:
    """Turn an answer of another shape than the API's into a lost engine, not into a bug.

    Raises:
        EngineLostError: the engine answered nonsense.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__}: {plain(str(error))}"
        raise EngineLostError(
            f"{doing}: the engine's answer makes no sense ({what})", hint=LOST
        ) from error


def explanation(error: APIError) -> str:
    """Return the engine's own words."""
    return plain(str(error.explanation or error))


def plain(text: str) -> str:
    """Return `text` as one line that a terminal shows as it stands, without control characters."""
    return " ".join(_CONTROLS.sub("", _ESCAPES.sub("", text)).split())


def last_lines(log: Path, count: int = 5) -> str:
    """Return the end of a log as one line, for a message; empty if it says nothing."""
    with log.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _TAIL_BYTES))
        tail = stream.read().decode("utf-8", "replace")
    lines = [line for line in map(plain, tail.splitlines()) if line]
    return " | ".join(line[:300] for line in lines[-count:])


def telling_line(printed: bytes) -> str:
    """Return the last line that tells of an error, else the last one; empty if there is none."""
    lines = [each for each in map(plain, printed.decode("utf-8", "replace").splitlines()) if each]
    telling = [each for each in lines if _TELLING.search(each)] or lines
    return telling[-1][:_WIDTH] if telling else ""
