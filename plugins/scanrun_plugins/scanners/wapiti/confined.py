"""What stands between wapiti and the world. Python imports it, as `sitecustomize`, before wapiti.

Wapiti takes headers by its arguments alone, which anybody on the machine can read, and follows
redirects to other hosts. So this adds the sealed header to the arguments that wapiti sees, and lets
it connect to the application and to nothing else. It says when both are done: a wapiti that was
started without is none that is believed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

_NAMES = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_ADDRESSES = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


def confine(folder: Path) -> None:
    """Add the header, resolve the application's name, and refuse all other addresses."""
    target = json.loads((folder / "target.json").read_text(encoding="utf-8"))
    if target["header"]:
        # what the kernel shows of this process stays as it is
        sys.argv.append("-H" + (folder / "header").read_text(encoding="utf-8").strip())
    host, port = target["host"], target["port"]
    allowed = {address[:2] for address in _addresses(host, port)}
    names = {host.lower(), *(address for address, _ in allowed)}

    def watch(event: str, words: tuple[Any, ...]) -> None:
        if event in _NAMES and _text(words[0]) not in names:
            _refuse(words[0])
        if event in _ADDRESSES and isinstance(words[1], tuple) and words[1][:2] not in allowed:
            _refuse(words[1])

    sys.addaudithook(watch)
    _say(f"wapiti is confined to {host} {port}")


def _addresses(host: str, port: int) -> list[tuple[Any, ...]]:
    """Return where the application is; nowhere, where nobody knows: wapiti will say so."""
    try:
        return [each[4] for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError:
        return []


def _text(host: object) -> str:
    return (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)).lower()


def _refuse(where: object) -> None:
    _say(f"wapiti was kept from {ascii(where)[:200]}")
    raise PermissionError("it is not the application")


def _say(text: str) -> None:
    os.write(1, f"scanrun: {text}\n".encode())


if __name__ == "sitecustomize":
    try:
        confine(Path(__file__).resolve().parent)
    except BaseException as error:  # noqa: BLE001 - unconfined is worse than not at all
        _say(f"wapiti can't be confined: {type(error).__name__}")
        os._exit(70)
