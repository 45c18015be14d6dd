"""Java for images, from the JDKs of this machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import rootfs

HOME = "opt/java"
_JVMS = Path("/usr/lib/jvm")
_MODULES = (
    *("java.compiler", "java.desktop", "java.instrument", "java.management", "java.naming"),
    *("java.rmi", "java.scripting", "java.security.sasl", "java.sql", "java.transaction.xa"),
    # without the last three: no https, no HTTP client, a warning of Lucene, no nested archives
    *("jdk.unsupported", "jdk.crypto.ec", "jdk.net", "jdk.management", "jdk.zipfs"),
)
# sources, symbols of old versions, and what a server without a screen has no use for
_NOT_COPIED = (
    *("src.zip", "ct.sym", "jmods", "legal", "man", "include", "*_coh.jsa"),
    *("libawt_xawt.so", "libjsound.so", "libsplashscreen.so"),
)


def jdk(oldest: int, *, install: str = "openjdk-17-jdk-headless") -> Path:
    """Return the oldest JDK of this machine from version `oldest` on."""
    homes = [Path(os.environ.get("JAVA_HOME") or "/nonexistent"), *sorted(_JVMS.glob("*"))]
    found = [(version(home), home.resolve()) for home in homes if (home / "bin/jlink").exists()]
    fitting = sorted(each for each in found if each[0] >= oldest)
    if not fitting:
        raise rootfs.LabError(
            f"no JDK {oldest} or later in {_JVMS}: install {install}, or unpack one there"
        )
    return fitting[0][1]


def version(home: Path) -> int:
    """Return the major version of a Java, 0 when it does not say."""
    release = home / "release"
    text = release.read_text() if release.exists() else ""
    told = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE)
    return int(told[1]) if told else 0


def runtime(root: Path) -> None:
    """Add a Java that runs programs, of the modules that Dependency-Check's own image has."""
    command = [
        *(str(jdk(11) / "bin/jlink"), "--strip-debug", "--no-header-files", "--no-man-pages"),
        *("--compress=2", "--add-modules", ",".join(_MODULES), "--output", str(root / HOME)),
    ]
    (root / HOME).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    _link(root)


def development_kit(root: Path) -> None:
    """Add a whole JDK: Elasticsearch wants modules that no run-time image has."""
    ignore = shutil.ignore_patterns(*_NOT_COPIED)
    kit = jdk(21, install="Temurin 25 (Debian 12 itself has only 17)")
    shutil.copytree(kit, root / HOME, symlinks=True, ignore=ignore)
    _link(root)
    rootfs.copy(root, _c_runtime())


def compile_jar(jar: Path, source: Path, classpath: str, services: dict[str, str]) -> None:
    """Compile one class into `jar`, which offers `services` (interface -> class)."""
    home = jdk(11)
    classes = jar.with_suffix("")
    javac: list[str | Path] = [home / "bin/javac", "--release", "11", "-cp", classpath]
    subprocess.run([*javac, "-d", classes, source], check=True)
    for interface, name in services.items():
        place = classes / "META-INF/services" / interface
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{name}\n")
    subprocess.run([home / "bin/jar", "cf", jar, "-C", classes, "."], check=True)
    shutil.rmtree(classes)


def _link(root: Path) -> None:
    """Add the libraries of the Java in `root`, and a locale without which names must be ASCII."""
    home = root / HOME
    rootfs.copy_libraries(root, [*home.glob("bin/*"), *home.rglob("*.so")])
    locale = Path("usr/lib/locale/C.utf8")
    if (Path("/") / locale).is_dir():
        shutil.copytree(Path("/") / locale, root / locale, dirs_exist_ok=True)


def _c_runtime() -> Iterable[Path]:
    """Return the libraries that Elasticsearch and the JavaScript analyser's Node.js load."""
    names = r"lib(?:stdc\+\+|gcc_s|resolv|nss_dns|nss_files)\.so\.\d+"
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    return map(Path, re.findall(rf"{names} \(libc6,x86-64\S* => (\S+)", listed.stdout))
