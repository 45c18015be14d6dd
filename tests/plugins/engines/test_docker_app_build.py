"""Images built from a Dockerfile for the application under test: by the docker program, and by the
engine's own builder."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress

import docker
import pytest

from scanrun.api import (
    Build,
    DeadlineError,
    InterruptedRunError,
    Limits,
    Located,
    MissingToolError,
    Service,
    StepError,
)
from scanrun_plugins.engines.docker import building
from scanrun_plugins.engines.docker.building import Builds
from scanrun_plugins.engines.docker.dockerfile import fetches_of, images_of, stages_of
from scanrun_plugins.engines.docker.endpoint import Endpoint, TlsFiles
from scanrun_plugins.engines.docker.images import Image
from scanrun_plugins.engines.docker.owner import (
    BUILT,
    EXPIRES,
    OWNER,
    RUN,
    built_label,
    labels_of_built,
)
from scanrun_plugins.engines.docker.program_builder import program_environment
from scanrun_plugins.engines.docker.reaping import sweep
from scanrun_plugins.engines.docker.recipe import read_recipe
from scanrun_plugins.engines.docker.sending import context_pieces

SMALL = Limits(memory_mb=96, pids=64, scratch_mb=8)
BUILDERS = {"program": "the docker program", "engine": "the engine's own builder"}


@pytest.fixture(params=list(BUILDERS))
def run_with(request, open_run):
    """Return a function that opens a run which builds with one builder or the other."""
    found = shutil.which("docker")
    if request.param == "program" and found is None:
        pytest.skip("no docker program here")
    path = os.environ["PATH"] if request.param == "program" else "/nowhere"

    def open_one(**more):
        return open_run(environment={"PATH": path}, **{"pull": "never", **more})

    open_one.title = BUILDERS[request.param]
    open_one.path = path
    return open_one


@pytest.fixture
def engine_run(open_run):
    return open_run(environment={"PATH": "/nowhere"}, pull="never")


@pytest.fixture
def project(tmp_path, base):
    """Return a function that writes a Dockerfile, and files beside it, and describes the build."""

    def make(text, files=(), **more):
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        (root / "Dockerfile").write_text(text.replace("BASE", base))
        for name, content in dict(files).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        return Build(context=root, root=root, **more)

    return make


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts what is built; `serve.log` is where it is told."""

    def start(session, build, *, cancel=None, say=print, **more):
        service = Service(
            name="app",
            build=build,
            port=8080,
            limits=SMALL,
            ready=lambda _: True,
            own_program=True,
            **more,
        )
        start.log.unlink(missing_ok=True)
        return session.serve(
            service, name="probe", cancel=cancel or threading.Event(), say=say, log=start.log
        )

    start.log = tmp_path / "kept" / "app.log"
    return start


@pytest.fixture(scope="module")
def base(client, image):
    """Return what is built upon; the layers that builds leave to the engine's cache are removed."""
    yield image
    below = {}
    for each in client.api.images(all=True):
        below.setdefault(each["ParentId"], []).append(each["Id"])
    _remove_below(client, client.images.get(image).id, below)


def _remove_below(client, image, below):
    for each in below.get(image, ()):
        _remove_below(client, each, below)
        with suppress(docker.errors.NotFound):
            client.images.remove(each, noprune=True)


def of_run(client, run):
    chosen = {"label": f"{RUN}={run}"}
    images = client.images.list(filters={"label": BUILT})
    return [
        *client.containers.list(all=True, filters=chosen),
        *client.volumes.list(filters=chosen),
        *client.networks.list(filters=chosen),
        *(each for each in images if each.labels[BUILT].startswith(run)),
    ]


def left_of(client, session):
    return of_run(client, session._settings.run_id)


def builders(client, word):
    """Return containers of a builder whose command holds a word."""
    every = client.containers.list(all=True, ignore_removed=True)
    return [each for each in every if word in str(each.attrs["Config"]["Cmd"])]


