"""Checkov: mistakes in infrastructure as code. Read from its JSON; its SARIF hides broken files.

https://www.checkov.io
"""

from scanrun.api import Scanner, hookimpl
from scanrun_plugins.scanners.checkov.scanner import Checkov


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add Checkov."""
    return [Checkov()]
