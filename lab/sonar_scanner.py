"""The scanner for SonarQube, from the package that its makers publish."""

import shutil
from pathlib import Path

import java
import maven
import rootfs

VERSION = "8.0.1.6346"
ENTRY_POINT = Path(__file__).resolve().with_name("sonarqube") / "scanner.sh"

_HOME = "opt/sonar-scanner"
_WORK = "tmp/.scannerwork"
OWNERS = dict.fromkeys((_HOME, _WORK, "usr/src"), (1000, 1000))
CONFIG = (
    f"ENV PATH=/{java.HOME}/bin:/{_HOME}/bin:/usr/bin:/bin",
    f"ENV JAVA_HOME=/{java.HOME}",
    "ENV LANG=C.UTF-8",
    "ENV HOME=/tmp",
    "ENV XDG_CONFIG_HOME=/tmp",
    f"ENV SONAR_SCANNER_HOME=/{_HOME}",
    f"ENV SONAR_USER_HOME=/{_HOME}/.sonar",
    "ENV SRC_PATH=/usr/src",
    f"ENV SCANNER_WORKDIR_PATH=/{_WORK}",
    "WORKDIR /usr/src",
    "USER scanner-cli",
    'ENTRYPOINT ["/usr/bin/entrypoint.sh"]',
    'CMD ["sonar-scanner"]',
)


def fill(root: Path) -> None:
    """Add a JDK and the scanner."""
    rootfs.busybox(root)
    rootfs.user(root, "scanner-cli", 1000, 1000)
    java.development_kit(root)
    coordinates = f"org.sonarsource.scanner.cli:sonar-scanner-cli:{VERSION}"
    home = maven.unpack(coordinates, root / _HOME, ["*.bat"])
    (home / ".sonar/cache").mkdir(parents=True)
    rootfs.rights(home, 0o754)
    for folder, mode in (("usr/src", 0o755), (_WORK, 0o777)):
        (root / folder).mkdir(parents=True)
        (root / folder).chmod(mode)
    shutil.copy(ENTRY_POINT, root / "usr/bin/entrypoint.sh")
    (root / "usr/bin/entrypoint.sh").chmod(0o755)
