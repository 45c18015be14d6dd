from pathlib import Path

import pytest
from scanrun_flawfinder import REPORT, Flawfinder

from scanrun.api import ConversionError
from scanrun.testing import outputs

DATA = Path(__file__).parent / "data"


def test_level_becomes_severity(check_scanner):
    (copy,) = check_scanner(Flawfinder(), DATA / "one-hit.sarif")

    assert (copy.rule_id, copy.path, copy.line) == ("FF1001", "a.c", 3)
    assert copy.severity.value == "high"


def test_traceback_is_an_error_not_a_clean_scan():
    with pytest.raises(ConversionError):
        list(Flawfinder().convert(outputs(REPORT, b"Traceback (most recent call last):\n")))
