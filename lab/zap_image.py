"""ZAP's image, with a stand-in for ZAP: the real one is in no registry that is at hand."""

import shutil
from pathlib import Path

import rootfs

PARTS = Path(__file__).resolve().with_name("zap")
SOURCES = tuple(
    sorted(each for each in PARTS.rglob("*") if each.suffix in {".py", ".txt", ".json"})
)
OWNERS = {"home/zap": (1000, 1000), "zap": (1000, 1000)}
CONFIG = (
    "ENV PATH=/zap/:/usr/local/bin:/usr/bin:/bin",
    "ENV HOME=/home/zap/",
    "ENV IS_CONTAINERIZED=true",
    "ENV ZAP_PORT=8080",
    "ENV ZAP_PATH=/zap/zap.sh",
    "ENV LANG=C.UTF-8",
    "USER zap",
    "WORKDIR /zap",
)
_YAML = (
    *("--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"),
    "pyyaml==6.0.3",
)
_PROGRAMS = {"zap-baseline.py": "baseline", "zap.sh": "zap"}


def fill(root: Path) -> None:
    """Lay out the Python base, the stand-in below `/zap`, and the user that it runs as."""
    rootfs.python(root)
    home = root / "home/zap"
    home.mkdir(parents=True)
    for name, line in (("passwd", "zap:x:1000:1000::/home/zap:/bin/sh"), ("group", "zap:x:1000:")):
        with (root / "etc" / name).open("a") as users:
            users.write(f"{line}\n")
    shutil.copytree(PARTS, root / "zap", ignore=shutil.ignore_patterns("__pycache__"))
    site = root / "usr/local/lib/python3.11/dist-packages"
    rootfs.pip("install", "--target", str(site), "--no-compile", *_YAML)
    rootfs.copy_libraries(root, site.rglob("*.so"))
    for name, module in _PROGRAMS.items():
        program = root / "zap" / name
        program.write_text(
            "#!/usr/bin/env python3\n"
            f"import sys\n\nfrom standin.{module} import main\n\nsys.exit(main())\n"
        )
        program.chmod(0o755)
