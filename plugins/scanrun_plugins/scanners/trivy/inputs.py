"""Which files Trivy has to account for, which it never reads, and which of them hold nothing.

The names are those that Trivy 0.76 was seen to read; upper and lower case count.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from scanrun.api import Input, Notification, Snapshot, SnapshotFile, Target

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

UNREAD = {
    "npm-shrinkwrap.json": "package-lock.json",
    "bun.lockb": "bun.lock",
    "gems.locked": "Gemfile.lock",
    "pdm.lock": "pylock.toml",
    "requirements-*.txt": "requirements.txt",
    "requirements_*.txt": "requirements.txt",
    "*-requirements.txt": "requirements.txt",
    "*_requirements.txt": "requirements.txt",
    "*requirements/*.txt": "requirements.txt",
    "constraints*.txt": "requirements.txt",
    "dockerfile": "Dockerfile",
    "Dockerfile-*": "Dockerfile.*",
}
"""Pattern of names that Trivy does not read -> the name under which it would."""

_MANIFESTS = {
    "package.json": ("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"),
    "Pipfile": ("Pipfile.lock",),
    "composer.json": ("composer.lock",),
    "Gemfile": ("Gemfile.lock",),
    "Cargo.toml": ("Cargo.lock",),
    "pubspec.yaml": ("pubspec.lock",),
}
_NPM = frozenset({"package-lock.json", "yarn.lock", "pnpm-lock.yaml"})


def lock_files(target: Target) -> tuple[Input, ...]:
    """Return the dependency files that Trivy reads."""
    return tuple(
        Input(file.path, "lock file") for file in target.match(*LOCK_FILES) if not _skipped(file)
    )


def build_files(target: Target) -> tuple[Input, ...]:
    """Return the configuration whose name alone tells what it is.

    A YAML or JSON file may be anything: one that Trivy does not name need not have been wrong.
    """
    docker = (Input(file.path, "Dockerfile") for file in target.match(*DOCKERFILES))
    terraform = (
        Input(file.path, "Terraform file")
        for file in target.match(*TERRAFORM)
        if ".terraform" not in PurePosixPath(file.path).parts
    )
    return (*docker, *terraform)


def unread(snapshot: Snapshot) -> Iterator[Notification]:
    """Yield a word on each dependency or build file that Trivy passes by."""
    for pattern, name in UNREAD.items():
        for file in snapshot.match(pattern):
            text = f"not read by trivy: {file.path!r} (it would be, as {name})"
            yield Notification(text, path=file.path)
    places = {str(PurePosixPath(file.path)) for file in snapshot.files}
    for manifest, locks in _MANIFESTS.items():
        for file in snapshot.match(manifest):
            if "node_modules" not in file.path and not _locked(file.path, locks, places):
                text = f"dependencies of {file.path!r} not checked: it has no lock file"
                yield Notification(text, path=file.path)


def _locked(path: str, locks: Iterable[str], places: set[str]) -> bool:
    """Say whether a lock file lies beside `path`, or in a folder above: a workspace has one."""
    return any(
        str(folder / lock) in places for folder in PurePosixPath(path).parents for lock in locks
    )


def _skipped(file: SnapshotFile) -> bool:
    """Say whether Trivy leaves a file out for the folder it lies in, as it should."""
    folders = PurePosixPath(file.path).parts[:-1]
    if file.name in _NPM and "node_modules" in folders:
        return True
    if file.name == "yarn.lock" and ".yarn" in folders:
        return True
    if file.name == "composer.lock" and "vendor" in folders:
        return True
    return file.name == "pom.xml" and folders[-3:-1] == ("src", "it")