def running_builders(client, word):
    for _ in range(200):
        if found := builders(client, word):
            return found
        time.sleep(0.1)
    raise AssertionError("it never ran")


def builders_left(client, word):
    """Return what is still there when the engine had a moment."""
    for _ in range(100):
        if not builders(client, word):
            return []
        time.sleep(0.1)
    return builders(client, word)


@pytest.mark.docker
def test_an_application_is_built_and_started_and_leaves_nothing(
    run_with, project, serve, client, tmp_path
):
    build = project(
        "ARG VERSION=wrong\nFROM BASE AS first\nARG VERSION\n"
        "RUN echo version $VERSION > /version\n"
        "FROM first AS app\nCOPY web /web\n"
        'CMD ["/bin/sh", "-c", "cat /version /web/page; sleep 60"]\n'
        "FROM app AS never\nRUN exit 1\n",
        {"web/page": "hello\n"},
        target="app",
        args={"VERSION": "7"},
    )
    session, said = run_with(), []

    running = serve(session, build, say=said.append)
    during = left_of(client, session)
    printed = ""
    for _ in range(100):
        (tmp_path / "log").unlink(missing_ok=True)
        running.write_log(tmp_path / "log")
        if "hello" in (printed := (tmp_path / "log").read_text()):
            break
        time.sleep(0.05)
    session.close()

    assert said == [f"building Dockerfile with {run_with.title}"]
    assert printed == "version 7\nhello\n"
    assert "Successfully" in serve.log.read_text() or "naming to" in serve.log.read_text()
    assert [each for each in during if hasattr(each, "tags")]
    assert left_of(client, session) == []


@pytest.mark.docker
def test_the_second_build_finds_what_the_first_one_made(run_with, project, serve, client):
    once = uuid.uuid4().hex
    build = project(f'FROM BASE\nRUN echo {once}; head -c 32 /dev/urandom > /made\nCMD ["sh"]\n')
    layers = []
    for _ in range(2):
        session = run_with()
        running = serve(session, build)
        image = client.containers.get(running.made.container).image
        layers.append(image.attrs["RootFS"]["Layers"])
        session.close()

    assert layers[0] == layers[1]
    assert "cache" in serve.log.read_text().lower()


@pytest.mark.docker
def test_a_failing_command_is_told_with_its_words_and_its_log_is_kept(
    run_with, project, serve, client
):
    build = project(
        "FROM BASE\nCOPY say /say\nRUN sh /say; exit 3\n",
        {
            "say": "echo 'ERROR: no matching distribution'; echo bye; echo forced down",
        },
    )
    session = run_with()

    with pytest.raises(StepError, match=r"the build of 'app' failed: .*3") as caught:
        serve(session, build)

    assert "it said: ERROR: no matching distribution" in str(caught.value)
    assert "docker build -f Dockerfile" in caught.value.hint
    assert "forced down" in serve.log.read_text()
    assert left_of(client, session) == []


@pytest.mark.docker
@pytest.mark.parametrize(
    ("pull", "words"), [("never", "not to be pulled"), ("missing", "pulled: ")]
)
def test_an_image_to_begin_with_that_can_not_be_had_is_named(open_run, project, serve, pull, words):
    session = open_run(pull=pull)

    with pytest.raises(MissingToolError, match=words) as caught:
        serve(session, project("FROM nobody.invalid/base:1\n"))

    assert "Dockerfile begins with an image that can't be had" in str(caught.value)
    assert "'nobody.invalid/base:1'" in str(caught.value)
    assert caught.value.hint


@pytest.mark.docker
def test_an_image_of_a_mirror_bears_the_dockerfiles_name_for_the_build_alone(
    open_run, project, serve, client, base
):
    tag = uuid.uuid4().hex[:12]
    mirrored, name = f"mirror.invalid/hub/scanrun-test/lent:{tag}", f"scanrun-test/lent:{tag}"
    client.images.get(base).tag(*mirrored.split(":"))
    build = project(f'FROM {name}\nCMD ["sleep", "60"]\n')
    session = open_run(pull="never", mirror="mirror.invalid/hub")

    running = serve(session, build)

    tags = client.images.get(base).tags
    client.images.remove(mirrored)
    assert running.problem() == ""
    assert mirrored in tags
    assert name not in tags


