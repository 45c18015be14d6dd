"""Whether scanners could find anything at all today: an ordinary run on canaries alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from scanrun.config import Settings
from scanrun.context import Progress
from scanrun.contracts import Scanner
from scanrun.model import ScanResult
from scanrun.pipeline import Watcher, run
from scanrun.plugins import Plugins
from scanrun.request import Request


def prove(
    request: Request,
    plugins: Plugins,
    scanners: Mapping[str, Scanner],
    see: Callable[[Progress], None],
) -> tuple[ScanResult, ...]:
    """Return how each scanner ends in a folder in which there is nothing but its canary.

    All else is as in a run on the request's tree: configuration, engines, databases, evidence.

    Raises:
        ScanrunError: there is no engine to begin with.
    """
    with TemporaryDirectory(prefix="scanrun-prove-") as name:
        loaded = replace(request.loaded, settings=_settings(request.settings))
        alone = replace(request, path=Path(name), loaded=loaded, image=None, prove=True)
        return run(alone, plugins, scanners, Watcher(lambda _: None, see)).scanners


def _settings(settings: Settings) -> Settings:
    """Return the settings with what is written kept inside the folder, and thrown away with it."""
    output = settings.output.model_copy(update={"dir": ".scanrun", "raw": "never"})
    report = settings.report.model_copy(update={"formats": ()})
    return settings.model_copy(update={"output": output, "report": report})
