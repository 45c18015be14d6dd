"""The old Java archives of the example application, without the programs in them.

What is left is what tells a scanner whose they are: the manifest, and Maven's record of the
package. `python3 lab/jars.py` writes them again; they are the same bytes each time.
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

LIB = Path(__file__).resolve().parent.parent / "examples/vulnerable-app/lib"


@dataclass(frozen=True, slots=True)
class Jar:
    """One archive: its coordinates, and what its manifest says."""

    group: str
    artifact: str
    version: str
    manifest: dict[str, str] = field(default_factory=dict)
    maven: bool = True
    """Whether Maven built it, and left its record inside."""

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return f"{self.artifact}-{self.version}.jar"


JARS = (
    Jar(
        "org.apache.logging.log4j",
        "log4j-core",
        "2.14.1",
        {
            "Bundle-SymbolicName": "org.apache.logging.log4j.core",
            "Implementation-Title": "Apache Log4j Core",
            "Implementation-Vendor": "The Apache Software Foundation",
        },
    ),
    Jar(
        "commons-fileupload",
        "commons-fileupload",
        "1.3",
        {
            "Bundle-SymbolicName": "org.apache.commons.fileupload",
            "Implementation-Title": "Apache Commons FileUpload",
            "Implementation-Vendor": "The Apache Software Foundation",
        },
    ),
    Jar("com.squareup.okhttp3", "okhttp", "3.14.2", {"Automatic-Module-Name": "okhttp3"}),
    Jar(
        "ch.qos.logback",
        "logback-core",
        "1.2.11",
        {"Bundle-SymbolicName": "ch.qos.logback.core", "Bundle-Vendor": "QOS.ch"},
    ),
    Jar(
        "com.h2database",
        "h2",
        "2.1.214",
        {
            "Bundle-SymbolicName": "com.h2database",
            "Implementation-Title": "H2 Database Engine",
            "Implementation-Vendor": "H2 Group",
        },
        maven=False,
    ),
)


def write(folder: Path) -> None:
    """Write all archives into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for jar in JARS:
        with zipfile.ZipFile(folder / jar.name, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in members(jar).items():
                entry = zipfile.ZipInfo(name)  # its time is 1980, always
                archive.writestr(entry, text, zipfile.ZIP_DEFLATED)


def members(jar: Jar) -> dict[str, str]:
    """Return the files of an archive, by name."""
    manifest = {"Manifest-Version": "1.0", **jar.manifest, "Implementation-Version": jar.version}
    files = {"META-INF/MANIFEST.MF": "".join(f"{key}: {manifest[key]}\r\n" for key in manifest)}
    if jar.maven:
        record = f"META-INF/maven/{jar.group}/{jar.artifact}"
        files[f"{record}/pom.properties"] = (
            f"version={jar.version}\ngroupId={jar.group}\nartifactId={jar.artifact}\n"
        )
        files[f"{record}/pom.xml"] = (
            '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
            "  <modelVersion>4.0.0</modelVersion>\n"
            f"  <groupId>{jar.group}</groupId>\n"
            f"  <artifactId>{jar.artifact}</artifactId>\n"
            f"  <version>{jar.version}</version>\n"
            "</project>\n"
        )
    return files


if __name__ == "__main__":
    write(LIB)
