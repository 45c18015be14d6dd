"""A jar in which Dependency-Check finds Log4Shell, whatever NVD database it has."""

import zipfile
from io import BytesIO

RULE_ID = "CVE-2021-44228"
NAME = "log4j-core-2.14.1.jar"

_MAVEN = "META-INF/maven/org.apache.logging.log4j/log4j-core"
_FILES = {
    "META-INF/MANIFEST.MF": (
        "Manifest-Version: 1.0\n"
        "Implementation-Title: Apache Log4j Core\n"
        "Implementation-Vendor: The Apache Software Foundation\n"
        "Implementation-Version: 2.14.1\n"
    ),
    f"{_MAVEN}/pom.properties": (
        "version=2.14.1\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\n"
    ),
    f"{_MAVEN}/pom.xml": (
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.apache.logging.log4j</groupId>"
        "<artifactId>log4j-core</artifactId><version>2.14.1</version></project>\n"
    ),
}


def jar() -> bytes:
    """Return it: what says its name and version, and no code."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, text in _FILES.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return written.getvalue()
