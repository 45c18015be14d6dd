"""The engine's small parts, each by itself. No engine needed."""

import socket
import struct
import subprocess
import sys
import threading
import time

import docker.errors
import pytest

from scanrun.api import EngineLostError, InterruptedRunError, Limits, Step, StepError
from scanrun_plugins.engines.docker.capture import frames
from scanrun_plugins.engines.docker.failures import engine_errors, last_lines, plain
from scanrun_plugins.engines.docker.hardening import environment_of, hardened, not_enforced
from scanrun_plugins.engines.docker.layout import layout_of
from scanrun_plugins.engines.docker.once import Once
from scanrun_plugins.engines.docker.owner import EXPIRES, OWNER, Owner, alive, orphaned
from scanrun_plugins.engines.docker.reference import Reference


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("busybox", ("", "busybox", "", "")),
        ("aquasec/trivy:0.60.0", ("", "aquasec/trivy", "0.60.0", "")),
        ("docker.io/library/x:1", ("", "library/x", "1", "")),
        ("ghcr.io/a/b:1@sha256:ff", ("ghcr.io", "a/b", "1", "sha256:ff")),
        ("localhost:5000/a", ("localhost:5000", "a", "", "")),
        ("localhost/a:2", ("localhost", "a", "2", "")),
    ],
)
def test_a_reference_has_four_parts(text, parts):
    found = Reference.parse(text)

    assert (found.host, found.path, found.tag, found.digest) == parts


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("aquasec/trivy:1", "mirror:5000/hub/aquasec/trivy:1"),
        ("docker.io/aquasec/trivy:1", "mirror:5000/hub/aquasec/trivy:1"),
        ("ghcr.io/a/b:1", "mirror:5000/hub/ghcr.io/a/b:1"),
    ],
)
def test_a_mirror_keeps_all_but_the_hubs_host(text, mirrored):
    assert str(Reference.parse(text).mirrored("mirror:5000/hub/")) == mirrored


def found_by_inspect(host, **changes):
    return {"HostConfig": {**host, **changes}, "Config": {"User": "1000:1000"}}


def test_what_the_engine_took_over_is_in_force():
    asked = hardened(Limits(), network="none", mounts=(), podman=False)

    assert not_enforced(asked, found_by_inspect(asked)) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"Memory": 0}, "memory limit"),
        ({"PidsLimit": None}, "process limit"),
        ({"ReadonlyRootfs": False}, "read-only root"),
        ({"CapDrop": None}, "dropped capabilities"),
        ({"CapAdd": ["CAP_SYS_ADMIN"]}, "dropped capabilities"),
        ({"SecurityOpt": None}, "no-new-privileges"),
        ({"SecurityOpt": ["no-new-privileges:false"]}, "no-new-privileges"),
        ({"NetworkMode": "default"}, "network"),
        ({"Privileged": True}, "unprivileged"),
    ],
)
def test_each_thing_that_the_engine_dropped_is_named(changes, name):
    asked = hardened(Limits(), network="none", mounts=(), podman=False)

    assert not_enforced(asked, found_by_inspect(asked, **changes)) == [name]


@pytest.mark.parametrize(
    "joined", [["private"], ["private", "out", "bridge"], []], ids=["less", "more", "none"]
)
def test_a_container_in_other_networks_than_asked_for_is_named(joined):
    asked = hardened(Limits(), network="private", mounts=(), podman=False)
    found = found_by_inspect(asked)
    networks = ["private", "out"]

    right = {**found, "NetworkSettings": {"Networks": dict.fromkeys(networks)}}
    wrong = {**found, "NetworkSettings": {"Networks": dict.fromkeys(joined)}}

    assert not_enforced(asked, right, networks=networks) == []
    assert not_enforced(asked, wrong, networks=networks) == ["network"]


def test_a_service_is_spoken_to_past_the_proxy():
    caller = {"HTTPS_PROXY": "http://proxy", "no_proxy": "localhost"}

    found = environment_of({"HOME": "/"}, caller, network=True, beside=["web", "app"])

    assert found == [
        "HOME=/",
        "HTTPS_PROXY=http://proxy",
        "NO_PROXY=localhost,web,app",
        "TMPDIR=/tmp",
        "no_proxy=localhost,web,app",
    ]
    assert environment_of({"HOME": "/"}, {}, network=True, beside=["web"]) == [
        "HOME=/",
        "TMPDIR=/tmp",
    ]


def test_folders_of_links_are_the_steps_own():
    layout = layout_of(Step(links={"/w/there": "/src/a"}, outputs=("/out/r",)))

    assert layout.folders == ("/out", "/w")


def test_podmans_list_of_capabilities_counts_only_when_none_is_left():
    asked = hardened(Limits(), network="none", mounts=(), podman=True)
    found = found_by_inspect(asked, CapDrop=[f"CAP_{number}" for number in range(12)])

    assert not_enforced(asked, {**found, "EffectiveCaps": []}) == []
    assert not_enforced(asked, {**found, "EffectiveCaps": ["CAP_KILL"]}) == ["dropped capabilities"]


def test_scratch_belongs_to_the_scanner_where_the_engine_can_say_so():
    docker = hardened(Limits(scratch_mb=9), network="none", mounts=(), podman=False)["Tmpfs"]
    podman = hardened(Limits(scratch_mb=9), network="none", mounts=(), podman=True)["Tmpfs"]

    assert docker["/tmp"].endswith("size=9m,mode=1777,uid=1000,gid=1000")
    assert podman["/tmp"].endswith("size=9m,mode=1777")


def test_a_step_may_set_its_own_home():
    assert environment_of({"HOME": "/out"}, {}, network=False) == ["HOME=/out", "TMPDIR=/tmp"]


