"""The application under test in its container: what it may, its secrets, its seed, its end."""

import io
import json
import subprocess
import tarfile
import threading
import time
import uuid

import pytest

from scanrun.api import (
    DeadlineError,
    InterruptedRunError,
    Limits,
    Service,
    StepError,
)
from scanrun_plugins.engines.docker.hardening import confined, not_enforced
from scanrun_plugins.engines.docker.owner import RUN

pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=96, pids=64, scratch_mb=8)
NASTY = "it's \"$HOME\" `id`\n\\n $(id)\t!é\r\n'"


def never():
    return threading.Event()


@pytest.fixture
def app(image):
    """Return a function that describes an application: a line of shell."""

    def make(line="sleep 60", **more):
        given = {"image": image, "port": 8080, "limits": SMALL, "ready": lambda _: True, **more}
        argv = ("/bin/sh", "-c", line)
        return Service(
            **{"name": "app", "argv": argv, "own_program": True, "watched": True, **given}
        )

    return make


@pytest.fixture
def start(app):
    def serve(session, line="sleep 60", *, secrets=None, **more):
        given = secrets or {}
        service = app(line, secrets=dict.fromkeys(given, "named"), **more)
        return session.serve(service, name="probe", cancel=never(), secrets=given)

    return serve


def log_of(running, path, *, until=""):
    """Return what it has printed, once that holds a text."""
    for _ in range(200):
        path.unlink(missing_ok=True)
        running.write_log(path)
        if until in path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"it never said {until!r}: {path.read_text()}")


def ended(running):
    for _ in range(200):
        if problem := running.problem():
            return problem
        time.sleep(0.05)
    raise AssertionError("it never ended")


def left_of(client, session):
    chosen = {"label": f"{RUN}={session._settings.run_id}"}
    return [
        *client.containers.list(all=True, filters=chosen),
        *client.volumes.list(filters=chosen),
        *client.networks.list(filters=chosen),
        *client.images.list(filters=chosen),
    ]


def test_an_own_program_writes_to_its_root_and_has_the_usual_capabilities(
    session, start, tmp_path, client
):
    running = start(
        session,
        "touch /etc/mine /tmp/mine && echo wrote; cat /proc/self/status; cat /proc/1/comm; "
        "ls /sys/class/net; echo finished; sleep 60",
    )

    said = log_of(running, tmp_path / "log", until="finished")

    capabilities = next(line for line in said.splitlines() if line.startswith("CapEff"))
    assert "wrote" in said
    assert int(capabilities.split()[1], 16).bit_count() == 14
    assert "NoNewPrivs:\t1" in said
    assert "docker-init" in said or "tini" in said
    host = client.containers.get(running.made.container).attrs["HostConfig"]
    assert (host["Memory"], host["PidsLimit"], host["Privileged"]) == (96 << 20, 64, False)
    assert host["ReadonlyRootfs"] is False
    networks = client.containers.get(running.made.container).attrs["NetworkSettings"]["Networks"]
    assert {client.networks.get(each).attrs["Internal"] for each in networks} == {True}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"Memory": 0}, "memory limit"),
        ({"PidsLimit": None}, "process limit"),
        ({"SecurityOpt": None}, "no-new-privileges"),
        ({"Privileged": True}, "unprivileged"),
        ({"CapAdd": ["SYS_ADMIN"]}, "dropped capabilities"),
        ({"NetworkMode": "host"}, "network"),
        ({"Init": None}, "init process"),
        ({"Tmpfs": {}}, "scratch space"),
    ],
)
def test_what_the_engine_drops_of_an_own_programs_limits_is_told(change, name):
    asked = confined(SMALL, network="mine", mounts=(), podman=False)
    networks = {"Networks": {"mine": {}}}
    right = {"HostConfig": asked, "Config": {}, "NetworkSettings": networks}
    wrong = {**right, "HostConfig": {**asked, **change}}

    def dropped(found):
        return not_enforced(asked, found, networks=["mine"], user=None, own_program=True)

    assert (dropped(right), dropped(wrong)) == ([], [name])


def test_a_secret_arrives_exactly_and_stands_nowhere_else(session, start, tmp_path, client):
    planted = f"{uuid.uuid4().hex}{NASTY}"
    running = start(
        session,
        'printf %s "$PASSWORD" > /got; echo "have ${#OTHER}"; sleep 60',
        secrets={"PASSWORD": planted, "OTHER": "four"},
        env={"PASSWORD": "overruled"},
    )
    log = log_of(running, tmp_path / "log", until="have 4")

    code, words = running.execute(
        ("/bin/sh", "-c", '[ "$(cat /got; echo .)" = "$PASSWORD." ] && echo same'),
        timeout_s=20,
        cancel=never(),
    )
    chunks, _ = client.containers.get(running.made.container).get_archive("/got")
    got = b"".join(chunks)
    seen = json.dumps(client.api.inspect_container(running.made.container)) + log
    seen += json.dumps([client.api.inspect_volume(each) for each in running.made.volumes])
    argv = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True)

    assert planted.encode() in got
    assert (code, words) == (0, "same")
    for text in (seen, argv.stdout):
        assert planted[:32] not in text
        assert json.dumps(planted)[1:-1] not in text


@pytest.fixture(scope="module")
def built(client, image):
    """Return a function that makes an image from a Dockerfile; all are removed at the end."""
    made = []

    def make(text):
        recipe = io.BytesIO(f"FROM {image}\n{text}".encode())
        found, _ = client.images.build(fileobj=recipe, rm=True)
        made.append(found.id)
        return found.id

    yield make
    for each in made:
        client.images.remove(each, force=True)


