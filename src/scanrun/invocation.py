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
_FOLDER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*")
_OUTPUT = ".scanrun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What an emitter needs to know of the configuration at hand.

    Raises:
        ConfigError: a value would have to be quoted, or leaves the tree.
    """

    fail_on: Severity | None = Severity.HIGH
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
        outside = normpath(self.output).split("/")[0] in {"..", "."}
        if outside or not _FOLDER.fullmatch(self.output):
            raise ConfigError(
                f"output folder {self.output!r} can't stand in a CI file",
                hint="use a folder inside the tree, of letters, digits, '.', '_' and '-'",
            )

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
        return self._scan(self._threshold)

    @property
    def scan_command(self) -> str:
        """Return the line that scans and leaves findings to `gate_command`.

        It still ends with 3 when the scan is incomplete.
        """
        return self._scan("never")

    @property
    def gate_command(self) -> str:
        """Return the line that judges what `scan_command` has left."""
        return f"scanrun gate {self.path('results.sarif')} --fail-on {self._threshold}"

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
    def _threshold(self) -> str:
        return self.fail_on.value if self.fail_on else "never"

    def _scan(self, threshold: str) -> str:
        words = ["scanrun", *(("scan", ",".join(self.scanners)) if self.scanners else ("all",))]
        words += ["--fail-on", threshold]
        if self.engine != "auto":
            words += ["--engine", self.engine]
        if normpath(self.output) != _OUTPUT:
            words += ["--output", normpath(self.output)]
        return " ".join(words)
