"""How one waits for a server without being deaf to the user."""

import time
from collections.abc import Callable, Iterator

from scanrun.api import InterruptedRunError

Cancelled = Callable[[], bool]
Say = Callable[[str], None]

_TICK_S = 0.2


def never() -> bool:
    """Say that nobody has asked to stop."""
    return False


def silent(text: str) -> None:
    """Tell nobody."""


def wait(seconds: float, cancelled: Cancelled) -> None:
    """Wait.

    Raises:
        InterruptedRunError: the user asked to stop.
    """
    until = time.monotonic() + seconds
    while True:
        if cancelled():
            raise InterruptedRunError("it was waiting for the SonarQube server")
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _TICK_S))


def pauses(
    deadline_s: float, *, first: float, longest: float, factor: float = 1.6
) -> Iterator[float]:
    """Yield ever longer pauses, until `deadline_s` seconds from now have gone by."""
    until = time.monotonic() + deadline_s
    pause = first
    while time.monotonic() + pause <= until:
        yield pause
        pause = min(pause * factor, longest)