@pytest.fixture
def no_shell(client):
    """Make an image that holds one empty file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("program"))
    repository, tag = "scanrun-test/no-shell", uuid.uuid4().hex[:12]
    client.api.import_image_from_data(stream.getvalue(), repository=repository, tag=tag)
    yield f"{repository}:{tag}"
    client.images.remove(f"{repository}:{tag}", force=True)


@pytest.mark.parametrize("user", ["", "1234", "1234:77", "app"])
def test_whoever_the_images_user_is_reads_the_secret_with_entry_point_and_command_kept(
    session, app, built, tmp_path, user
):
    made = built(
        "RUN echo app:x:1500:1500:::/bin/sh >> /etc/passwd\n"
        f"{f'USER {user}' if user else ''}\n"
        'ENTRYPOINT ["/bin/sh", "-c", "id -u; echo $0 $1 $TOKEN; sleep 60"]\n'
        'CMD ["first", "second $HOME"]\n'
    )
    secret = uuid.uuid4().hex
    service = app(image=made, argv=(), secrets={"TOKEN": "named"})

    running = session.serve(service, name="p", cancel=never(), secrets={"TOKEN": secret})

    said = log_of(running, tmp_path / "log", until=secret)
    number = {"": "0", "app": "1500"}.get(user, "1234")
    assert said == f"{number}\nfirst second $HOME {secret}\n"


def test_an_image_without_a_shell_is_told_what_to_do_and_leaves_nothing(
    session, app, client, no_shell
):
    service = app(image=no_shell, secrets={"TOKEN": "named"})

    with pytest.raises(StepError, match="/bin/sh hands the secrets to 'app'") as caught:
        session.serve(service, name="p", cancel=never(), secrets={"TOKEN": "x"})

    assert "add a shell" in caught.value.hint
    assert left_of(client, session) == []


def test_a_secret_that_no_variable_can_hold_is_refused(session, start, client):
    with pytest.raises(StepError, match="NUL"):
        start(session, secrets={"TOKEN": "a\0b"})

    assert left_of(client, session) == []


def test_an_image_that_says_of_no_command_is_refused(session, app, client):
    with pytest.raises(StepError, match="no command") as caught:
        session.serve(app(argv=()), name="p", cancel=never())

    assert "`command`" in caught.value.hint
    assert left_of(client, session) == []


def test_a_command_beside_the_application_ends_with_its_code_and_last_words(session, start):
    running = start(session)

    assert running.execute(
        ("/bin/sh", "-c", "echo error: no such table; echo bye; exit 3"),
        timeout_s=20,
        cancel=never(),
    ) == (3, "error: no such table")
    code, words = running.execute(("/nowhere",), timeout_s=20, cancel=never())
    assert code in (126, 127)
    assert "/nowhere" in words


def test_a_command_that_prints_without_end_is_ended_at_its_deadline_with_its_container(
    session, start
):
    running = start(session)

    with pytest.raises(DeadlineError, match="'yes' was stopped: it ran longer than 1 s"):
        running.execute(("yes",), timeout_s=1, cancel=never())

    assert "ended with exit code 137" in ended(running)


def test_a_command_is_left_when_the_run_is_to_end(session, start):
    running, cancel = start(session), threading.Event()
    threading.Timer(0.3, cancel.set).start()

    with pytest.raises(InterruptedRunError):
        running.execute(("sleep", "60"), timeout_s=60, cancel=cancel)

    assert ended(running)


def test_an_application_that_began_anew_is_a_problem(session, start, client):
    running = start(session)
    before = running.problem()

    client.containers.get(running.made.container).restart(timeout=0)

    assert before == ""
    assert "'app' has ended, and was started again" in running.problem()


def test_a_child_killed_for_its_memory_is_a_problem_while_the_application_runs(session, start):
    running = start(
        session, "dd if=/dev/zero of=/dev/null bs=200M; echo 'fatal: no worker'; sleep 60"
    )

    problem = ended(running)

    assert "a process of 'app' was killed for its 96 MB of memory" in problem


def test_a_paused_application_is_a_problem(session, start, client):
    running = start(session)
    client.containers.get(running.made.container).pause()

    assert "'app' was paused" in running.problem()
    client.containers.get(running.made.container).unpause()


def test_an_application_that_ends_says_how(session, start):
    running = start(session, "echo 'Error: DATABASE_URL is not set'; echo bye; exit 7")

    assert ended(running) == (
        "'app' ended with exit code 7; it said: Error: DATABASE_URL is not set"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sleep 60", "nothing listens in its container yet"),
        (
            "busybox httpd -p 127.0.0.1:8080; sleep 60",
            "it listens on 127.0.0.1 alone: have it listen on 0.0.0.0, where others reach it",
        ),
        ("busybox nc -l -p 5000; sleep 60", "it listens on port 5000, and app.port is 8080"),
    ],
    ids=["nothing", "loopback", "elsewhere"],
)
def test_advice_tells_what_listens(session, start, line, expected):
    running = start(session, f"echo hello; {line}")

    for _ in range(100):
        if (found := running.advice()) == f"{expected}; it said: hello":
            break
        time.sleep(0.05)

    assert found == f"{expected}; it said: hello"


def test_advice_tells_what_the_image_exposes(session, app, built):
    made = built('EXPOSE 3000 9090/udp\nCMD ["sleep", "60"]\n')
    running = session.serve(app(image=made, argv=()), name="p", cancel=never())

    assert running.advice().startswith("the image exposes 3000, and app.port is 8080; ")
