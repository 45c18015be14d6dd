"""Which program runs compose files, and what it is told: programs are stand-ins here."""

import json
import threading
import time
from pathlib import Path

import pytest

from scanrun.api import DeadlineError, InterruptedRunError, MissingToolError, StepError
from scanrun_plugins.engines.docker.compose_program import environment_of, find_program
from scanrun_plugins.engines.docker.endpoint import Endpoint, TlsFiles

HERE = Endpoint("unix:///run/own.sock", "test")


@pytest.fixture
def install(tmp_path):
    """Return a function that installs a stand-in: a few lines of shell."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(name, lines):
        program = folder / name
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(0o755)

    return make


@pytest.fixture
def find(tmp_path):
    """Return a function that finds the program, for a caller with these variables."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def found(endpoint=HERE, **caller):
        given = {"PATH": str(tmp_path / "bin"), **caller}
        return find_program(given, endpoint, scratch, scratch / "app.log", threading.Event())

    return found


def test_the_plugin_goes_before_the_program_of_its_own(install, find):
    install("docker", "echo v2.24.1-desktop.1")
    install("docker-compose", "echo 1.29.2")

    program = find()

    assert program.title == "docker compose 2.24.1-desktop.1"
    assert not program.first_generation


@pytest.mark.parametrize("broken", ["exit 1", "echo usage: docker", ":"])
def test_a_docker_program_without_the_plugin_is_passed_over(install, find, broken):
    install("docker", broken)
    install("docker-compose", "echo 1.29.2")

    program = find()

    assert program.title == "docker-compose 1.29.2"
    assert program.first_generation


def test_a_program_that_is_too_old_is_named(install, find):
    install("docker-compose", "echo 1.25.0")

    with pytest.raises(MissingToolError, match=r"docker-compose is version 1\.25\.0, .* too old"):
        find()


def test_without_a_program_it_says_what_to_install(find):
    with pytest.raises(MissingToolError, match="not here") as told:
        find()

    assert "docker-compose" in told.value.hint


def test_the_program_gets_the_engine_and_no_variable_of_the_callers(install, find, tmp_path):
    install("docker-compose", 'if [ "$1" = version ]; then echo 1.29.2; else /usr/bin/env; fi')
    tls = TlsFiles(tmp_path / "certificates")
    program = find(Endpoint("tcp://own:2376", "test", tls), SECRET="x", HOME="/home/me")

    program.run(("up",), "trying", 20, threading.Event())

    printed = dict(line.split("=", 1) for line in program.log.read_text().splitlines())
    assert "SECRET" not in printed
    assert printed["DOCKER_HOST"] == "tcp://own:2376"
    assert printed["DOCKER_TLS_VERIFY"] == "1"
    assert printed["DOCKER_CERT_PATH"] == str(tls.folder)
    assert printed["HOME"] == "/home/me"


def test_an_agent_is_passed_on_where_the_engine_is_reached_through_it(tmp_path):
    caller = {"PATH": "/bin", "SSH_AUTH_SOCK": "/agent"}

    assert "SSH_AUTH_SOCK" not in environment_of(caller, HERE, tmp_path)
    assert "SSH_AUTH_SOCK" in environment_of(caller, Endpoint("ssh://own", "test"), tmp_path)


def test_a_file_is_resolved_with_the_configurations_variables_and_not_with_what_steers_us(
    install, find, tmp_path
):
    install(
        "docker-compose",
        'if [ "$1" = version ]; then echo 2.1.0; exit; fi\n'
        'echo "services: {web: {environment: {A: $A, P: $LD_PRELOAD, D: $DOCKER_HOST}}}"\n'
        'echo "args: $@" >&2',
    )
    file = tmp_path / "compose.yaml"
    given = {"A": "5$$", "LD_PRELOAD": "/evil.so", "DOCKER_HOST": "tcp://evil"}
    program = find()

    model = program.resolve(file, "p", given, threading.Event())

    environment = model["services"]["web"]["environment"]
    assert environment == {"A": "5$", "P": None, "D": "unix:///run/own.sock"}
    assert f"--project-directory {tmp_path} --file {file}" in program.log.read_text()


def test_a_model_is_written_for_its_owner_alone_and_means_what_it_says(install, find):
    install("docker-compose", "echo 2.1.0")

    file = find().write({"a": ["5$ $$ä\u2028", {"b": None, "c": 1}]})

    assert json.loads(file.read_bytes()) == {"a": ["5$$ $$$$ä\u2028", {"b": None, "c": 1}]}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def slow(install, find):
    install(
        "docker-compose",
        'if [ "$1" = version ]; then echo 2.1.0; exit; fi\n'
        "echo $$ > pid; echo waiting for db; /bin/sleep 60 & wait",
    )
    return find()


def _gone(pid):
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


def test_a_program_that_hangs_is_killed_and_its_last_words_are_told(slow):
    with pytest.raises(DeadlineError, match=r"starting 'web': .* 0\.5 s; it said: waiting for db"):
        slow.run(("up",), "starting 'web'", 0.5, threading.Event())

    assert _gone((slow.folder / "pid").read_text().strip())


def test_an_interrupt_ends_the_program(slow):
    cancel = threading.Event()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()

    with pytest.raises(InterruptedRunError):
        slow.run(("up",), "starting 'web'", 60, cancel)

    assert _gone((slow.folder / "pid").read_text().strip())


def test_an_error_has_the_line_that_tells_most(install, find):
    install(
        "docker-compose",
        'if [ "$1" = version ]; then echo 2.1.0; exit; fi\n'
        "printf 'pulling\\nERROR: no space\\nbye\\n' >&2; exit 17",
    )
    program = find()

    with pytest.raises(StepError, match=r"docker-compose 2\.1\.0 said: ERROR: no space$"):
        program.run(("up",), "starting 'web'", 20, threading.Event())


def test_what_is_resolved_is_read_with_limits(install, find, tmp_path):
    install(
        "docker-compose",
        'if [ "$1" = version ]; then echo 2.1.0; exit; fi\nyes -- "- x" | head -n 200000',
    )

    with pytest.raises(StepError, match="stands for more than"):
        find(PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin").resolve(
            tmp_path / "c.yaml", "p", {}, threading.Event()
        )
