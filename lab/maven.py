"""Packages of the registry that this machine's Maven is set up with, kept in its repository."""

import subprocess
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

import rootfs

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


def libraries(pom: Path, folder: Path, *flags: str) -> None:
    """Put what the project `pom` runs with into `folder`."""
    _maven("copy-dependencies", ["-f", str(pom), "-DincludeScope=runtime", *flags], folder)


def archive(coordinates: str, folder: Path) -> Path:
    """Put one zip, `group:artifact:version`, into `folder`, and return where it lies."""
    _maven("copy", [f"-Dartifact={coordinates}:zip"], folder)
    _, artifact, version = coordinates.split(":")
    return folder / f"{artifact}-{version}.zip"


def unpack(coordinates: str, home: Path, without: list[str]) -> Path:
    """Unpack a package as `home`, its own top folder left out, and return that folder."""
    with (
        TemporaryDirectory() as folder,
        zipfile.ZipFile(archive(coordinates, Path(folder))) as package,
    ):
        for member in package.infolist():
            name = member.filename.partition("/")[2]
            if name and not any(fnmatch(member.filename, each) for each in without):
                member.filename = name
                package.extract(member, home)
    return home


def _maven(goal: str, flags: Iterable[str], folder: Path) -> None:
    program = rootfs.program_path("mvn", package="maven")
    command = [str(program), "-q", "-B", f"{_PLUGIN}:{goal}", *flags, f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        # what Maven prints names the registry and whole stacks: its errors are enough
        lines = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
        raise rootfs.LabError(f"maven {goal} failed: {' '.join(lines[:2]) or done.stderr.strip()}")
