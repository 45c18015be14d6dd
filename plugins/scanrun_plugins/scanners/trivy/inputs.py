"""Which files Trivy has to account for.

The names are those that Trivy 0.76 was seen to read; upper and lower case count.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import msgspec

from scanrun.api import Input, Snapshot, SnapshotFile, Target
from scanrun_plugins.scanners.trivy.emptiness import text_of

LOCK_FILES = (
    "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock",
    "requirements.txt", "Pipfile.lock", "poetry.lock", "uv.lock", "pylock.toml", "pylock.*.toml",
    "composer.lock", "Gemfile.lock", "Cargo.lock", "go.mod", "pom.xml", "*gradle.lockfile",
    "*.sbt.lock", "packages.lock.json", "packages.config", "Directory.Packages.props",
    "Packages.props", "*.deps.json", "conan.lock", "mix.lock", "pubspec.lock", "Podfile.lock",
    "Package.resolved",
)  # fmt: skip
DOCKERFILES = (
    "Dockerfile", "Dockerfile.*", "*.dockerfile", "*.Dockerfile",
    "Containerfile", "Containerfile.*", "*.containerfile",
)  # fmt: skip
TERRAFORM = ("*.tf", "*.tf.json", "*.tofu")

_NPM = frozenset({"package-lock.json", "yarn.lock", "pnpm-lock.yaml"})
_KUBERNETES = re.compile(r"(?ms)(?=.*^apiVersion:)(?=.*^kind:)(?=.*^metadata:)")
_CLOUDFORMATION = re.compile(r"(?ms)(?=.*^Resources:).*^\s+\"?Type\"?:\s*[\"']?AWS::")
_CUT_JSON = re.compile(
    r'"AWSTemplateFormatVersion"|"Type"\s*:\s*"AWS::|"apiVersion".*"metadata"', re.DOTALL
)
_OF_AWS = re.compile(r'"Type"\s*:\s*"AWS::')
_LARGEST = 2 * 2**20


def lock_files(target: Target) -> tuple[Input, ...]:
    """Return the dependency files that Trivy reads."""
    return tuple(
        Input(file.path, "lock file") for file in target.match(*LOCK_FILES) if not skipped(file)
    )


def build_files(target: Target) -> tuple[Input, ...]:
    """Return the configuration of which name or content tells what it is."""
    docker = (Input(file.path, "Dockerfile") for file in target.match(*DOCKERFILES))
    terraform = (
        Input(file.path, "Terraform file")
        for file in target.match(*TERRAFORM)
        if ".terraform" not in PurePosixPath(file.path).parts
    )
    return (*docker, *terraform, *_templates(target.snapshot))


def out_of_reach(snapshot: Snapshot) -> tuple[Input, ...]:
    """Return what would have to be read, and could not be given to any scanner."""
    known = (*LOCK_FILES, *DOCKERFILES, *TERRAFORM)
    return tuple(
        Input(each.path, "file out of reach")
        for each in snapshot.left_out
        if each.rule in {"unreadable", "vanished", "path too long", "over 1 GiB"}
        and any(fnmatchcase(PurePosixPath(each.path).name, name) for name in known)
    )


def _templates(snapshot: Snapshot) -> Iterator[Input]:
    """Yield Kubernetes and CloudFormation files: broken ones Trivy drops without a word.

    A YAML file can be anything, so its content has to tell. Charts are rendered: the log tells.
    """
    charts = {PurePosixPath(file.path).parent for file in snapshot.match("Chart.yaml")}
    for file in snapshot.match("*.yaml", "*.yml", "*.json"):
        if file.size > _LARGEST or charts.intersection(PurePosixPath(file.path).parents):
            continue
        if kind := _kind(snapshot.root / file.path):
            yield Input(file.path, kind)


def _kind(path: Path) -> str:
    try:
        text = text_of(path)
    except (OSError, ValueError):
        return ""
    if path.suffix in {".yaml", ".yml"}:
        if _CLOUDFORMATION.search(text):
            return "CloudFormation template"
        # with placeholders in it, it is for another program to fill in
        return "Kubernetes file" if "{{" not in text and _KUBERNETES.match(text) else ""
    return _kind_of_json(text)


def _kind_of_json(text: str) -> str:
    if "AWS" not in text and '"apiVersion"' not in text:
        return ""
    try:
        found = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "broken template" if _CUT_JSON.search(text) else ""
    if {"apiVersion", "kind", "metadata"} <= found.keys():
        return "Kubernetes file"
    is_template = "Resources" in found and _OF_AWS.search(
        str(memoryview(found["Resources"]), "utf-8")
    )
    return "CloudFormation template" if is_template else ""


def skipped(file: SnapshotFile) -> bool:
    """Say whether Trivy leaves a lock file out for the folder it lies in, as it should."""
    folders = PurePosixPath(file.path).parts[:-1]
    if file.name in _NPM and "node_modules" in folders:
        return True
    if file.name == "yarn.lock" and ".yarn" in folders:
        return True
    if file.name == "composer.lock" and "vendor" in folders:
        return True
    return file.name == "pom.xml" and folders[-3:-1] == ("src", "it")
