"""Trivy: vulnerable packages, misconfiguration, secrets and licences, in a tree or in an image.

https://trivy.dev. Reading order: `command`, `tree` and `image`, `report`, `convert`, `proof`.
"""

from scanrun.api import Scanner, hookimpl
from scanrun_plugins.scanners.trivy.image import TrivyImage
from scanrun_plugins.scanners.trivy.tree import Trivy


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add the tree scanner and the image scanner."""
    return [Trivy(), TrivyImage()]
