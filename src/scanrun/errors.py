"""Which ways a run can go wrong, and what each means for the exit code."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the shell sees. Findings win over incompleteness."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    BUG = 4
    INTERRUPTED = 130


class ScanrunError(Exception):
    """Something a user can understand and mend; anything else is a bug and crashes.

    The message says what broke, in lower case and without a full stop; `hint` says what to try.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ScanrunError):
    """The command line asks for something that can't be done."""


class ConfigError(ScanrunError):
    """A configuration file, or a value in it, can't be used."""


class PluginError(ScanrunError):
    """A plugin can't be loaded, or two claim one name."""


class EngineError(ScanrunError):
    """There is no engine to begin with, or it refuses what hardening needs."""


class OutputError(ScanrunError):
    """The run's own files can't be written, so no verdict could be left behind."""


class LostResultsError(OutputError):
    """The scanners ran, and what they found can't be written."""

    exit_code = ExitCode.INCOMPLETE


class ScanError(ScanrunError):
    """One scanner did not complete; the others' results are kept."""

    exit_code = ExitCode.INCOMPLETE


class MissingToolError(ScanError):
    """The image is not there and can't be pulled, or the executable is not installed."""


class StepError(ScanError):
    """A step ended in a way that its scanner does not list as an answer."""


class DeadlineError(StepError):
    """A step was killed because its time was over."""


class NotReadyError(ScanError):
    """A service is not ready yet, and this is what it answers so far."""


class EngineLostError(ScanError):
    """The engine went away or answered nonsense in the middle of a step."""


class ConversionError(ScanError):
    """A report is missing, unreadable, cut off or another tool's. Never "no findings"."""


class CacheError(ScanError):
    """A database can't be had, read or trusted."""


class InterruptedRunError(ScanrunError):
    """The user, or the CI system, asked the run to stop."""

    exit_code = ExitCode.INTERRUPTED
