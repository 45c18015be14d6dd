"""What the server has counted: the witness that everything was read."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from scanrun_plugins.scanners.sonar.client import Client

METRICS = (
    "violations",
    "new_violations",
    "ncloc",
    "files",
    "bugs",
    "vulnerabilities",
    "code_smells",
    "security_hotspots",
)


class Period(Struct):
    """The value since the new code began."""

    value: str = ""


class Measure(Struct):
    """One number."""

    metric: str
    value: str = ""
    period: Period | None = None


class _Component(Struct):
    key: str
    measures: list[Measure]


class _Answer(Struct):
    component: _Component


@dataclass(frozen=True, slots=True)
class Measures:
    """What is known of a project as a whole. None: the server does not tell."""

    values: Mapping[str, int]

    @property
    def violations(self) -> int | None:
        """Return the number of unresolved issues; a pull request has only new ones."""
        return self.values.get("violations", self.values.get("new_violations"))

    @property
    def hotspots(self) -> int | None:
        """Return the number of hotspots that are still to be reviewed."""
        return self.values.get("security_hotspots")

    @property
    def analysed(self) -> bool:
        """Say whether the server has seen any code."""
        return self.values.get("files", 0) > 0 or self.values.get("ncloc", 0) > 0


def read_measures(client: Client, project: str, scope: Mapping[str, str]) -> Measures:
    """Return the measures of a project, or of its branch or pull request."""
    answer = client.get(
        "api/measures/component",
        _Answer,
        component=project,
        metricKeys=",".join(METRICS),
        **scope,
    )
    found = ((each.metric, _number(each, scope)) for each in answer.component.measures)
    return Measures({metric: number for metric, number in found if number is not None})


def _number(measure: Measure, scope: Mapping[str, str]) -> int | None:
    """Return a whole number; that of a period only where there is nothing but a period."""
    text = measure.value
    if not text and measure.period is not None and "pullRequest" in scope:
        text = measure.period.value
    return int(text) if text.isascii() and text.isdigit() else None
