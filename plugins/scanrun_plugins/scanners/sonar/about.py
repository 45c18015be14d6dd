"""Which SonarQube answers: its release, and by which of its two scales it tells severities."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from msgspec import Struct

from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.refusals import ServerError, UnknownError, one_line

_CLOUDS = ("sonarcloud.io", "sonarqube.us")
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:[.-]|$)")
_SETTING = "sonar.multi-quality-mode.enabled"
_CENTURY = 2000

Release = tuple[int, int]


class Mode(StrEnum):
    """The scale by which a server tells severities."""

    MQR = "mqr"
    """Impacts, one for each quality of the software."""
    STANDARD = "standard"
    """One severity and one type."""
    UNKNOWN = "unknown"
    """Nobody has asked the server: of the two scales the worse counts."""


@dataclass(frozen=True, slots=True)
class Server:
    """What has to be known of a server to ask it rightly."""

    version: str
    mode: Mode
    cloud: bool = False

    @property
    def release(self) -> Release:
        """Return year and month (2026.4 and Community 26.4 are one), or the old major and minor."""
        return release_of(self.version)

    def since(self, *release: int) -> bool:
        """Say whether it is this release or a later one. The cloud is later than any."""
        return self.cloud or self.release >= release


class _Mode(Struct):
    mode: str


class _Setting(Struct):
    key: str
    value: str = ""


class _Settings(Struct):
    settings: list[_Setting]


def read_server(client: Client) -> Server:
    """Return which server answers.

    Raises:
        ServerError: it is none, or not to be reached.
    """
    version = read_version(client)
    if is_cloud(client.base_url):
        return Server(version, Mode.MQR, cloud=True)
    return Server(version, _mode(client, release_of(version)))


def read_version(client: Client) -> str:
    """Return the server's version, which it tells anybody.

    Raises:
        ServerError: it is none, or not to be reached.
    """
    version = client.fetch("api/server/version").decode("ascii", "replace").strip()
    if not _VERSION.match(version):
        raise ServerError(
            f"what answers at {client.base_url!r} is no SonarQube: {one_line(version, 80)!r}",
            hint="check the address, and the path in it",
        )
    return version


def release_of(version: str) -> Release:
    """Return the comparable release in a server's version."""
    match = _VERSION.match(version)
    if match is None:
        raise ServerError(f"the server's version {one_line(version, 80)!r} can't be read")
    major, minor = int(match[1]), int(match[2])
    return (major - _CENTURY if major > _CENTURY else major), minor


def is_cloud(url: str) -> bool:
    """Say whether the address is that of SonarQube Cloud."""
    host = urlsplit(url).hostname or ""
    return any(host == each or host.endswith(f".{each}") for each in _CLOUDS)


def _mode(client: Client, release: Release) -> Mode:
    """Return the mode: until 10.8 the release decides, then an administrator."""
    if release < (10, 8):
        return Mode.MQR if release >= (10, 2) else Mode.STANDARD
    try:
        told = client.get("api/v2/clean-code-policy/mode", _Mode).mode
    except UnknownError:
        return _mode_by_setting(client)
    if told not in {"MQR", "STANDARD_EXPERIENCE", "STANDARD"}:
        return Mode.UNKNOWN
    return Mode.MQR if told == "MQR" else Mode.STANDARD


def _mode_by_setting(client: Client) -> Mode:
    found = client.get("api/settings/values", _Settings, keys=_SETTING).settings
    on = any(each.key == _SETTING and each.value == "true" for each in found)
    return Mode.MQR if on else Mode.STANDARD
