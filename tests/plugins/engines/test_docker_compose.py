"""An application that is a service of a compose file, on the real engine with the real program."""

import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from scanrun.api import (
    Compose,
    InterruptedRunError,
    Limits,
    MissingToolError,
    Service,
    StepError,
)
from scanrun_plugins.engines.docker.owner import RUN
from scanrun_plugins.engines.docker.reaping import things

pytestmark = pytest.mark.docker

ORDINARY = """
services:
  web:
    image: shop/web
    build: {context: ., args: {GREETING: "hello"}}
    command: >-
      sh -c 'echo "$$TOKEN $$PRICE $$FROM_FILE" > /tmp/told;
      exec /bin/busybox httpd -f -p 8080 -h /srv'
    container_name: shop
    ports: ["127.0.0.1::8080"]
    environment: {PRICE: "5$$", NOTHING: , TOLD: "${GIVEN:-none} ${FROM_TREE} ${CALLERS:-none}"}
    env_file: [web.env]
    secrets: [motd]
    volumes: ["./pages:/srv", "./pages/motd:/etc/motd:ro", "data:/data"]
    depends_on:
      db: {condition: service_healthy}
      job: {condition: service_completed_successfully}
      fill: {condition: service_started}
    restart: always
    deploy: {replicas: 3}
  db:
    image: IMAGE
    command: sh -c 'touch /data/db; exec sleep 600'
    user: "0"
    volumes: ["data:/data"]
    mem_limit: 48m
    healthcheck: {test: [CMD, cat, /data/db], interval: 1s, timeout: 5s, retries: 60}
    networks: {default: {aliases: [store]}}
  job: {image: IMAGE, command: /job.sh, volumes: ["./job.sh:/job.sh"]}
  fill: {image: IMAGE, command: "cat /etc/marker"}
  tools: {image: IMAGE, privileged: true, volumes: ["/var/run/docker.sock:/s"]}
volumes: {data: {name: shop-data}}
secrets: {motd: {file: pages/motd}}
"""
FILES = {
    "Dockerfile": "FROM IMAGE\nARG GREETING\nRUN echo $GREETING > /etc/greeting\n",
    ".env": "FROM_TREE=tree",
    "web.env": "FROM_FILE=file",
    "job.sh": "#!/bin/sh\necho the job is done\n",
    "pages/motd": "good day",
    "pages/sub/page": "sub",
}


@pytest.fixture
def compose(program, image, tmp_path):
    """Return a function that describes a service of a compose file."""
    program("docker-compose", "docker-compose")

    def make(text, *, files=None, service="web", allowed=(), folder="", **more):
        root = Path(folder) if folder else tmp_path / "shop"
        for name, content in {"compose.yaml": text, **(files or {})}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("IMAGE", image))
            path.chmod(0o755 if name.endswith(".sh") else 0o644)
        if files:
            (root / "pages" / "out").symlink_to("/etc/shadow")
        asked = Compose(
            file=root / "compose.yaml", service=service, root=root, allowed=frozenset(allowed)
        )
        given = {"limits": Limits(memory_mb=64, pids=50), "start_s": 90.0, **more}
        return Service(
            name="app",
            compose=asked,
            port=8080,
            ready=lambda _: True,
            own_program=True,
            watched=True,
            **given,
        )

    return make


@pytest.fixture
def serve(session):
    def start(service, *, cancel=None, **more):
        return session.serve(service, name="probe", cancel=cancel or threading.Event(), **more)

    return start


def made_by(client, session):
    """Return the kinds of all that a run has on the engine."""
    return [each.kind for each in things(client.api, f"{RUN}={session._settings.run_id}")]


def answer(running, path):
    for _ in range(100):
        with suppress(OSError), urllib.request.urlopen(running.address.url + path) as response:
            return response.read()
        time.sleep(0.1)
    raise AssertionError("it never answered")


def container(client, running, name):
    chosen = [
        f"scanrun.compose={running.project}",
        f"com.docker.compose.service={name}",
    ]
    (found,) = client.containers.list(all=True, filters={"label": chosen})
    return found


