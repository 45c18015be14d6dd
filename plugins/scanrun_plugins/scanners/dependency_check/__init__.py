"""Dependency-Check: vulnerable packages, known by what a file says of itself.

https://owasp.org/www-project-dependency-check. Reading order: `command`, `scanner`, `databases`,
`inputs`, `stubs`, `report`, `convert`, `proof`.
"""

from scanrun.api import Scanner, hookimpl
from scanrun_plugins.scanners.dependency_check.scanner import DependencyCheck


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add the scanner."""
    return [DependencyCheck()]