@pytest.mark.docker
def test_a_file_that_is_to_be_copied_and_is_not_there_is_told_without_the_builders_own_words(
    run_with, project, serve
):
    with pytest.raises(StepError, match=r"failed: .*nowhere") as caught:
        serve(run_with(), project("FROM BASE\nCOPY nowhere /\n"))

    assert "it said" not in str(caught.value)


@pytest.mark.docker
def test_a_build_that_hangs_is_ended_at_its_deadline(run_with, project, serve, client, monkeypatch):
    word = uuid.uuid4().hex
    monkeypatch.setattr(building, "BUILD_S", 3.0)
    session = run_with()

    with pytest.raises(DeadlineError, match="ran longer than 3 s") as caught:
        serve(session, project(f"FROM BASE\nRUN echo {word}; sleep 100\n"))

    assert "`image`" in caught.value.hint
    assert builders_left(client, word) == []
    assert left_of(client, session) == []


@pytest.mark.docker
def test_a_build_is_left_when_the_run_is_to_end(run_with, project, serve, client):
    word, cancel, session = uuid.uuid4().hex, threading.Event(), run_with()
    threading.Timer(2, cancel.set).start()

    with pytest.raises(InterruptedRunError):
        serve(session, project(f"FROM BASE\nRUN echo {word}; sleep 100\n"), cancel=cancel)

    assert builders_left(client, word) == []
    assert left_of(client, session) == []


@pytest.mark.docker
def test_a_build_that_prints_without_end_is_ended(run_with, project, serve, client, monkeypatch):
    word = uuid.uuid4().hex
    monkeypatch.setattr(building, "LOG_LIMIT", 1 << 20)

    with pytest.raises(StepError, match="printed more than 1 MB"):
        serve(run_with(), project(f"FROM BASE\nRUN yes {word}\n"))

    assert builders_left(client, word) == []


@pytest.mark.docker
def test_offline_a_build_has_no_network(run_with, project, serve):
    build = project("FROM BASE\nRUN ls /sys/class/net > /nets; ls /sys/class/net; exit 9\n")

    with pytest.raises(StepError, match="9"):
        serve(run_with(offline=True), build)

    lines = serve.log.read_text().split()
    assert "lo" in lines
    assert "eth0" not in lines


@pytest.mark.docker
def test_the_engines_builder_is_sent_what_dockerignore_leaves(engine_run, project, serve):
    build = project(
        "FROM BASE\nCOPY . /all\nRUN cd /all; ls -a . deep; exit 9\n",
        {
            ".dockerignore": "# no secrets\n*.key\n**/cache\n!deep/kept.key\n",
            "one.key": "x",
            "deep/two.key": "x",
            "deep/kept.key": "x",
            "deep/cache/big": "x",
            "page": "x",
        },
    )

    with pytest.raises(StepError):
        serve(engine_run, build)

    seen = serve.log.read_text().split()
    assert {"page", "kept.key", "deep"} <= set(seen)
    assert not {"one.key", "cache"} & set(seen)


@pytest.mark.docker
def test_what_the_engines_builder_does_not_know_says_what_to_install(engine_run, project, serve):
    build = project("FROM BASE\nRUN --mount=type=cache,target=/c true\n")

    with pytest.raises(StepError, match="BuildKit") as caught:
        serve(engine_run, build)

    assert "buildx" in caught.value.hint


@pytest.mark.docker
def test_a_docker_program_that_speaks_to_another_engine_is_not_used(
    open_run, project, serve, tmp_path
):
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho another\n")
    program.chmod(0o755)
    said = []

    serve(
        open_run(pull="never", environment={"PATH": str(program.parent)}),
        project('FROM BASE\nCMD ["sleep", "60"]\n'),
        say=said.append,
    )

    assert said == ["building Dockerfile with the engine's own builder"]


