"""What the tree's own `sonar-project.properties` may say, where it is heeded."""

import re
from collections.abc import Mapping
from pathlib import Path

from scanrun.api import ScanError
from scanrun_plugins.scanners.sonar.properties import read_java_properties

PROJECT_FILE = "sonar-project.properties"
_LARGEST = 1 << 20
_TRIMMED = "".join(map(chr, range(33)))
"""What Java takes off the ends of a name: the scanner does so with each."""
_REFUSED = re.compile(
    r"sonar\.(?:scanner|host|region|userhome|nodejs|log|verbose)(?:\.|$)"
    r"|^\W*(?:https?|javax?|jdk|sun)\.|proxy|truststore|keystore|token(?!s)|login|password|executable",
    re.IGNORECASE,
)
"""It would start a program beside the token, send that elsewhere, or have less told in the log."""


def tree_settings(root: Path) -> Mapping[str, str]:
    """Return the settings. They are read here as Java would, for Java is to read only these.

    Raises:
        ScanError: the file can't be read.
    """
    try:
        with (root / PROJECT_FILE).open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        found = read_java_properties(content)
    except (OSError, ValueError) as error:
        raise ScanError(f"can't read {PROJECT_FILE}: {error}", hint="mend it") from error
    if len(content) > _LARGEST:
        raise ScanError(f"{PROJECT_FILE} is larger than any settings", hint="see what it is")
    trimmed = {name.strip(_TRIMMED): value for name, value in found.items()}
    return {name: value for name, value in trimmed.items() if name and not _REFUSED.search(name)}
