"""A pytest plugin for authors of plugins: `check_scanner`, `conformance`, `outputs`, `FakeEngine`.

pytest loads this module in every environment that scanrun is installed in, so it imports nothing
of ours before a test asks for it.
"""

from typing import Any

import pytest

__all__ = ["FakeEngine", "Reply", "check_scanner", "conformance", "outputs"]

_HOMES = {
    "FakeEngine": "scanrun.testing.fake",
    "Reply": "scanrun.testing.fake",
    "conformance": "scanrun.testing.conform",
    "outputs": "scanrun.testing.conform",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see the module's docstring

    return getattr(import_module(_HOMES[name]), name)


@pytest.fixture
def check_scanner() -> Any:  # noqa: ANN401 - its type would have to be imported
    """Return `scanrun.testing.conform.check_scanner`: convert a report, and check the scanner."""
    from scanrun.testing.conform import check_scanner as check  # noqa: PLC0415

    return check
