"""OWASP Dependency-Check: the real engine, analysers and report writers, from Maven packages.

The command line is 9.2.0's, the last one published as a package: options that came later are
unknown to it, and it does not count CVSS v4 for `--failOnCVSS`. The image has no database, like the
official one.
"""

import shutil
from pathlib import Path

import java
import maven
import rootfs

PARTS = Path(__file__).resolve().with_name("dependency-check")
HOME = "usr/share/dependency-check"
DATA = f"/{HOME}/data"
OWNERS = {HOME: (1000, 0), "report": (1000, 0)}
_SOURCE = "org.owasp.dependencycheck.data.update.CachedWebDataSource"
_TOOLS = (
    "-Danalyzer.assembly.dotnet.path=/usr/bin/dotnet"
    " -Danalyzer.bundle.audit.path=/usr/bin/bundle-audit"
    " -Danalyzer.golang.path=/usr/local/go/bin/go"
)
CONFIG = (
    f"ENV PATH=/{java.HOME}/bin:/usr/bin:/bin",
    f"ENV JAVA_HOME=/{java.HOME}",
    "ENV LANG=C.UTF-8",
    "ENV user=dependencycheck",
    f'ENV JAVA_OPTS="{_TOOLS}"',
    'VOLUME ["/src", "/report"]',
    "WORKDIR /src",
    "USER 1000",
    'CMD ["--help"]',
    f'ENTRYPOINT ["/{HOME}/bin/dependency-check.sh"]',
)


def fill(root: Path, engine: str) -> None:
    """Add a Java and Dependency-Check with this engine."""
    rootfs.busybox(root)
    rootfs.user(root, "dependencycheck", 1000, 1000)
    java.runtime(root)
    home = root / HOME
    for folder in (home / "bin", home / "plugins", home / "data", root / "report", root / "src"):
        folder.mkdir(parents=True)
    newer = not engine.startswith("9.")
    profile = ["-Pnewer-engine"] if newer else []
    maven.libraries(PARTS / "pom.xml", home / "lib", f"-Dengine={engine}", *profile)
    if newer:
        source = PARTS / "DownloaderSetup.java"
        jar = home / "plugins/downloader-setup.jar"
        java.compile_jar(jar, source, f"{home}/lib/*", {_SOURCE: source.stem})
    launcher = home / "bin/dependency-check.sh"
    shutil.copy(PARTS / "launcher.sh", launcher)
    for runnable in (launcher, home / "data", root / "report"):
        runnable.chmod(0o775)
