"""SonarQube: what its scanner uploads is analysed by a server, and read back from there.

Reading order: `scanner`, `client`, `collect` and what it calls, `convert`.
"""

from scanrun.api import Scanner, hookimpl
from scanrun_plugins.scanners.sonar.scanner import Sonar


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add SonarQube."""
    return [Sonar()]