@pytest.mark.docker
def test_a_base_with_a_trigger_that_fetches_is_refused(engine_run, project, serve, client):
    name = f"scanrun-test/trigger:{uuid.uuid4().hex[:12]}"
    trigger = "ADD http://127.0.0.1:1/x /x"
    archive = b"\0" * 10240
    repository, _, tag = name.partition(":")
    client.api.import_image_from_data(
        archive, repository=repository, tag=tag, changes=[f"ONBUILD {trigger}"]
    )

    try:
        with pytest.raises(StepError, match=f"{name}' has '{trigger}'"):
            serve(engine_run, project(f"FROM {name}\n", network=False))
    finally:
        client.images.remove(name)


@pytest.mark.docker
def test_an_image_of_a_run_goes_with_all_of_its_tags(client):
    run, tag = f"test-{uuid.uuid4().hex}", uuid.uuid4().hex[:12]
    label = built_label({RUN: run, OWNER: "a:b:1:c", EXPIRES: "17"})[BUILT]
    client.api.import_image_from_data(
        b"\0" * 10240,
        repository="scanrun-test/one",
        tag=tag,
        changes=[f'LABEL {BUILT}="{label}"'],
    )
    client.api.tag(f"scanrun-test/one:{tag}", "scanrun-test/other", tag)
    made = of_run(client, run)

    left = sweep(client.api, run)

    assert len(made) == 1
    assert left == []
    assert of_run(client, run) == []


