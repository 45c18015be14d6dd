"""wapiti: a running web application. Its exit code and its empty report prove nothing.

https://wapiti-scanner.github.io
"""

from scanrun.api import Scanner, hookimpl
from scanrun_plugins.scanners.wapiti.scanner import Wapiti


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add wapiti."""
    return [Wapiti()]
