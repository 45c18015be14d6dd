"""`--help` and `--version` must stay fast: what they must not import, they don't."""

import subprocess
import sys

import pytest

HEAVY = (
    "docker",
    "importlib.metadata",
    "jsonschema",
    "msgspec",
    "pluggy",
    "pydantic",
    "requests",
    "rich",
    "sarif_om",
)

PROBE = """
import sys
from scanrun.cli.app import run
code = run(sys.argv[1:])
print(*sorted(name for name in sys.modules), sep="\\n", file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(argument):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, argument], capture_output=True, text=True, check=True
    )

    loaded = set(done.stderr.split())
    assert "scanrun.cli.app" in loaded
    assert not loaded.intersection(HEAVY)


def test_unknown_command_names_the_nearest():
    done = subprocess.run(
        [sys.executable, "-m", "scanrun", "scann"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "no command 'scann'; did you mean 'scan'?" in done.stderr