KILLED = """
import os, pathlib, signal, sys, tempfile, threading
from scanrun.api import Build, EngineSettings, Limits, Service
from scanrun_plugins.engines.docker.session import open_session
run, root, path = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
scratch = pathlib.Path(tempfile.mkdtemp())
environment = {**os.environ, "PATH": path}
session = open_session(
    EngineSettings(run_id=run, scratch=scratch, pull="never", environment=environment)
)
service = Service(name="app", build=Build(context=root, root=root), port=8080, own_program=True,
    secrets={"TOKEN": "named"}, limits=Limits(memory_mb=64), ready=lambda _: True)
session.serve(service, name="probe", cancel=threading.Event(), secrets={"TOKEN": "made-up"})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.docker
def test_what_a_killed_run_has_built_and_started_is_reaped(open_run, project, client):
    run = f"test-{uuid.uuid4().hex}"
    build = project('FROM BASE\nCMD ["sleep", "60"]\n')
    command = [sys.executable, "-c", KILLED, run, str(build.root), "/nowhere"]
    done = subprocess.run(command, check=False)
    left = of_run(client, run)

    open_run(pull="never")

    assert done.returncode == -signal.SIGKILL
    assert len(left) == 4  # container, its secrets, network, image
    assert of_run(client, run) == []


@pytest.mark.docker
def test_a_build_does_not_outlive_a_killed_run(run_with, project, client):
    word = uuid.uuid4().hex
    build = project(f"FROM BASE\nRUN echo {word}; sleep 100\n")
    path = run_with.path
    command = [sys.executable, "-c", KILLED, f"test-{word}", str(build.root), path]
    with subprocess.Popen(command) as run:
        began = running_builders(client, word)
        run.kill()

    assert began
    assert builders_left(client, word) == []


def test_a_dockerfile_that_is_not_there_says_which_options_to_mend(project):
    with pytest.raises(StepError, match="no Dockerfile 'other/Dockerfile'") as caught:
        read_recipe(project("", dockerfile="other/Dockerfile"))

    assert caught.value.hint == "mend `dockerfile` and `context` in [app]"


@pytest.mark.parametrize("option", ["dockerfile", "context"])
def test_a_link_out_of_the_scanned_tree_is_refused(tmp_path, option):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for each in (root, outside):
        each.mkdir()
        (each / "Dockerfile").write_text("FROM x\n")
    (root / "away").symlink_to(outside)
    where = {"context": root / "away"} if option == "context" else {"dockerfile": "away/Dockerfile"}

    with pytest.raises(StepError, match=f"`{option}` leads out of the scanned folder"):
        read_recipe(Build(**{"context": root, "root": root, **where}))


def test_a_link_out_of_the_context_is_sent_as_a_link(project, tmp_path):
    build = project("FROM x\n")
    (tmp_path / "secret").write_text("of this host")
    (build.root / "link").symlink_to(tmp_path / "secret")

    sent = b"".join(context_pieces(read_recipe(build)))

    assert str(tmp_path / "secret").encode() in sent
    assert b"of this host" not in sent


def test_a_file_that_is_not_to_be_read_stops_the_build(project):
    build = project("FROM x\n", {"deep/page": "x"})
    (build.root / ".dockerignore").symlink_to(build.root / "deep" / "page")

    with pytest.raises(StepError, match=r"\.dockerignore is no plain file"):
        list(context_pieces(read_recipe(build)))


@pytest.mark.parametrize(
    ("text", "target", "args", "images"),
    [
        ("FROM a:1\nRUN x", "", {}, ("a:1",)),
        ("from a:1 as one\nFROM one\nCOPY --from=b:2 / /", "", {}, ("b:2", "a:1")),
        ("FROM a AS one\nFROM b AS two\nRUN exit", "one", {}, ("a",)),
        ("FROM a AS one\nFROM b\nCOPY --from=0 / /", "", {}, ("b", "a")),
        ("ARG V=1\nFROM a:$V", "", {"V": "2"}, ("a:2",)),
        ("ARG V=1\nFROM a:${V}-x\\\n", "", {}, ("a:1-x",)),
        ("FROM a:${V:-3}", "", {}, ("a:3",)),
        ("FROM a:$V", "", {}, ()),
        ("FROM --platform=$BUILDPLATFORM a:1", "", {}, ("a:1",)),
        ("ARG TARGETPLATFORM\nFROM --platform=${TARGETPLATFORM} a:1", "", {}, ("a:1",)),
        ("FROM --platform=${BUILDPLATFORM:-linux/arm64} a:1", "", {}, ()),
        ("ARG BUILDPLATFORM=linux/arm64\nFROM --platform=$BUILDPLATFORM a:1", "", {}, ()),
        ("FROM --platform=linux/amd64 a:1", "", {}, ("a:1",)),
        ("FROM --platform=linux/arm64 a:1", "", {}, ()),
        ("FROM --platform=$P a:1", "", {}, ()),
        ("ARG V=1\nARG N=a:$V\nFROM $N", "", {}, ("a:1",)),
        ('ARG V=1 N="a"\nFROM $N:$V', "", {}, ("a:1",)),
        ("ARG V=1\nFROM a:$V", "", {"V": "$W"}, ()),
        ("ARG V=1\nARG V=2\nFROM a:$V", "", {}, ()),
        ("ARG V='1 W=2 '\nFROM a:${W:-3}-$V", "", {}, ()),
        ("ARG TARGETARCH=amd64\nFROM a:$TARGETARCH", "", {}, ()),
        ("FROM b AS one\nFROM a AS b", "one", {}, ("b",)),
        ("FROM a:1 \\", "", {}, ("a:1",)),
        ("FR\\\nOM a:1", "", {}, ("a:1",)),
        ("FROM scratch\n# FROM b\nRUN --mount=type=bind,from=c:1,target=/x y", "", {}, ("c:1",)),
        ("nonsense", "", {}, ()),
    ],
)
def test_images_to_begin_with_are_those_that_the_target_needs(text, target, args, images):
    stages = stages_of(text, target=target, args=args, platform="linux/amd64")

    assert images_of(stages) == images


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nADD http://elsewhere.invalid/x /x",
        "FROM a\nadd --chown=1 \\\n# a comment\n\n https://elsewhere.invalid/x /x",
        "FROM a\nONBUILD ADD git@elsewhere.invalid:x /x",
        "FROM a\nADD somebody@elsewhere.invalid:x /x",
        "FROM a\nAD\\\nD http://elsewhere.invalid/x /x",
        "FROM a\nADD ht\\\ntp:/\\\n# a comment\n/elsewhere.invalid/x /x",
        "FROM a\nADD y \\\n\xa0\n http://elsewhere.invalid/x /x/",
        "FROM a\nADD y \\\n\x1c# http://elsewhere.invalid/x /x/",
        'FROM a\nADD http:/""/elsewhere.invalid/x /x',
        "FROM a\nADD http:\\/\\/elsewhere.invalid/x /x",
        'FROM a\nADD ["http:\\u002f\\u002felsewhere.invalid/x", "/x"]',
        "FROM a\nLABEL a=b\\\\\nADD http://elsewhere.invalid/x /x",
        "FROM a\nLABEL a=b\\\r\r\nADD http://elsewhere.invalid/x /x",
        "FROM a\nRUN <<'EOF\\'\nEOF\\\nADD https://elsewhere.invalid/x /x",
        "FROM a\nRUN <<'EOF\\'\nEOF\\\nADD y \\\n https://elsewhere.invalid/x /x/",
        "FROM a\nRUN <<'#'\nx \\\n#\nADD https://elsewhere.invalid/x /x",
        "FROM a\nRUN <<''\nx \\\n\nADD https://elsewhere.invalid/x /x",
        "FROM a\nRUN <<'E F'\nFROM scratch AS b\nE F\nFROM b",
        "FROM a\nRUN <<E\n E\nE\\\nx\nFROM scratch AS b\nE\nFROM b",
        "FROM a\nRUN <<E <<E\nE\nFROM scratch AS b\nE\nFROM b",
        "FROM a\nRUN <<D <<E\nE\nD\nFROM scratch AS b\nE\nFROM b",
        "FROM a\nRUN <<E\nx\0E\nFROM scratch AS b\nE\nFROM b",
        "FROM a AS b c",
        "FROM --platform=linux/s390x a",
        "ARG U\nFROM a\nADD $U /x",
        "# escape=`\nFROM a\nADD `\nhttp://elsewhere.invalid/x /x",
        "#!/usr/bin/env x\n# syntax=elsewhere.invalid/frontend\nFROM a",
        '{"syntax": "elsewhere.invalid/frontend"}',
    ],
)
@pytest.mark.parametrize("network", [True, False])
def test_what_the_builder_itself_would_fetch_is_refused_without_a_network(tmp_path, text, network):
    (tmp_path / "Dockerfile").write_bytes(text.encode())
    recipe = read_recipe(Build(context=tmp_path, root=tmp_path, network=network))

    with pytest.raises(
        StepError, match="the build has no network, and 'Dockerfile' has "
    ) as caught:
        recipe.check_closed("linux/amd64")

    assert ("--trust-config" in caught.value.hint) is not network


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("FROM $ELSEWHERE", {}),
        ("FROM $ELSEWHERE AS never\nFROM a", {}),
        ("ARG A=good A=other\nFROM $A", {}),
        ("FROM a", {"BUILDKIT_SYNTAX": "elsewhere.invalid/frontend"}),
    ],
)
def test_a_tree_that_nobody_has_read_says_plainly_what_it_is_built_of(tmp_path, text, args):
    (tmp_path / "Dockerfile").write_text(text)
    recipe = read_recipe(Build(context=tmp_path, root=tmp_path, args=args, network=False))

    with pytest.raises(StepError, match="the build has no network, and 'Dockerfile' has "):
        recipe.check_closed("linux/amd64")


def test_of_a_tree_that_nobody_has_read_all_stages_are_looked_at(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a AS one\nFROM b\nFROM one\n")

    found = {
        network: read_recipe(Build(context=tmp_path, root=tmp_path, network=network))
        for network in (True, False)
    }

    assert found[True].images("linux/amd64") == ("a",)
    assert found[False].images("linux/amd64") == ("a", "b")


def test_what_fetches_nothing_is_built_without_a_network(tmp_path):
    lines = (
        "# syntax=docker/dockerfile:1.7",
        "FROM --platform=$BUILDPLATFORM a",
        "ADD x.tar npm@1.tgz /",
        "RUN wget http://elsewhere.invalid",
        "RUN apk \\",
        "  add --repository=http://elsewhere.invalid x",
        "RUN <<EOF cat && cat <<< 'a\\b' && cat <<-'END' > /x && echo $((1<<3))",
        "cat <<X > /x one \\",
        "# two",
        "three",
        "X",
        "EOF",
        "\tEND",
        "FROM b AS two",
        "COPY <<-'EOF' /x",
        "\tEOF",
        "FROM --platform=linux/s390x scratch",
    )

    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    recipe = read_recipe(Build(context=tmp_path, root=tmp_path, network=False))

    recipe.check_closed("linux/amd64")

    assert recipe.images("linux/amd64") == ("a", "b")


def test_many_blank_lines_are_read_in_no_time():
    assert list(fetches_of("\n" * (1 << 20))) == []


class FakeApi:
    """An engine that has one image by any name."""

    def __init__(self, triggers, machine):
        self.triggers = triggers
        self.machine = machine

    def inspect_image(self, name):
        config = {"OnBuild": self.triggers}
        return {"Id": name, "Os": "linux", "Architecture": self.machine, "Config": config}


class FakeConnection:
    platform = "linux/amd64"

    def __init__(self, api, *, podman):
        self.api = api
        self.podman = podman


class FakeImages:
    def locate(self, name):
        return Located(name, "1", "")

    def prepare(self, name, cancel):
        return self.locate(name), Image("sha256:1", name, "", "linux/amd64")


@pytest.fixture
def built_upon(tmp_path, settings):
    """Return a function that builds upon an image with triggers, as far as that needs no engine."""

    def build(triggers, *, network=False, offline=False, podman=False, machine="amd64"):
        (tmp_path / "Dockerfile").write_text("FROM elsewhere.invalid/base:1\n")
        builds = Builds(
            FakeConnection(FakeApi(triggers, machine), podman=podman),
            settings(offline=offline),
            FakeImages(),
            {RUN: "run", OWNER: "a:b:1:c", EXPIRES: "17"},
        )
        return builds.image(
            Build(context=tmp_path, root=tmp_path, network=network),
            name="app",
            log=tmp_path / "log",
            cancel=threading.Event(),
            say=print,
        )

    return build


@pytest.mark.parametrize(
    "closed", [{"network": False}, {"network": True, "offline": True}], ids=["unread", "offline"]
)
def test_an_image_that_has_builders_fetch_is_not_built_upon_without_a_network(built_upon, closed):
    with pytest.raises(StepError, match=r"'elsewhere.invalid/base:1' has 'ADD http:"):
        built_upon(["RUN true", "ADD http://elsewhere.invalid/x /x"], **closed)


@pytest.mark.parametrize(
    ("engine", "words"),
    [({"podman": True}, "Podman does not tell"), ({"machine": "arm64"}, "may fetch another one")],
)
def test_an_image_that_can_t_be_judged_is_not_built_upon_unread(built_upon, engine, words):
    with pytest.raises(StepError, match=words) as caught:
        built_upon(None, **engine)

    assert "--trust-config" in caught.value.hint


def test_the_label_of_an_image_says_all_that_a_runs_labels_say():
    labels = {RUN: "run", OWNER: "a:b:1:c", EXPIRES: "17"}

    assert labels_of_built(built_label(labels)[BUILT]) == labels
    assert labels_of_built("somebody's own") == {}


def test_the_docker_program_is_given_the_endpoint_and_little_else(tmp_path):
    caller = {"PATH": "/bin", "HOME": "/home", "AWS_SECRET": "x", "DOCKER_HOST": "tcp://wrong"}
    secure = Endpoint("tcp://engine:2376", "a context", TlsFiles(tmp_path))

    given = program_environment(secure, caller)

    assert given == {
        "PATH": "/bin",
        "HOME": "/home",
        "DOCKER_HOST": "tcp://engine:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
        "BUILDKIT_PROGRESS": "plain",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }
