"""What is there after an install from a wheel, as pipx and uv do it.

An editable install, as the other tests have it, hides what the wheel lacks.
"""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a folder in which the built wheel is installed, without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    pip("install", "--no-deps", "--no-compile", "--target", folder / "site", wheel)
    return folder / "site"


def pip(*words):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *words]
    subprocess.run(command, check=True)


def scanrun(site, *words):
    return subprocess.run(
        [sys.executable, "-m", "scanrun", *words],
        cwd=site,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_all_of_both_packages(installed):
    held = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    wanted = {
        path.relative_to(top)
        for top in (ROOT / "src", ROOT / "plugins")
        for path in top.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert wanted - held == set()


def test_the_wheel_declares_every_plugin_and_its_typing_and_licence(installed):
    (metadata,) = installed.glob("scanrun-*.dist-info")
    points = Distribution.at(metadata).entry_points.select(group="scanrun")

    assert {point.name: point.value for point in points} == PROJECT["entry-points"]["scanrun"]
    assert (installed / "scanrun/py.typed").is_file()
    assert (metadata / "licenses/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_command_line_runs_from_the_wheel(installed):
    version = scanrun(installed, "--version")
    plugins = scanrun(installed, "plugins")

    assert (version.returncode, version.stdout) == (0, f"scanrun {PROJECT['version']}\n")
    assert plugins.returncode == 0, plugins.stderr
    assert all(name in plugins.stdout for name in ("trivy", "bandit", "gitlab", "docker", "local"))
