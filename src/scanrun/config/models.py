"""What a configuration may say. Every key there is, with its default."""

import datetime as dt
from collections.abc import Mapping
from posixpath import normpath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scanrun.config.app import AppSettings
from scanrun.config.values import (
    DEFAULT,
    Ages,
    Argument,
    Count,
    Duration,
    FailOn,
    Flag,
    Megabytes,
    Mirror,
    Name,
    Pull,
    Reference,
    SecretName,
    SeverityWord,
    Text,
)
from scanrun.config.waivers import Waiver
from scanrun.model import Category, GatePolicy, Limit, Proof, Severity


class Section(BaseModel):
    """What all tables have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ScanSettings(Section):
    """`[scan]`: what is run, on what, and how."""

    required: tuple[Name, ...] = ()
    """Scanners that must complete, even where they do not apply."""
    skip: tuple[Name, ...] = ()
    """Scanners that `all` leaves out."""
    exclude: tuple[Text, ...] = ()
    """Globs of paths that no scanner is given."""
    engine: Name = "auto"
    """`auto`, `docker`, `local`, or an engine plugin's name."""
    timeout: Duration | None = None
    """Deadline for each scanner; without it, each has its own."""
    pull: Pull = "missing"
    """When images are pulled."""
    offline: Flag = False
    """Never use the network, neither for images nor for databases."""
    mirror: Mirror = ""
    """Registry prefix that stands in for the public hubs."""
    jobs: Annotated[Count, Field(ge=1, le=256)] | None = None
    """How many scanners run at the same time at the most."""
    memory_budget: Megabytes | None = None
    """Memory for all scanners and their services together; without it, what the engine has."""

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if both := sorted({*self.required} & {*self.skip}):
            raise ValueError(f"{', '.join(both)}: both required and to be skipped")
        return self


class ScannerSettings(Section):
    """`[scanner.NAME]`: one scanner."""

    engine: Name | None = None
    """Engine for this scanner alone."""
    image: Reference | None = None
    """Image instead of the default one, with a pinned version."""
    args: tuple[Argument, ...] = ()
    """Arguments that are added."""
    timeout: Duration | None = None
    """Deadline of this scanner."""
    memory: Megabytes | None = None
    """Memory it may use at the most."""
    severity: Mapping[Text, SeverityWord] = Field(default_factory=dict)
    """Rule id -> severity that its findings get."""
    declared: bool = Field(default=False, json_schema_extra={"internal": True})
    """The table itself declares the scanner: a tool that writes SARIF."""
    options: Mapping[str, Any] = Field(default_factory=dict, json_schema_extra={"internal": True})
    """The scanner's own keys, as its own model has validated them."""


class LimitSettings(Section):
    """One of `gate.limits`: so many findings and no more."""

    maximum: Annotated[Count, Field(ge=0)]
    """How many findings may be there at the most."""
    severity: Severity | None = None
    """Of this severity only."""
    scanner: Name | None = None
    """Of this scanner only."""
    category: Category | None = None
    """Of this category only."""


class GateSettings(Section):
    """`[gate]`: what fails."""

    fail_on: FailOn = "high"
    """The lowest severity that fails the gate."""
    limits: tuple[LimitSettings, ...] = ()
    """Limits by severity, scanner and category."""

    def policy(self) -> GatePolicy:
        """Return what the gate is asked for."""
        return GatePolicy(
            fail_on=None if self.fail_on == "never" else Severity(self.fail_on),
            limits=tuple(
                Limit(each.maximum, each.severity, each.scanner, each.category)
                for each in self.limits
            ),
        )


class EvidenceSettings(Section):
    """`[evidence]`: what an answer must come with to be believed."""

    max_age: Ages = Field(default_factory=dict)
    """How old a database may be: for all of them, or by name, with `default` for the rest."""

    lower: Mapping[Name, tuple[Proof, ...]] = Field(default_factory=dict)
    """Scanner -> the proofs that are not insisted on."""

    def limit(self, database: str, own: dt.timedelta) -> dt.timedelta:
        """Return how old `database` may be; `own` is its own limit, where nothing is set."""
        seconds = self.max_age.get(database, self.max_age.get(DEFAULT))
        return own if seconds is None else dt.timedelta(seconds=seconds)


class PolicySettings(Section):
    """`[policy]`: what a scanned tree may say about its own findings."""

    inline_ignores: Literal["count", "allow"] = "count"
    """Whether a finding that the source itself suppresses counts."""


class SecretSettings(Section):
    """`[secret.NAME]`: where a secret comes from. Exactly one of the three."""

    env: Text | None = None
    """Environment variable."""
    file: Text | None = None
    """File; what is around its text does not count."""
    command: tuple[Argument, ...] = ()
    """Command that prints it."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(map(bool, (self.env, self.file, self.command))) != 1:
            raise ValueError("a secret has exactly one of env, file and command")
        return self


class OutputSettings(Section):
    """`[output]`: where a run's files lie, and which are kept."""

    dir: Text = ".scanrun"
    """Folder of the run's files."""
    raw: Literal["on-failure", "always", "never"] = "on-failure"
    """When the scanners' own reports are kept."""

    @model_validator(mode="after")
    def _own_folder(self) -> Self:
        if normpath(self.dir) in {".", "/"}:
            raise ValueError("output.dir must be a folder of its own: it is never scanned")
        return self


class ReportSettings(Section):
    """`[report]`: which reports are written beside the SARIF log."""

    formats: tuple[Name, ...] = ("junit",)
    """Names of report formats."""


class Settings(Section):
    """A whole configuration."""

    scan: ScanSettings = ScanSettings()
    scanner: Mapping[Name, ScannerSettings] = Field(default_factory=dict)
    gate: GateSettings = GateSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    policy: PolicySettings = PolicySettings()
    secret: Mapping[SecretName, SecretSettings] = Field(default_factory=dict)
    output: OutputSettings = OutputSettings()
    report: ReportSettings = ReportSettings()
    app: AppSettings = AppSettings()
    waiver: tuple[Waiver, ...] = ()

    def for_scanner(self, name: str) -> ScannerSettings:
        """Return the settings of one scanner; the defaults where nothing is said of it."""
        return self.scanner.get(name, ScannerSettings())