def test_folders_inside_each_other_are_one_volume():
    layout = layout_of(Step(outputs=("/out/r", "/out/db/", "/w/x"), files={"/etc/t/conf": b""}))

    assert layout.folders == ("/etc/t", "/out", "/w")
    assert layout.inner == ("/out/db",)
    assert layout.with_image_content == {"/etc/t"}
    assert not layout.blank


def test_folders_are_blank_where_nothing_is_given_and_none_lies_in_another():
    assert layout_of(Step(outputs=("/out/r", "/w/x"))).blank
    assert not layout_of(Step(outputs=("/out/r", "/out/db/"))).blank
    assert not layout_of(Step(outputs=("/out/r",), links={"/out/l": "/src"})).blank


@pytest.mark.parametrize("path", ["/r", "/tmp/r", "r", "/src/r", "/src/a/r", "/a/../../r", "/db/x"])
def test_an_output_can_not_lie_just_anywhere(path):
    with pytest.raises(StepError, match="can't have files"):
        layout_of(Step(outputs=(path,), caches={"/db/": "name"}))


@pytest.mark.parametrize("path", ["report", "/../report", "/a/../../r"])
def test_what_is_printed_has_a_plain_path(path):
    with pytest.raises(StepError, match="what it prints"):
        layout_of(Step(stdout=path))


def test_what_is_printed_needs_no_folder():
    assert layout_of(Step(outputs=("/report",), stdout="/report")).folders == ()


def ended():
    """Return a process of this host that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    here = Owner.here()
    return Owner(here.host, here.boot, process.pid, "1")


def test_a_process_is_told_from_the_next_with_its_number():
    here = Owner.here()

    assert alive(here)
    assert not alive(Owner(here.host, here.boot, here.pid, "1"))
    assert not alive(ended())


def test_an_owner_survives_being_a_label():
    assert Owner.parse(str(Owner.here())) == Owner.here()


@pytest.mark.parametrize("text", ["", "a:b:c", "a:b:x:d", "a:b:1:2:3"])
def test_a_label_of_somebody_else_is_no_owner(text):
    assert Owner.parse(text) is None


@pytest.mark.parametrize(
    ("labels", "gone"),
    [
        ({}, False),
        ({OWNER: "nonsense"}, False),
        ({OWNER: "nonsense", EXPIRES: "99"}, True),
        ({OWNER: "other:boot:1:1", EXPIRES: "101"}, False),
        ({OWNER: "other:boot:1:1", EXPIRES: "99"}, True),
        ({OWNER: "other:boot:1:1", EXPIRES: "soon"}, False),
        ({OWNER: str(Owner.here()), EXPIRES: "99"}, False),
        ({OWNER: str(ended()), EXPIRES: "101"}, True),
    ],
)
def test_only_what_is_surely_nobodys_is_an_orphan(labels, gone):
    assert orphaned(labels, Owner.here(), now=100) is gone


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("a\r\nb\tc\0", "a b c"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\x9b31mx", "31mx"),
        ("cut \x1b", "cut"),
    ],
)
def test_what_a_scanner_says_is_made_plain(text, shown):
    assert plain(text) == shown


def test_the_last_lines_of_a_huge_log_are_short(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * 100_000 + b"\n\xff one\n\n two \n")

    assert last_lines(log, 2) == "\ufffd one | two"


def frame(kind, data):
    return struct.pack(">BxxxL", kind, len(data)) + data


def listened(data):
    """Return what `frames` makes of bytes that arrive over a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        return list(frames(ours))


def test_both_streams_are_told_apart():
    assert listened(frame(1, b"out") + frame(2, b"err") + frame(1, b"")) == [
        (1, b"out"),
        (2, b"err"),
    ]


@pytest.mark.parametrize("cut", [3, 9, 10])
def test_a_stream_that_breaks_in_the_middle_is_an_error_not_an_end(cut):
    with pytest.raises(EngineLostError, match="cut off"):
        listened(frame(1, b"out")[:cut])


def test_a_job_is_done_once_and_its_error_is_everybodys():
    once, calls = Once(), []

    def job():
        calls.append(1)
        time.sleep(0.05)
        raise StepError("no")

    errors = []

    def ask():
        try:
            once.get("key", job, threading.Event())
        except StepError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (calls, errors) == ([1], ["no"] * 3)


def test_who_waits_for_anothers_job_can_be_stopped():
    once, cancel, free = Once(), threading.Event(), threading.Event()
    busy = threading.Thread(target=once.get, args=("key", free.wait, threading.Event()))
    busy.start()
    cancel.set()

    with pytest.raises(InterruptedRunError):
        once.get("key", free.wait, cancel)
    free.set()
    busy.join()


def test_the_engines_module_does_not_import_the_sdk():
    code = "import sys, scanrun_plugins.engines.docker as d; print('docker' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("podman", "names"), [(False, {"fsize"}), (True, {"fsize", "nofile", "nproc"})]
)
def test_podman_is_told_the_limits_that_it_would_set_too_high(podman, names):
    host = hardened(Limits(), network="none", mounts=(), podman=podman)

    assert {each["Name"] for each in host["Ulimits"]} == names


def test_what_a_scanner_prints_is_not_kept_on_the_engine():
    host = hardened(Limits(), network="none", mounts=(), podman=False)

    assert host["LogConfig"] == {"Type": "none", "Config": {}}


def test_podman_without_an_init_process_says_what_to_install():
    words = "container create: container-init binary not found on the host: stat /x/catatonit"

    with pytest.raises(StepError, match="init binary") as caught, engine_errors("creating"):
        raise docker.errors.APIError("500", explanation=words)

    assert "install `catatonit`" in caught.value.hint
