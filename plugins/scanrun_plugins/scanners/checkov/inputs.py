"""What Checkov must have read, and what it passes over without a word.

Of a Dockerfile, workflow, API description or Kubernetes workload at least one check says
something, passed or failed. So one that no check speaks of was not read: broken YAML is not even
among the parsing errors.
"""

import os
import re
import stat
from collections.abc import Iterator

from scanrun.api import Input, Snapshot, SnapshotFile

_DOCKERFILE = re.compile(r"(?:.+\.)?[Dd]ockerfile(?:\..+)?$(?<!\.[Dd]ockerignore)")
_WORKFLOW = re.compile(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml$")
_YAML = (".yaml", ".yml")
_LONGEST = 4 << 20
_KINDS = (
    "ClusterRole|ClusterRoleBinding|CronJob|DaemonSet|Deployment|Job|Pod|ReplicaSet"
    "|ReplicationController|Role|RoleBinding|ServiceAccount|StatefulSet"
)
_WORKLOAD = re.compile(rb"(?m)^kind:[ \t]*[\"']?(?:" + _KINDS.encode() + rb")[\"']?[ \t\r]*(?:#|$)")
_API_VERSION = re.compile(rb"(?m)^apiVersion:")
_OPEN_API = re.compile(rb"(?m)^(?:openapi|swagger):")
_KIND = re.compile(rb"(?m)^kind:")
_PLAYBOOK = re.compile(rb"(?m)^-[ \t]+(?:hosts|name|import_playbook):")
_TEMPLATE = b"{{"
_PLAN = re.compile(rb'"(?:terraform_version|planned_values|resource_changes)"')

_PASSED_OVER = (
    "Containerfile*",
    "*.tofu",
    "*.TF",
    "Chart.yaml",
    "kustomization.yaml",
    "kustomization.yml",
    "Kustomization",
)
_MAY_BE_BROKEN = (
    ".gitlab-ci.yml",
    "*.circleci/config.yml",
    "azure-pipelines*.y*ml",
    "bitbucket-pipelines.yml",
    "serverless.y*ml",
)
CODE = (
    *("*.tf", "*.tf.json", "*.bicep", "*.yaml", "*.yml", "*.json"),
    *("*ockerfile", "*ockerfile.*", "*.template"),
)
"""Names of all that it may find something in."""


def expected(snapshot: Snapshot) -> Iterator[Input]:
    """Yield the files of which a check must say something."""
    for file in snapshot.files:
        kind = _kind(snapshot, file)
        if kind and kind != "template":
            yield Input(file.path, kind)


def passed_over(snapshot: Snapshot, read: frozenset[str]) -> list[str]:
    """Return the files that it does not look at, or of which nobody can tell whether it did."""
    found = {file.path for file in snapshot.match(*_PASSED_OVER)}
    found |= {file.path for file in snapshot.match(*_MAY_BE_BROKEN)} - read
    found |= {
        file.path
        for file in snapshot.files
        if file.path not in read and _kind(snapshot, file) == "template"
    }
    return sorted(found)


def silent(snapshot: Snapshot, read: frozenset[str]) -> list[str]:
    """Return YAML of kinds that not every check speaks of, and of which none did.

    A broken file can't be told there from one with which nothing is wrong.
    """
    return sorted(
        file.path
        for file in snapshot.match("*.yaml", "*.yml")
        if file.path not in read
        and not _kind(snapshot, file)
        and _of_a_known_sort(_content(snapshot, file.path))
    )


def _of_a_known_sort(text: bytes) -> bool:
    resource = _API_VERSION.search(text) and _KIND.search(text)
    return bool(resource or _PLAYBOOK.search(text))


def is_plan(snapshot: Snapshot, path: str) -> bool:
    """Say whether a JSON file that can't be parsed was to be a Terraform plan.

    Any JSON is tried as one, and settings of editors have comments in them.
    """
    return bool(_PLAN.search(_content(snapshot, path)))


def _kind(snapshot: Snapshot, file: SnapshotFile) -> str:
    if _DOCKERFILE.match(file.name):
        return "Dockerfile" if file.size else ""
    if _WORKFLOW.search(file.path):
        return "workflow"
    if not file.name.endswith(_YAML):
        return ""
    text = _content(snapshot, file.path)
    if _OPEN_API.search(text):
        return "API description"
    if _API_VERSION.search(text) and _WORKLOAD.search(text):
        return "template" if _TEMPLATE in text else "Kubernetes file"
    return ""


def _content(snapshot: Snapshot, path: str) -> bytes:
    """Return the file's beginning; nothing of what is no file any more: that is told elsewhere."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(snapshot.root / path, flags)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as stream:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return stream.read(_LONGEST) if regular else b""
