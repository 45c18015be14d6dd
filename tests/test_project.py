"""Facts that the project keeps in two places, and what its files must never hold."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import scanrun
from scanrun.errors import ExitCode

ROOT = Path(__file__).parent.parent
APP = ROOT / "examples/vulnerable-app"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PIN = re.compile(r"([a-z0-9][a-z0-9.-]*)==([0-9][0-9a-z.]*)")


def project_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def holding(pattern):
    """Return the project's files that hold `pattern`, which is for bytes."""
    found = re.compile(pattern)
    return [
        str(path.relative_to(ROOT)) for path in project_files() if found.search(path.read_bytes())
    ]


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(PIN.fullmatch(line).groups() for line in lines)


def test_the_version_is_the_same_in_the_package_and_its_metadata():
    assert PROJECT["version"] == scanrun.__version__ == installed_version("scanrun")


def test_constraints_are_pins_and_nothing_else():
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert [line for line in lines if not PIN.fullmatch(line)] == []
    assert list(pins()) == sorted(pins())


def test_every_dependency_has_a_pin_that_it_allows():
    extras = PROJECT["optional-dependencies"].values()
    wanted = map(Requirement, [*PROJECT["dependencies"], *(each for one in extras for each in one)])
    pinned = pins()

    refused = [
        str(each) for each in wanted if pinned[canonicalize_name(each.name)] not in each.specifier
    ]

    assert refused == []


def test_our_own_images_have_the_pins_that_the_tests_ran_with():
    lines = [
        line
        for requirements in (ROOT / "images").glob("*/requirements.txt")
        if requirements.parent.name != "wapiti"  # it wants older versions than the project
        for line in requirements.read_text().splitlines()
    ]

    assert lines
    assert set(lines) <= {f"{name}=={pin}" for name, pin in pins().items()}


def test_no_file_names_a_path_of_somebodys_machine():
    places = r"work/(main|shared|[.]library)|tmp/v/|root/[.a-z]"

    assert holding(f"(?<![\\w.])/({places})".encode()) == []


def test_no_file_names_a_host_of_a_package_registry():
    hosts = (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry.npmjs", "org"),
        ("deb.debian", "org"),
        ("proxy.golang", "org"),
        ("repo.maven.apache", "org"),
        ("static.crates", "io"),
    )
    pattern = "|".join(re.escape(".".join(host)) for host in hosts)

    assert holding(pattern.encode()) == []


def test_no_file_holds_anything_shaped_like_a_key():
    shapes = (
        rb"(?<![A-Z0-9])(AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",
        rb"\b(gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|xox[bp]-[\w-]{20})",
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]{64}",
    )

    assert [file for shape in shapes for file in holding(shape)] == []


def test_the_example_applications_lock_file_names_no_download_address():
    lock = json.loads((APP / "package-lock.json").read_text())

    packages = lock["packages"].values()

    assert [each for each in packages if "resolved" in each] == []
    assert {"minimist", "axios"} <= lock["packages"][""]["dependencies"].keys()


def test_the_example_application_is_left_out_of_our_own_checks():
    shown = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--show-files", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    files = shown.stdout.splitlines()
    assert str(ROOT / "tests/test_project.py") in files
    assert [file for file in files if file.startswith(str(APP))] == []


def test_every_shell_script_is_executable_and_checked_by_make_lint():
    scripts = {
        str(path.relative_to(ROOT))
        for path in project_files()
        if path.read_bytes().startswith((b"#!/usr/bin/env bash", b"#!/bin/sh", b"#!/bin/bash"))
        and "data" not in path.parts
    }
    (checked,) = re.findall(r"^SCRIPTS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert scripts == set(checked.split())
    assert [each for each in scripts if not os.access(ROOT / each, os.X_OK)] == []


def test_the_readme_names_every_exit_code():
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert [int(row) for row in rows] == [int(code) for code in ExitCode]


def test_every_link_to_a_file_in_the_readme_leads_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())

    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_names_the_image_of_ours_as_its_dockerfile_does():
    command = "docker build -t scanrun/detect-secrets:1.5.0 images/detect-secrets"

    assert command in (ROOT / "images/detect-secrets/Dockerfile").read_text()
    assert command in (ROOT / "README.md").read_text()


def test_the_readmes_make_commands_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    documents = (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "lab/README.md"))
    named = {
        word
        for text in documents
        for word in re.findall(r"(?:^|`)make (\w+)", text.read_text(), re.MULTILINE)
    }

    assert {"demo", "test"} <= named <= set(targets)


# --- what a bare machine is told ---------------------------------------------------------------


@pytest.fixture
def bare(tmp_path):
    """Return a function that runs `.ci/venv` where only the given programs are on PATH."""
    project = tmp_path / "project"
    (project / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci/venv", project / ".ci")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, project)

    def run(**programs):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("bash", "env", "dirname", "rm", "touch"):
            (folder / name).symlink_to(shutil.which(name))
        for name, script in programs.items():
            (folder / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
            (folder / name).chmod(0o755)
        command = [project / ".ci/venv", "local"]
        environment = {"PATH": str(folder)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        ), project / ".venv"

    return run


NO_VENV_MODULE = f'[[ "$*" == *ensurepip* ]] && exit 1; exec {sys.executable} "$@"'


def test_without_the_venv_module_the_line_that_installs_it_is_told(bare):
    done, venv = bare(python3=NO_VENV_MODULE, **{"apt-get": ""})

    package = "python{}.{}-venv".format(*sys.version_info)
    assert done.returncode == 1
    assert f"sudo apt-get install -y {package}\n" in done.stderr
    assert not venv.exists()


def test_without_a_new_enough_python_the_line_that_installs_it_is_told(bare):
    done, venv = bare(python3="exit 1", **{"apt-get": ""})

    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "sudo apt-get install -y python3 python3-venv" in done.stderr
    assert not venv.exists()


def test_where_there_is_no_apt_no_line_for_it_is_told(bare):
    done, _ = bare()

    assert done.returncode == 1
    assert "Install it and try again" in done.stderr
    assert "apt-get" not in done.stderr


def test_an_environment_that_could_not_be_finished_is_not_taken_for_one(bare):
    fails_to_install = f"""
case "$*" in
  "-m venv"*) mkdir -p .venv/bin; printf '#!/bin/bash\\nexit 7' >.venv/bin/python
              chmod +x .venv/bin/python ;;
  *) exec {sys.executable} "$@" ;;
esac"""
    done, venv = bare(
        python3=fails_to_install,
        mkdir=f'exec {shutil.which("mkdir")} "$@"',
        chmod=f'exec {shutil.which("chmod")} "$@"',
    )

    assert done.returncode == 7
    assert (venv / "bin/python").exists()
    assert list(venv.glob(".made-*")) == []
