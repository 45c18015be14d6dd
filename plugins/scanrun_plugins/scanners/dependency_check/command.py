"""What Dependency-Check's command lines have in common, and what may be configured of them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from scanrun.api import Driver

IMAGE = "owasp/dependency-check:12.2.2"
PROGRAM = "/usr/share/dependency-check/bin/dependency-check.sh"

CACHE = "/cache/odc"
"""The database, read-only."""
HOME = "/odc"
"""All that is made for a step lies here, in one volume."""
DATA = f"{HOME}/data"
FEED = f"{HOME}/feed"
LOCKS = f"{HOME}/locks"
PROPERTIES = f"{HOME}/odc.properties"
JAVA_OPTIONS = f"{HOME}/java.options"
OUT_FOLDER = "/out"
REPORT = f"{OUT_FOLDER}/dependency-check-report.json"
XML_REPORT = f"{OUT_FOLDER}/dependency-check-report.xml"

DATABASE_FILE = "odc.mv.db"
RETIREJS_FILE = "jsrepository.json"
SUPPRESSIONS_FILE = "publishedSuppressions.xml"

DRIVER = Driver(
    name="Dependency-Check",
    full_name="OWASP Dependency-Check",
    organization="OWASP",
    information_uri="https://owasp.org/www-project-dependency-check/",
)

OFF = "off"
_TRUST: dict[str, JsonValue] = {"trust": True}
"""Marks an option that the scanned tree's own file can't set: findings hang on what it names."""
_WEB = r"https?://[^\s@]+"
_LOCAL = r"(?:file://)?/[^\s].*"
_ONE_FILE = Field(pattern=rf"^(?:{OFF}|{_WEB}/[\w.-]+|{_LOCAL})?$", json_schema_extra=_TRUST)
_SECRET = Field(pattern=r"^[A-Za-z_][\w-]*$|^$", json_schema_extra=_TRUST)
_SECRET_NAME = Annotated[str, _SECRET]

Ecosystem = Literal["java", "npm", "python", "php", "ruby", "go", "rust"]


class Options(BaseModel):
    """`[scanner.dependency-check]`, less the keys that all scanners have."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    nvd_api_key: _SECRET_NAME = "NVD_API_KEY"
    """Secret with the key for the NVD: without one a first download takes hours."""
    nvd_datafeed: Annotated[
        str, Field(pattern=rf"^(?:{_WEB}|{_LOCAL})?$", json_schema_extra=_TRUST)
    ] = ""
    """Mirror of the NVD: an address (`https://host/nvdcve-{0}.json.gz`), or a folder of this
    host."""
    nvd_datafeed_user: str = ""
    """User of that mirror."""
    nvd_datafeed_password: _SECRET_NAME = ""
    """Secret with that user's password."""
    kev_url: Annotated[str, _ONE_FILE] = ""
    """CISA's list of known exploited vulnerabilities: address, file of this host, or `off`."""
    retirejs_url: Annotated[str, _ONE_FILE] = ""
    """RetireJS's list: address, file of this host, or `off`."""
    hosted_suppressions_url: Annotated[str, _ONE_FILE] = ""
    """The project's own list of false positives: address, file of this host, or `off`."""
    proxy: _SECRET_NAME = ""
    """Secret with the proxy's address (`HTTPS_PROXY`): Java does not heed the variable itself."""
    suppressions: tuple[str, ...] = ()
    """Suppression files, as paths in the scanned tree."""
    experimental: bool = False
    """Read `requirements.txt`, `poetry.lock` and `composer.lock`, too."""
    ecosystems: tuple[Ecosystem, ...] = ()
    """What of these it can't read makes the scan incomplete; of others it is told."""
    connection_string: Annotated[
        str, Field(pattern=r"^(?:jdbc:\S+)?$", json_schema_extra=_TRUST)
    ] = ""
    """JDBC address of a central database, which somebody else updates."""
    db_driver: str = Field(default="", json_schema_extra=_TRUST)
    """Java class of the driver for it."""
    db_driver_path: str = Field(default="", json_schema_extra=_TRUST)
    """File of this host with that driver."""
    db_user: str = ""
    """User of the central database."""
    db_password: _SECRET_NAME = ""
    """Secret with that user's password."""
    scratch: int = Field(default=2048, ge=64)
    """Megabytes for temporary files. The database is copied there, and archives are unpacked."""

    @property
    def central(self) -> bool:
        """Say whether the database is a server's."""
        return bool(self.connection_string)


def offline_arguments(options: Options) -> Iterator[str]:
    """Yield the options of a scan that fetches nothing, and starts no package manager."""
    yield from ("--noupdate", "--data", DATA, "--propertyfile", PROPERTIES)
    yield from ("--disableCentral", "--disableOssIndex")
    yield from ("--disableNodeAudit", "--disableYarnAudit", "--disablePnpmAudit")
    yield from ("--disableBundleAudit", "--disableMixAudit", "--disableGolangMod")
    if options.experimental:
        yield "--enableExperimental"


def last_name(url: str, usual: str) -> str:
    """Return under which name Dependency-Check keeps what it fetches from an address."""
    return url.partition("?")[0].rpartition("/")[2] or usual
