"""What `[zap]` and the tables of ZAP's other scanners may say."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

RuleId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$|^[0-9]$")]
Level = Literal["IGNORE", "INFO", "WARN", "FAIL"]
Line = Annotated[str, Field(pattern=r"^[^\t\r\n\x00]{1,1000}$")]
Strength = Literal["Low", "Medium", "High", "Insane"]
Threshold = Literal["Low", "Medium", "High"]


class Common(BaseModel):
    """What all of ZAP's scanners have."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    silent: bool = True
    """Ask nobody for newer add-ons: two scans of one image are alike. There is no way out of the
    private network, so that without this ZAP asks in vain, a minute longer."""
    systemic_limit: Annotated[int, Field(ge=0, le=1000)] = 0
    """Pages listed of a rule that fires everywhere; 0: all that ZAP lists. ZAP's own is 5, and
    which 5 they are is chance."""


class Crawling(Common):
    """What those have that look for pages themselves."""

    minutes: Annotated[int, Field(ge=1, le=1440)] = 2
    """Minutes that the spider may take: what it has not found by then is not looked at."""
    ajax: bool = False
    """Crawl with a browser, too. Not tried with scanrun so far."""
    exclude: tuple[Line, ...] = ()
    """Regular expressions; addresses that they match are not looked at. Each is told."""
    context: str = ""
    """A context that ZAP has exported, as a path in the scanned tree: what it excludes is not
    looked at. Nothing else of it is heeded."""
    pages: Annotated[int, Field(ge=1, le=1_000_000)] = 2
    """So many pages ZAP has to see, or the scan is incomplete. 1: the application has one page."""


class Options(Crawling):
    """`[scanner.zap]`, less the keys that all scanners have."""

    rules: dict[RuleId, Level] = Field(default_factory=dict)
    """Number of a rule -> level. `IGNORE` suppresses what it finds; the others only change what
    ZAP prints."""
    rules_file: str = ""
    """A rule file of zap-baseline.py's, as a path in the scanned tree. `rules` goes before it."""


class FullOptions(Crawling):
    """`[scanner.zap-full]`, less the keys that all scanners have."""

    strength: Strength = "Medium"
    """How many attacks each rule makes."""
    threshold: Threshold = "Medium"
    """How sure a rule has to be."""


class ApiOptions(Common):
    """`[scanner.zap-api]`, less the keys that all scanners have."""

    openapi_url: Annotated[str, Field(pattern=r"^(?:/[^\s]*|https?://[^\s]+)?$")] = ""
    """Where the application serves its OpenAPI description: a path, or an address of its own."""
    openapi_file: str = ""
    """An OpenAPI description, as a path in the scanned tree."""
    strength: Strength = "Medium"
    """How many attacks each rule makes."""
    threshold: Threshold = "Medium"
    """How sure a rule has to be."""


class PlanOptions(Common):
    """`[scanner.zap-plan]`, less the keys that all scanners have."""

    plan: str = ""
    """A plan of ZAP's Automation Framework, as a path in the scanned tree."""
    pages: Annotated[int, Field(ge=1, le=1_000_000)] = 2
    """So many pages ZAP has to see, or the scan is incomplete."""
