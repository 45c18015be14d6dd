"""How a CI file calls scanrun: the command lines, in words that need no quoting anywhere.

What comes from a configuration ends up in YAML, in Groovy and in a shell at once. Rather than
quote it thrice, `Invocation` takes only what means itself in all of them.
"""

import re
from dataclasses import dataclass
from posixpath import normpath

from scanrun.errors import ConfigError
from scanrun.model import Severity

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+!-]*")
_PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*")
_OUTPUT = ".scanrun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What an emitter needs to know of the configuration at hand.

    Raises:
        ConfigError: a value would have to be quoted, or leaves the tree.
    """

    fail_on: Severity | None = Severity.HIGH
    fail_on_configured: bool = False
    """The configuration says it, and will be asked: a flag would hide what it says later."""
    config: str = ""
    """Configuration file, from the root of the tree; empty: the one that is found there."""
    output: str = _OUTPUT
    formats: tuple[str, ...] = ("junit",)
    scanners: tuple[str, ...] = ()
    """Those asked for by name; empty: `scanrun all`."""
    engine: str = "auto"
    version: str = ""
    """Of scanrun, to be installed."""

    def __post_init__(self) -> None:
        for word in (*self.formats, *self.scanners, self.engine, self.version or "0"):
            if not _WORD.fullmatch(word):
                raise ConfigError(f"{word!r} can't stand in a CI file")
        _check_path("output folder", self.output)
        if self.config:
            _check_path("configuration file", self.config)

    @property
    def requirement(self) -> str:
        """Return what pip installs: this very version, with the scanners that need no image."""
        return f"scanrun[local]{self._pin}"

    @property
    def gate_requirement(self) -> str:
        """Return what pip installs where nothing is scanned."""
        return f"scanrun{self._pin}"

    @property
    def command(self) -> str:
        """Return the one line that scans and gates."""
        return " ".join((*self._scan, *self._threshold, *self._options))

    @property
    def scan_command(self) -> str:
        """Return the line that scans and leaves findings to `gate_command`.

        It still ends with 3 when the scan is incomplete.
        """
        return " ".join((*self._scan, "--fail-on", "never", *self._options))

    @property
    def gate_command(self) -> str:
        """Return the line that judges what `scan_command` has left."""
        words = ("scanrun", "gate", self.path("results.sarif"), *self._threshold, *self._config)
        return " ".join(words)

    @property
    def needs_engine(self) -> bool:
        """Say whether containers are run."""
        return self.engine != "local"

    def path(self, name: str) -> str:
        """Return the path of one of the run's files, from the root of the tree."""
        return f"{normpath(self.output)}/{name}"

    def files(self) -> tuple[str, ...]:
        """Return what is worth keeping. Not `raw`: scanners' own reports may hold secrets."""
        junit = ("junit.xml",) if "junit" in self.formats else ()
        return ("results.sarif", "verdict.json", *junit)

    @property
    def _pin(self) -> str:
        return f"=={self.version}" if self.version else ""

    @property
    def _scan(self) -> tuple[str, ...]:
        return ("scanrun", *(("scan", ",".join(self.scanners)) if self.scanners else ("all",)))

    @property
    def _threshold(self) -> tuple[str, ...]:
        if self.fail_on_configured:
            return ()
        return "--fail-on", self.fail_on.value if self.fail_on else "never"

    @property
    def _config(self) -> tuple[str, ...]:
        return ("--config", normpath(self.config)) if self.config else ()

    @property
    def _options(self) -> tuple[str, ...]:
        output = normpath(self.output)
        return (
            *(("--engine", self.engine) if self.engine != "auto" else ()),
            *self._config,
            *(("--output", output) if output != _OUTPUT else ()),
        )


def _check_path(what: str, path: str) -> None:
    outside = normpath(path).split("/")[0] in {"..", "."}
    if outside or not _PATH.fullmatch(path):
        raise ConfigError(
            f"{what} {path!r} can't stand in a CI file",
            hint="use a path inside the tree, of letters, digits, '.', '_' and '-'",
        )