def test_an_ordinary_file_runs_closed_in_and_nothing_of_it_stays(  # noqa: PLR0917 - fixtures
    compose, serve, session, shell, client, tmp_path, monkeypatch
):
    monkeypatch.setenv("CALLERS", "a secret")
    told = []
    monkeypatch.chdir(tmp_path)
    service = compose(
        ORDINARY, files=FILES, folder="shop", secrets={"TOKEN": "t"}, env={"GIVEN": "by$us"}
    )
    values = {"TOKEN": "it's $ecret"}
    running = serve(service, secrets=values, say=told.append, log=tmp_path / "log")

    assert answer(running, "/motd") == b"good day"
    assert answer(running, "/sub/page") == b"sub"
    assert running.problem() == ""
    assert any("building Dockerfile with" in line for line in told)
    # from where scanners stand
    outcome = shell(session, "wget -q -O - http://app:8080/motd", beside=[running])
    assert outcome.log.read_bytes().endswith(b"good day")

    def seen(*argv):
        return running.execute(argv, timeout_s=20, cancel=threading.Event())

    assert seen("cat", "/tmp/told") == (0, "it's $ecret 5$ file")
    assert seen("cat", "/etc/greeting") == (0, "hello")
    assert seen("cat", "/etc/motd") == (0, "good day")
    assert seen("cat", "/run/secrets/motd") == (0, "good day")
    assert seen("cat", "/data/db")[0] == 0
    assert seen("cat", "/srv/out")[0] != 0
    assert seen("sh", "-c", "echo changed > /srv/motd")[0] == 0
    assert (tmp_path / "shop/pages/motd").read_text() == "good day"

    web, db = container(client, running, "web"), container(client, running, "db")
    assert {"TOLD=by$us tree none", "GIVEN=by$us"} <= set(web.attrs["Config"]["Env"])
    assert "$ecret" not in str(web.attrs)
    assert web.name != "shop"
    assert not web.attrs["HostConfig"]["PortBindings"]
    assert web.attrs["HostConfig"]["Memory"] == 64 << 20
    assert db.attrs["HostConfig"]["Memory"] == 48 << 20
    assert web.attrs["HostConfig"]["PidsLimit"] == 50
    assert web.attrs["HostConfig"]["Dns"] == ["127.0.0.1"]
    assert "bad address" not in seen("/bin/busybox", "nc", "-w", "2", "store", "9")[1]
    for name in web.attrs["NetworkSettings"]["Networks"]:
        assert client.networks.get(name).attrs["Internal"]
    assert not [each for each in client.volumes.list() if each.name == "shop-data"]
    assert set(made_by(client, session)) == {"container", "volume", "network", "image"}

    running.write_log(tmp_path / "log")
    log = (tmp_path / "log").read_text()
    assert "greeting" in log
    assert "Starting" in log
    assert "== job ==\nthe job is done" in log
    running.stop()
    assert set(made_by(client, session)) == {"image"}
    session.close()
    assert made_by(client, session) == []


SMALL = """
services:
  web: {image: IMAGE, command: "/bin/busybox httpd -f -p 8080 -h /etc", depends_on: [db, job]}
  db: {image: IMAGE, command: "sh -c 'echo FATAL: no disk; exec sleep 600'"}
  job: {image: IMAGE, command: "cat /etc/marker"}
"""


def test_one_that_it_needs_and_that_ends_is_a_problem_and_a_job_that_is_done_is_none(
    compose, serve, client
):
    text = SMALL.replace("exec sleep 600", "while ! ls /tmp/go >/dev/null 2>&1; do sleep 0.1; done")
    running = serve(compose(text))
    job, db = container(client, running, "job"), container(client, running, "db")
    job.wait()

    assert running.problem() == ""
    assert running.number()  # a step begins
    assert running.problem() == ""

    db.exec_run(["touch", "/tmp/go"])
    db.wait()
    assert "'db', which 'app' needs, ended with exit code 0; it said: FATAL" in running.problem()
    db.start()
    assert "'db', which 'app' needs, has ended, and was started again" in running.problem()
    container(client, running, "web").restart(timeout=0)
    assert "'app' has ended, and was started again" in running.problem()


