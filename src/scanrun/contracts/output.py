"""What writes files for others to read, and what sees a run as it goes."""

from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any, Protocol, runtime_checkable

from scanrun.invocation import Invocation
from scanrun.model import (
    Verdict,
)
from scanrun.sarif.view import Finding


@runtime_checkable
class Reporter(Protocol):
    """Writes findings in one more format."""

    name: str
    filename: str
    """Name of the file in the output folder."""

    def write(self, stream: IO[bytes], findings: Iterator[Finding], verdict: Verdict) -> None:
        """Write the whole report. The caller puts it in place, whole or not at all."""
        ...


@runtime_checkable
class CIEmitter(Protocol):
    """Writes the file with which a CI system calls scanrun."""

    name: str
    filename: str

    def emit(self, invocation: Invocation) -> str:
        """Return the whole, valid file, made of the invocation's own command lines."""
        ...


class Observer(Protocol):
    """Sees a run as it goes. Called on the main thread only."""

    def started(self, plan: Any) -> None:  # noqa: ANN401 - ScanPlan, which imports this module
        """See the plan."""
        ...

    def progress(self, scanner: str, text: str, at: datetime) -> None:
        """See that a scanner has come to something new."""
        ...

    def finished(self, result: Any) -> None:  # noqa: ANN401 - as above
        """See how a scanner ended."""
        ...
