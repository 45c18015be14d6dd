"""What all of Trivy's command lines have in common."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from scanrun.api import Driver, Limits, Step
from scanrun_plugins.scanners.trivy.secrets import RULES

IMAGE = "aquasec/trivy:0.76.0"
EXECUTABLE = "trivy"

CACHE = "/cache"
DATABASE_FOLDER = f"{CACHE}/db"
JAVA_FOLDER = f"{CACHE}/java-db"
OWN_FOLDER = "/in"
OUT_FOLDER = "/out"
REPORT = f"{OUT_FOLDER}/report.json"

SECRET_RULES_FILE = f"{OWN_FOLDER}/scanrun-secrets.yaml"
"""Trivy leaves out a top-level file of the tree that is called as this one is."""

OWN_FILES: Mapping[str, bytes] = {
    f"{OWN_FOLDER}/trivy.yaml": b"{}\n",
    f"{OWN_FOLDER}/ignore": b"",
    SECRET_RULES_FILE: RULES.encode(),
}
"""Named on every command line, so that none is looked for in the working directory."""

_AIR_GAP = (
    "--skip-db-update",
    "--skip-java-db-update",
    "--skip-check-update",
    "--skip-vex-repo-update",
    "--offline-scan",
)
_QUIET = ("--skip-version-check", "--disable-telemetry", "--no-progress")

_NOWHERE = "http://127.0.0.1:9"
_NO_NETWORK = {
    "HTTP_PROXY": _NOWHERE,
    "HTTPS_PROXY": _NOWHERE,
    "NO_PROXY": "",
    "GIT_ALLOW_PROTOCOL": "none",
}
"""For engines that share this host's network: Trivy fetches Terraform modules, offline or not."""

DRIVER = Driver(
    name="Trivy",
    full_name="Aqua Security Trivy",
    organization="Aqua Security",
    information_uri="https://trivy.dev",
)

TRUST: dict[str, JsonValue] = {"trust": True}
"""Marks an option that the scanned tree's own file can't set: findings hang on what it names."""

_REPOSITORY = r"^([^\s-]\S*)?$"

Kind = Literal["vuln", "secret", "misconfig", "license"]


class DatabaseOptions(BaseModel):
    """Where the databases come from."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    db_repository: str = Field(default="", pattern=_REPOSITORY, json_schema_extra=TRUST)
    """OCI repository of the vulnerability database; empty: Trivy's own default."""
    java_db_repository: str = Field(default="", pattern=_REPOSITORY, json_schema_extra=TRUST)
    """OCI repository of the Java database; empty: Trivy's own default."""


class TreeOptions(DatabaseOptions):
    """`[scanner.trivy]`, less the keys that all scanners have."""

    scanners: tuple[Kind, ...] = Field(
        default=("vuln", "misconfig", "secret", "license"), min_length=1
    )
    """What is looked for."""
    include_dev_deps: bool = False
    """Check what is only needed for development, too."""


class ImageOptions(DatabaseOptions):
    """`[scanner.trivy-image]`, less the keys that all scanners have."""

    scanners: tuple[Kind, ...] = Field(default=("vuln", "secret"), min_length=1)
    """What is looked for."""
    java: bool = False
    """Have the Java database (700 MB). Without it, Trivy stops at the first jar that it meets."""


def common_arguments(kinds: Iterable[str], report: str) -> tuple[str, ...]:
    """Return the arguments of every scan: nothing is fetched, nothing is read but what is named."""
    return (
        "--scanners",
        ",".join(kinds),
        "--format",
        "json",
        "--output",
        report,
        "--cache-dir",
        CACHE,
        # the file backend locks the cache, and needs to write there
        "--cache-backend",
        "memory",
        "--config",
        f"{OWN_FOLDER}/trivy.yaml",
        "--ignorefile",
        f"{OWN_FOLDER}/ignore",
        "--secret-config",
        SECRET_RULES_FILE,
        # what an ignore file or a VEX document of `args` takes out is kept, as suppressed
        "--show-suppressed",
        *_AIR_GAP,
        *_QUIET,
    )


def download_arguments(what: str, repository: tuple[str, str]) -> tuple[str, ...]:
    """Return the arguments that fetch a database into `CACHE`."""
    option, name = repository
    named = (option, name) if name else ()
    return ("image", what, "--cache-dir", CACHE, "--config", f"{OWN_FOLDER}/trivy.yaml",
            *named, *_QUIET)  # fmt: skip


def environment(limits: Limits) -> dict[str, str]:
    """Return the environment of a step: Go is told to stay well below the memory limit.

    Nothing of the caller's comes along: every flag can be set by a `TRIVY_…` variable.
    """
    return {"GOMEMLIMIT": f"{limits.memory_mb * 3 // 4}MiB"}


def scan_step(
    name: str,
    argv: tuple[str, ...],
    report: str,
    limits: Limits,
    *,
    source: str | None,
    caches: Mapping[str, str],
    more_files: Mapping[str, bytes] = MappingProxyType({}),
    host_files: Mapping[str, Path] = MappingProxyType({}),
) -> Step:
    """Return a step that scans, with nothing of the caller's and no network."""
    return Step(
        name=name,
        image=IMAGE,
        executable=EXECUTABLE,
        argv=argv,
        env=environment(limits) | _NO_NETWORK,
        source=source,
        files={**OWN_FILES, **more_files},
        host_files=host_files,
        caches=caches,
        outputs=(report,),
        limits=limits,
    )
