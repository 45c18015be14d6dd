"""What `[sonar]` may say."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from scanrun.api import Snapshot
from scanrun_plugins.scanners.sonar.gate import Policy

SERVER_IMAGE = "sonarqube:26.9.0.129388-community"

Server = Literal["ephemeral", "keep", "external"]
_PATTERN = r"^([A-Za-z0-9_.:-]*[A-Za-z_.:-][A-Za-z0-9_.:-]*)?$"
_TRUST: dict[str, JsonValue] = {"trust": True}
"""Marks an option that the scanned tree's own file can't set: it says who judges the tree, and whom
the token goes to."""
_KEY = re.compile(r"[^A-Za-z0-9_.:-]+")


class Options(BaseModel):
    """The scanner's own keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    server: Server | None = None
    """`ephemeral`: one for this run; `keep`: one that stays for later runs; `external`: yours.
    Without it: `external` where `host_url` is set, else SonarQube is not run."""
    host_url: str = Field(default="", json_schema_extra=_TRUST)
    """Address of your server, as this host and containers reach it."""
    public_url: str = ""
    """Address of it for links, where people reach it by another one."""
    token: str = Field(default="SONAR_TOKEN", json_schema_extra=_TRUST)
    """Name of the secret: a USER token of somebody who may browse and analyse the project."""
    project_key: Annotated[str, Field(pattern=_PATTERN)] = ""
    """Key of the project; without it, made of the repository's name."""
    organization: str = ""
    """Of SonarQube Cloud."""
    branch: str = ""
    """Branch to analyse (commercial editions, Cloud)."""
    pull_request: str = ""
    """Pull request to analyse (commercial editions, Cloud)."""
    quality_gate: Policy | None = None
    """What the server's own quality gate means: `required`, `warn`, `ignore`. Without it: required
    on your server, `warn` on one of scanrun's own."""
    count: tuple[Literal["bug", "code_smell"], ...] = ()
    """What counts for the gate beside vulnerabilities and hotspots."""
    project_settings: Annotated[Literal["ignore", "allow"], Field(json_schema_extra=_TRUST)] = (
        "ignore"
    )
    """Whether the tree's own sonar-project.properties is heeded, less what starts programs, opens
    connections or names secrets."""
    properties: dict[str, str] = Field(default_factory=dict, json_schema_extra=_TRUST)
    """Further properties of the scanner (`sonar.java.binaries`). No secrets: they are shown."""
    server_image: str = Field(default=SERVER_IMAGE, json_schema_extra=_TRUST)
    """Image of scanrun's own servers."""
    ca: str = Field(default="", json_schema_extra=_TRUST)
    """File with the certificate authority of your server, PEM."""
    proxy: Annotated[
        str, Field(pattern=r"^(https?://[^\s/@:]+:\d{1,5}/?)?$", json_schema_extra=_TRUST)
    ] = ""
    """Proxy on the way to your server: `http://proxy.example.org:3128`."""
    analysis_timeout: Annotated[int, Field(ge=10, le=86_400)] = 900
    """Seconds that the server may take to analyse what was uploaded."""

    @property
    def chosen(self) -> Server | None:
        """Return which server is meant."""
        return self.server or ("external" if self.host_url else None)

    @property
    def own(self) -> bool:
        """Say whether the server is one of scanrun's own."""
        return self.chosen in {"ephemeral", "keep"}

    @property
    def gate(self) -> Policy:
        """Return what the server's gate means."""
        return self.quality_gate or ("warn" if self.own else "required")


def project_key(options: Options, snapshot: Snapshot) -> str:
    """Return the project's key: the configured one, else one made of the repository's name."""
    if options.project_key:
        return options.project_key
    name = snapshot.repository.rstrip("/").removesuffix(".git").rpartition("/")[2]
    key = _KEY.sub("-", name or snapshot.root.name).strip("-")[:400]
    return key if re.search(r"[A-Za-z_.:-]", key) else f"project-{key or 'unnamed'}"
