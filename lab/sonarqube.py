"""SonarQube Community Build, from the package that its makers publish."""

import json
import shutil
from pathlib import Path

import java
import maven
import rootfs

VERSION = "26.9.0.129388"
_PARTS = Path(__file__).resolve().with_name("sonarqube")
ENTRY_POINT = _PARTS / "server.sh"
LEFT_OUT = _PARTS / "slim.txt"

_HOME = "opt/sonarqube"
_VOLUMES = ("data", "extensions", "logs", "temp")
OWNERS = {_HOME: (1000, 0)}
CONFIG = (
    f"ENV PATH=/{java.HOME}/bin:/usr/bin:/bin JAVA_HOME=/{java.HOME} LANG=C.UTF-8",
    f"ENV SONARQUBE_HOME=/{_HOME}",
    *(f"ENV SQ_{name.upper()}_DIR=/{_HOME}/{name}" for name in _VOLUMES),
    f"VOLUME {json.dumps([f'/{_HOME}/{name}' for name in _VOLUMES])}",
    f"WORKDIR /{_HOME}",
    "EXPOSE 9000",
    "USER sonarqube",
    "STOPSIGNAL SIGINT",
    f'ENTRYPOINT ["/{_HOME}/docker/entrypoint.sh"]',
)


def fill(root: Path) -> None:
    """Add a JDK and the server, without what no test needs: `slim.txt` tells which files."""
    rootfs.busybox(root)
    rootfs.user(root, "sonarqube", 1000, 0)
    java.development_kit(root)
    coordinates = f"org.sonarsource.sonarqube:sonar-application:{VERSION}"
    home = maven.unpack(coordinates, root / _HOME, LEFT_OUT.read_text().split())
    # both names are asked for: the first starts the second
    (home / "lib/sonarqube.jar").symlink_to(f"sonar-application-{VERSION}.jar")
    (home / "docker").mkdir()
    shutil.copy(ENTRY_POINT, home / "docker/entrypoint.sh")
    rootfs.rights(home, 0o550)
    for name in _VOLUMES:
        rootfs.rights(home / name, 0o770)