UNHEALTHY = """
services:
  web: {image: IMAGE, command: sleep 60, depends_on: {db: {condition: service_healthy}}}
  db: {image: IMAGE, command: "sh -c 'echo FATAL: no disk; exit 3'", healthcheck: {test: [CMD, ls]}}
"""
FAILING_JOB = """
services:
  web:
    image: IMAGE
    command: sleep 60
    depends_on: {job: {condition: service_completed_successfully}}
  job: {image: IMAGE, command: "cat /none"}
"""
CYCLE = """
services:
  web: {image: IMAGE, depends_on: [api]}
  api: {image: IMAGE, depends_on: [web]}
"""
BROKEN = {
    "unhealthy": (UNHEALTHY, "'db' ended with exit code 3: FATAL: no disk"),
    "job fails": (FAILING_JOB, "'job' ended with exit code 1: cat: can't open '/none'"),
    "build fails": ("services: {web: {build: .}}", "non-zero code: 3"),
    "no dockerfile": ("services: {web: {build: ./none}}", "build path .*/none"),
    "no command": ("services: {web: {image: IMAGE, command: /none}}", "starting 'web': .*/none"),
    "unknown key": ("services: {web: {image: IMAGE, wormhole: 1}}", "'wormhole'"),
    "unknown service": ("services: {api: {image: IMAGE}}", "no service 'web'"),
    "cycle": (CYCLE, "'compose.yaml' can't be used: .*[Cc]ircular"),
    "image missing": ("services: {web: {image: 'nobody/none:1'}}", "'nobody/none:1' is not here"),
    "privileged": ("services: {web: {image: IMAGE, privileged: true}}", r"privileged \(privileged"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_that_can_t_run_is_a_clear_error_and_leaves_nothing(
    compose, serve, session, client, name
):
    text, words = BROKEN[name]
    files = {"Dockerfile": "FROM IMAGE\nRUN exit 3\n", "pages/x": ""}

    with pytest.raises((StepError, MissingToolError), match=words):
        serve(compose(text, files=files))

    assert made_by(client, session) == []


def test_an_interrupted_start_leaves_nothing(compose, serve, session, client):
    text = SMALL.replace("depends_on: [db, job]", "depends_on: {db: {condition: service_healthy}}")
    text = text.replace("sleep 600'\"}", "sleep 600'\", healthcheck: {test: [CMD, cat, /none]}}")
    cancel = threading.Event()

    def running():
        chosen = {"label": f"{RUN}={session._settings.run_id}"}
        return bool(client.containers.list(filters=chosen))

    with ThreadPoolExecutor() as pool:
        starting = pool.submit(serve, compose(text), cancel=cancel)
        while not running() and not starting.done():
            time.sleep(0.1)
        cancel.set()
        with pytest.raises(InterruptedRunError):
            starting.result(60)

    assert made_by(client, session) == []


ALLOWED = """
services:
  web:
    build: {context: ., shm_size: 64m}
    command: sleep 60
    cap_add: [NET_ADMIN]
    pid: host
"""


def test_what_is_allowed_is_obeyed_and_an_unusual_build_is_the_programs(
    compose, serve, session, client
):
    told = []
    allowed = {"capabilities", "host-namespaces"}
    service = compose(ALLOWED, files=FILES, allowed=allowed)

    running = serve(service, say=told.append)

    host = container(client, running, "web").attrs["HostConfig"]
    assert (host["CapAdd"], host["PidMode"]) == (["NET_ADMIN"], "host")
    assert running.problem() == ""
    assert any("building web with docker" in line for line in told)
    running.stop()
    assert made_by(client, session) == ["image"]
    session.close()
    assert made_by(client, session) == []


def test_without_a_program_it_says_what_to_install(open_run, compose, tmp_path):
    bare = open_run(environment={"PATH": str(tmp_path)})

    with pytest.raises(MissingToolError, match="a program that is not here") as told:
        bare.serve(compose(SMALL), name="probe", cancel=threading.Event())

    assert "apt-get install docker-compose" in told.value.hint
