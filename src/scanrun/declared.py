"""Any tool that writes SARIF, declared as data in `[scanner.NAME]`: no plugin is needed for it."""

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scanrun.config.models import ScannerSettings
from scanrun.config.values import Count, Flag, Text
from scanrun.model import Applies, Canary, Category, Notification, Outputs, Sign, Step, Target
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.read import read_sarif

_FILE = Annotated[Text, Field(pattern=r"^[\w.+-]+(/[\w.+-]+)*$")]
_CODES = Annotated[Count, Field(ge=0, le=255)]
_EXAMPLES = {"output": "/out/report.sarif", "source": "/src"}


class DeclaredOptions(BaseModel):
    """The keys of a declared scanner, besides those that every scanner has."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    command: Annotated[Text, Field(pattern=r"^[\w][\w.+-]*$")] | None = None
    """Name of the program, where it runs on this host: no path, no arguments."""
    files: tuple[Text, ...] = ()
    """Globs: it applies where a file fits one of them. Without any: to every file."""
    output: Text = "/out/report.sarif"
    """Where it writes its SARIF log, as its container sees it."""
    stdout: Flag = False
    """It prints the log instead of writing it."""
    ok_exit_codes: tuple[_CODES, ...] = (0,)
    """Exit codes that are an answer; any other is a failure."""
    network: Flag = False
    """It needs the network."""
    category: Category = Category.SAST
    """What kind of thing it looks at."""
    source: Text = "/src"
    """Where the scanned tree lies, as its container sees it. It runs there."""
    canary: Mapping[_FILE, str] = Field(default_factory=dict)
    """File name = content of small files in which it must find something."""
    canary_rule: Text | None = None
    """Id of the rule under which it must find it."""
    signs: tuple[Text, ...] = ()
    """Regular expressions: a line of its log that fits one makes the scan incomplete."""

    @model_validator(mode="after")
    def _places(self) -> Self:
        for key, example in _EXAMPLES.items():
            path = getattr(self, key)
            shallow = path.count("/") < example.count("/") or path == "/"
            if not path.startswith("/") or normpath(path) != path or shallow:
                raise ValueError(f"{key} must be an absolute path such as {example!r}")
        if f"{self.output}/".startswith(f"{self.source}/"):
            raise ValueError("output must not lie in source, which is read-only")
        if not self.ok_exit_codes:
            raise ValueError("ok_exit_codes must list one at least")
        return self

    @model_validator(mode="after")
    def _proofs(self) -> Self:
        if bool(self.canary) != bool(self.canary_rule):
            raise ValueError("canary and canary_rule are of use only together")
        if any(part in {".", ".."} for name in self.canary for part in name.split("/")):
            raise ValueError("a file of the canary leaves its folder")
        for pattern in self.signs:
            try:
                re.compile(pattern.encode())
            except re.error as error:
                raise ValueError(f"signs: {pattern!r} is no regular expression: {error}") from error
        return self


def declared_scanner(name: str, settings: ScannerSettings) -> "DeclaredScanner":
    """Return the scanner that a table makes, with the proofs that the table gives."""
    kind = ProvenScanner if settings.options.get("canary") else DeclaredScanner
    return kind(name, settings)


class DeclaredScanner:
    """A scanner made of its table."""

    def __init__(self, name: str, settings: ScannerSettings) -> None:
        self.name = name
        self._image = settings.image or ""
        self._options = DeclaredOptions.model_validate(settings.options)
        self.category = self._options.category
        self.signs = tuple(
            Sign(pattern, f"its log has a line that fits {pattern!r}")
            for pattern in self._options.signs
        )

    def applies(self, target: Target) -> Applies:
        """Apply where its files are."""
        patterns = self._options.files
        return Applies.to(target.match(*patterns) if patterns else target.files)

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return the one command, run in the scanned tree."""
        options = self._options
        return (
            Step(
                image=self._image,
                executable=options.command or "",
                argv=target.args,
                source=options.source,
                workdir=options.source,
                outputs=(options.output,),
                stdout=options.output if options.stdout else None,
                ok_exit_codes=frozenset(options.ok_exit_codes),
                network=options.network,
            ),
        )

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what its log holds, paths made relative to the scanned tree."""
        yield from read_sarif(outputs[self._options.output], (self._options.source,), self.category)


class ProvenScanner(DeclaredScanner):
    """One whose table has a canary."""

    def canary(self) -> Canary:
        """Return the table's files."""
        files = {name: content.encode() for name, content in self._options.canary.items()}
        return Canary(files, self._options.canary_rule or "")
