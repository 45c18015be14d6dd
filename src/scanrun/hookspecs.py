"""Every hook there is.

*Register* hooks return plugins; *observe* hooks return nothing and can change nothing. No hook
is `firstresult`: a plugin can't silently take another's place.
"""

import pluggy

from scanrun.contracts import CIEmitter, Engine, Reporter, Scanner
from scanrun.model import ScanResult, Verdict

hookspec = pluggy.HookspecMarker("scanrun")


@hookspec
def scanrun_register_scanners() -> list[Scanner]:
    """Return scanners. Called once, before the configuration is read."""
    raise NotImplementedError


@hookspec
def scanrun_register_reporters() -> list[Reporter]:
    """Return report writers. Called once."""
    raise NotImplementedError


@hookspec
def scanrun_register_ci_emitters() -> list[CIEmitter]:
    """Return emitters of CI files. Called once."""
    raise NotImplementedError


@hookspec
def scanrun_register_engines() -> list[Engine]:
    """Return engines. Called once."""
    raise NotImplementedError


@hookspec
def scanrun_run_started(plan: object) -> None:
    """See the plan, before the first step starts."""


@hookspec
def scanrun_scan_finished(result: ScanResult) -> None:
    """See how one scanner ended, as soon as it has."""


@hookspec
def scanrun_run_finished(verdict: Verdict) -> None:
    """See the verdict, before it is written."""
