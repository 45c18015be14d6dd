"""What a scanner leaves behind, when it is not the scanner that it was."""

import io
import itertools
import json
import os
import subprocess
import tarfile

import docker
import pytest

from scanrun.api import StepError
from scanrun_plugins.engines.docker.unpacking import Budget, unpack

REPORT = "/out/report.sarif"
GOOD = '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t"}},"results":[]}]}'
SCRIPTS = {
    "good": f"echo '{GOOD}' > {REPORT}",
    "link": f"ln -s /etc/passwd {REPORT}",
    "shadow": f"ln -s /etc/shadow {REPORT}",
    "loop": f"ln -s {REPORT} {REPORT}",
    "up": f"mkdir /out/x; ln -s ../../../../../../etc/passwd {REPORT}",
    "fifo": f"mkfifo {REPORT}",
    "folder": f"mkdir {REPORT}; echo '{GOOD}' > {REPORT}/report.sarif",
    "sparse": f"dd if=/dev/zero of={REPORT} bs=1 count=1 seek=10G 2>/dev/null; true",
    "empty": f": > {REPORT}",
    "none": "true",
    "device": f"ln -s /dev/zero {REPORT}",
    "full": f"ln -s /dev/stdin {REPORT}",
}
WHOLE = {"good"}


def config_for(engine, path):
    """Declare a scanner for each of the scripts."""
    shell = ["-c"] if engine == "local" else ["sh", "-c"]
    tables = (
        f'[scanner.{name}]\nimage = "busybox:1.35"\ncommand = "sh"\ntimeout = "60s"\n'
        f"args = {json.dumps([*shell, script])}\n"
        for name, script in SCRIPTS.items()
    )
    path.write_text('[output]\nraw = "always"\n' + "".join(tables))
    return path


@pytest.fixture(
    scope="module",
    params=["local", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.lab])],
)
def hostile_run(request, tmp_path_factory, scanrun):
    folder = tmp_path_factory.mktemp(f"outputs-{request.param}")
    tree = folder / "tree"
    tree.mkdir()
    (tree / "a\nb.txt").write_text("x")
    config = config_for(request.param, folder / "c.toml")
    names = ",".join(SCRIPTS)
    return scanrun(
        "scan",
        names,
        "--engine",
        request.param,
        "--config",
        config,
        "--pull",
        "never",
        tree=tree,
    )


def test_no_output_that_is_not_a_report_passes_for_a_clean_one(hostile_run):
    assert hostile_run.code == 3, hostile_run.told
    ended = hostile_run.ended
    assert {name for name, status in ended.items() if status == "completed"} == WHOLE
    assert {name for name, status in ended.items() if status == "failed"} == SCRIPTS.keys() - WHOLE


def test_each_refusal_says_why(hostile_run):
    reasons = {each["name"]: each["reason"] for each in hostile_run.verdict["scanners"]}

    for name in SCRIPTS.keys() - WHOLE:
        assert (
            REPORT in reasons[name] or "report.sarif" in reasons[name] or "MB" in reasons[name]
        ), (
            name,
            reasons[name],
        )


def test_no_file_of_the_host_or_image_is_kept(hostile_run):
    kept = list((hostile_run.tree / ".scanrun").rglob("*"))

    assert not any(path.is_symlink() for path in kept)
    texts = [path.read_text(errors="replace") for path in kept if path.is_file()]
    assert not any("root:" in text for text in (*texts, hostile_run.told))
    assert sum(path.stat().st_size for path in kept) < 1_000_000


@pytest.mark.docker
def test_nothing_of_it_is_left_on_the_engine(hostile_run):
    client = docker.from_env()
    try:
        mine = {"label": f"scanrun.run={hostile_run.verdict['run_id']}"}
        assert client.containers.list(all=True, filters=mine) == []
        assert client.volumes.list(filters=mine) == []
    finally:
        client.close()


def header(name, *, size=0, kind=tarfile.REGTYPE, pax=None, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    if pax:
        info.pax_headers = pax
        return info.tobuf(tarfile.PAX_FORMAT)
    return info.tobuf(tarfile.GNU_FORMAT)


FOLDER = header("out", kind=tarfile.DIRTYPE)
PAX = {
    "path up": {"path": "../evil"},
    "absolute path": {"path": "/evil"},
    "no size": {"size": "-1"},
    "huge size": {"size": str(1 << 60)},
    "sparse 0.1": {"GNU.sparse.major": "0", "GNU.sparse.size": "1", "GNU.sparse.map": "0,1"},
    "sparse 1.0": {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "../evil",
        "GNU.sparse.realsize": str(1 << 50),
    },
    "NUL in path": {"path": "out/a\0b"},
    "long path": {"path": "out/" + "n" * 300},
    "endless path": {"path": "out/" + "n/" * 3000},
}


@pytest.mark.parametrize("pax", PAX.values(), ids=PAX)
def test_extended_header_leads_nowhere(tmp_path, pax):
    place = tmp_path / "in" / "out"
    place.parent.mkdir()
    data = FOLDER + header("out/a", size=0, pax=pax) + bytes(1024)

    with pytest.raises(StepError):
        unpack([data], "/x/out/", place, Budget(1))

    assert {each.name for each in tmp_path.rglob("*")} <= {"in", "out", "a"}


def test_link_between_its_own_files_is_refused_too(tmp_path):
    data = FOLDER + header("out/a") + header("out/l", kind=tarfile.LNKTYPE, link="out/a")

    with pytest.raises(StepError):
        unpack([data + bytes(1024)], "/x/out/", tmp_path / "out", Budget(1))


def test_odd_names_in_an_output_folder_come_as_they_are(tmp_path):
    names = [b"new\nline", b"caf\xe9", b"\x1b[31m", b"n" * 255, b"-rf"]
    data = io.BytesIO()
    data.write(FOLDER)
    for name in names:
        info = tarfile.TarInfo(os.fsdecode(b"out/" + name))
        data.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))

    unpack([data.getvalue() + bytes(1024)], "/x/out/", tmp_path / "out", Budget(1))

    assert {os.fsencode(each.name) for each in (tmp_path / "out").iterdir()} == set(names)


@pytest.mark.slow_fault
@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.REGTYPE], ids=["folders", "files"])
def test_archive_without_end_is_given_up(tmp_path, kind):
    sent = 0

    def endless():
        nonlocal sent
        yield header("r", kind=tarfile.DIRTYPE)
        for number in itertools.count():
            sent = number
            folder, inner = divmod(number, 1000)
            name = f"r/{folder}/{inner}" if inner else f"r/{folder}"
            yield header(name, kind=kind if inner else tarfile.DIRTYPE)

    with pytest.raises(StepError, match="files"):
        unpack(endless(), "/out/r/", tmp_path / "r", Budget(100))

    assert sent < 210_000
    subprocess.run(["rm", "-rf", tmp_path], check=True)  # Python takes ten times as long


def test_report_that_goes_on_for_ever_is_given_up(tmp_path):
    def endless():
        yield header("r", size=1 << 33)
        while True:
            yield bytes(1 << 20)

    with pytest.raises(StepError, match="larger"):
        unpack(endless(), "/out/r", tmp_path / "r", Budget(64))

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut", [1, 511, 512, 513, 1023, 1024, 1500, 2047])
def test_archive_cut_anywhere_is_no_report(tmp_path, cut):
    data = header("r", size=1400) + b"x" * 1536 + bytes(1024)

    with pytest.raises(StepError):
        unpack([data[: min(cut, 1900)]], "/out/r", tmp_path / "r", Budget(1))
