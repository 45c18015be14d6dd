"""The image of all targets that scanners of running applications are tried on."""

import shutil
import subprocess
from pathlib import Path

import rootfs

PARTS = Path(__file__).resolve().with_name("targets")
SOURCES = tuple(sorted(PARTS.glob("*.py")))
CONFIG = (
    "ENV PATH=/usr/local/bin:/usr/bin:/bin",
    "EXPOSE 8080",
    'CMD ["python3", "/target/main.py"]',
)


def fill(root: Path) -> None:
    """Lay out the Python base, the targets below `/target`, and a certificate that is nobody's."""
    rootfs.python(root)
    folder = root / "target"
    shutil.copytree(PARTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    certificate = folder / "certificate.pem"
    program = rootfs.program_path("openssl", package="openssl")
    subprocess.run(
        [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
         "-subj", "/CN=wrong.invalid", "-keyout", certificate, "-out", folder / "public.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    with certificate.open("ab") as both:
        both.write((folder / "public.pem").read_bytes())
    certificate.chmod(0o644)
