"""wapiti, the real one: in an image, and as a program of this machine for scans without one."""

import shutil
import subprocess
from pathlib import Path

import rootfs

VERSION = "3.2.3"
OURS = Path(__file__).resolve().parent.parent / "images/wapiti"
PINS = OURS / "requirements.txt"
_PYTHON = "/usr/bin/python3.11"
_SITE = "usr/local/lib/python3.11/dist-packages"


def fill(root: Path) -> None:
    """Add wapiti, and exactly what its pins name, to the Python base."""
    rootfs.python(root)
    _install(root / _SITE)
    script = (root / _SITE / "bin/wapiti").read_text().split("\n", 1)
    target = root / "usr/local/bin/wapiti"
    target.write_text(f"#!{_PYTHON}\n{script[1]}")
    target.chmod(0o755)
    shutil.rmtree(root / _SITE / "bin")
    # lz4 is linked to libpthread.so.0, which the base has no use for
    rootfs.copy_libraries(root, (root / _SITE).rglob("*.so"))


def program(folder: Path) -> Path:
    """Install wapiti in an environment of its own below `folder`; return the folder it lies in."""
    made = folder / "wapiti"
    programs = made / "bin"
    said = made / "pins"
    if said.exists() and said.read_text() == PINS.read_text():
        return programs
    shutil.rmtree(made, ignore_errors=True)
    subprocess.run([_PYTHON, "-m", "venv", "--without-pip", made], check=True)
    site = made / "lib/python3.11/site-packages"
    _install(site)
    script = (site / "bin/wapiti").read_text().split("\n", 1)
    (programs / "wapiti").write_text(f"#!{programs}/python3\n{script[1]}")
    (programs / "wapiti").chmod(0o755)
    said.write_text(PINS.read_text())
    return programs


def _install(site: Path) -> None:
    """Install what the pins name; some of it has no wheel, and is pure Python."""
    rootfs.pip(
        *("install", "--target", str(site), "--no-compile", "--no-deps"),
        *("--python-version", "3.11.2", "--implementation", "cp"),
        *("--requirement", str(PINS)),
    )
