"""Which place in the tree a target of Trivy's report stands for."""

import re
from collections.abc import Iterable
from posixpath import basename, normpath

from scanrun.api import CANARY_DIR
from scanrun_plugins.scanners.trivy.report import Report, Section

TREE = "tree"
"""Folder below the scanned one that holds the tree: Trivy never looks into a top-level `dev/`."""
OUTSIDE = "outside-the-tree"
_SYSTEM = re.compile(r" \([^()]*\)$")


class Places:
    """The places of one report. `ours`: it was written by the steps of this plugin."""

    def __init__(self, report: Report) -> None:
        # an image may hold any folder, one that looks like our own, too
        self.ours = report.artifact_type != "container_image" and _scanned_below_tree(
            section.target for section, _ in report.sections
        )
        self._image = _image_name(report)

    def of(self, section: Section, resource: str = "") -> tuple[str, bool]:
        """Return the path for a section's findings, and whether it lies in the tree."""
        if resource and section.class_ == "config":
            return resource, True
        if section.class_ in {"os-pkgs", ""} and _SYSTEM.search(section.target):
            return self._image or image_name(_SYSTEM.sub("", section.target)), True
        path, inside = self.path(section.target)
        return path or section.type or section.class_ or "unknown", inside

    def is_canary(self, path: str) -> bool:
        """Say whether the path is one of a canary, of whichever scanner."""
        return self.ours and path.startswith(f"{CANARY_DIR}/")

    def path(self, target: str) -> tuple[str, bool]:
        """Return the path of a file that Trivy names, and whether it lies in the tree."""
        target = target.lstrip("/")
        if ".." in target.split("/"):
            target = normpath(target)
        while target.startswith("../"):
            target = target[len("../") :]
            if not target.startswith("../"):
                return f"{OUTSIDE}/{target}", False
        if self.ours and target not in {"", "."}:
            if target == TREE or target.startswith(TREE + "/"):
                return target[len(TREE) + 1 :], True
            return f"{OUTSIDE}/{target}", False
        return ("" if target in {".", ".."} else target), True


def _scanned_below_tree(targets: Iterable[str]) -> bool:
    """Tell our own reports by their canary: a foreign one may know a real folder `tree`."""
    return any(target.startswith(f"{TREE}/{CANARY_DIR}/") for target in targets)


def _image_name(report: Report) -> str:
    if report.artifact_type != "container_image":
        return ""
    tags = (report.metadata.repo_tags if report.metadata else None) or ()
    return image_name(min(tags, default=report.artifact))


def image_name(reference: str) -> str:
    """Return an image's name without tag and digest, which would make a finding a new one.

    Of an archive it is the name of the file.
    """
    name = reference.partition("@")[0]
    if name.startswith(("/", ".")):
        return basename(name) or "image"
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0] or "image"
