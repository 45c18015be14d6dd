"""What is imported before wapiti: run by a Python of its own, as Python imports it."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import scanrun_plugins.scanners.wapiti

PROGRAM = Path(scanrun_plugins.scanners.wapiti.__file__).with_name("confined.py")
ASK = """\
import asyncio, socket, sys
async def ask(host, port):
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.close()
        return "reached"
    except OSError as error:
        return type(error).__name__
for where in sys.argv[1:]:
    if where.startswith("-"):
        continue
    host, _, port = where.rpartition(":")
    print(where, asyncio.run(ask(host, int(port))))
print("argv", sys.argv[-1])
print("shown", b"made-up" in open("/proc/self/cmdline", "rb").read())
"""


@pytest.fixture
def listener():
    """Give a port of loopback that takes connections, and a list of those it took."""
    server = socket.create_server(("127.0.0.1", 0))
    taken = []

    def serve():
        while True:
            try:
                connection, address = server.accept()
            except OSError:
                return
            taken.append(address)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1], taken
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def start(folder, told, *words, header=None, program=None):
    (folder / "sitecustomize.py").write_bytes(program or PROGRAM.read_bytes())
    if told is not None:
        (folder / "target.json").write_text(json.dumps(told))
    if header is not None:
        (folder / "header").write_text(header)
    (folder / "tool.py").write_text(ASK)
    return subprocess.run(
        [sys.executable, folder / "tool.py", *words],
        env={"PYTHONPATH": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_application_is_reached_and_nothing_else(tmp_path, listener):
    port, taken = listener
    told = {"host": "127.0.0.1", "port": port, "header": False}
    elsewhere = (f"127.0.0.2:{port}", "127.0.0.1:1", "elsewhere.invalid:80", f"localhost:{port}")

    done = start(tmp_path, told, f"127.0.0.1:{port}", *elsewhere)

    lines = done.stdout.splitlines()
    assert lines[0] == f"scanrun: wapiti is confined to 127.0.0.1 {port}"
    assert f"127.0.0.1:{port} reached" in lines
    assert [f"{each} PermissionError" in lines for each in elsewhere] == [True] * 4
    assert done.stdout.count("scanrun: wapiti was kept from ") == 4
    assert len(taken) == 1


def test_header_is_among_the_arguments_and_the_kernel_does_not_show_it(tmp_path):
    told = {"host": "127.0.0.1", "port": 1, "header": True}

    done = start(tmp_path, told, header="X-Token: made-up\n")

    assert "argv -HX-Token: made-up" in done.stdout
    assert "shown False" in done.stdout


@pytest.mark.parametrize(
    ("told", "header"),
    [
        (None, None),
        ({"host": "app"}, None),
        ({"host": "127.0.0.1", "port": 1, "header": True}, None),
    ],
    ids=["nothing told", "half told", "no header"],
)
def test_what_can_not_be_confined_is_not_started(tmp_path, told, header):
    done = start(tmp_path, told, header=header)

    assert done.returncode == 70
    assert "can't be confined" in done.stdout
    assert "argv" not in done.stdout


def test_name_that_nobody_knows_reaches_nothing(tmp_path, listener):
    port, taken = listener

    done = start(
        tmp_path, {"host": "a.invalid", "port": port, "header": False}, f"127.0.0.1:{port}"
    )

    assert "PermissionError" in done.stdout
    assert taken == []
