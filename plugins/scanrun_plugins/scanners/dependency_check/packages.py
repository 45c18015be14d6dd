"""What a dependency is called: its package URL in canonical form, name and version."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from scanrun_plugins.scanners.dependency_check.report import Dependency, Related

_PURL = re.compile(
    r"pkg:/*(?P<type>[A-Za-z][\w.+-]*)/(?P<path>[^?#]+?)"
    r"(?:(?<!/)@(?P<version>[^?#]*))?(?P<more>[?#].*)?",
    re.DOTALL,
)
"""An `@` right after a slash begins an npm scope, no version."""
_SLASH = re.compile("%2f", re.IGNORECASE)
_CPE_PARTS = 6
_NO_VERSION = frozenset({"", "*", "-"})


@dataclass(frozen=True, slots=True)
class Package:
    """A package. `purl` is empty where Dependency-Check knows it by a CPE only."""

    purl: str
    name: str
    version: str
    family: str
    """What stays the same when it is updated."""

    @property
    def key(self) -> str:
        """Return what tells it from all others in a report."""
        return self.purl or self.name

    @property
    def short_name(self) -> str:
        """Return the name that a manifest has for it: of Maven's only the artifact."""
        return self.name.rpartition(":")[2] if self.purl.startswith("pkg:maven/") else self.name


def package_of(item: Dependency | Related) -> Package:
    """Return what a dependency is: of several package URLs, the first."""
    ids = item.packages if isinstance(item, Dependency) else item.package_ids
    purl = next((canonical(each.id) for each in ids if each.id.startswith("pkg:")), "")
    if purl:
        return _of_purl(purl)
    cpes = item.vulnerability_ids if isinstance(item, Dependency) else []
    parts = next((each.id.split(":") for each in cpes if each.id.startswith("cpe:2.3:")), [])
    name = item.file_name.rpartition(": ")[2] or item.file_name or item.file_path
    if len(parts) < _CPE_PARTS:
        return Package("", name, "", f"file/{name}")
    vendor, product, version = (each.replace("\\", "") for each in parts[3:6])
    return Package("", name, "" if version in _NO_VERSION else version, f"cpe/{vendor}/{product}")


def canonical(purl: str) -> str:
    """Return the package URL as all tools write it: Dependency-Check escapes slashes of names."""
    match = _PURL.fullmatch(purl)
    if match is None:
        return purl
    version = f"@{match['version']}" if match["version"] else ""
    return f"{_family(match)}{version}{match['more'] or ''}"


def _family(match: re.Match[str]) -> str:
    path = _SLASH.sub("/", match["path"]).rstrip("/")
    return f"pkg:{match['type'].lower()}/{path}"


def _of_purl(purl: str) -> Package:
    match = _PURL.fullmatch(purl)
    if match is None:
        return Package(purl, purl, "", purl)
    name = unquote(match["path"])
    if match["type"] == "maven":
        name = name.replace("/", ":")
    return Package(purl, name, unquote(match["version"] or ""), _family(match))
