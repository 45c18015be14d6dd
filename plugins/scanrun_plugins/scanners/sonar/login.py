"""What a server of scanrun's own needs before a scan: a password, a token, a project, a gate."""

import json
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock
from msgspec import Struct
from platformdirs import user_data_path

from scanrun.api import ScanError
from scanrun_plugins.scanners.sonar.answers import decoded
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.refusals import RefusedError, UnauthorisedError
from scanrun_plugins.scanners.sonar.server import status_of

ADMIN = "admin"
GATE = "scanrun"
_LOCK_S = 60.0
_LIFE = timedelta(days=2)
"""Of a token: a scan that was killed leaves none that lasts."""


class _Made(Struct):
    token: str


def fresh_password() -> str:
    """Return a password that meets any rule of a server's: long, with letters of all kinds."""
    return f"aA1!{secrets.token_urlsafe(24)}"


def of_this_run(url: str) -> Client:
    """Return a client of a server that nobody else knows, its password changed and forgotten."""
    password = fresh_password()
    _change(url, ADMIN, password)
    return Client.with_password(url, ADMIN, password)


def of_this_user(url: str, folder: Path | None = None) -> Client:
    """Return a client of a kept server. Its password lies in `folder`, readable by its owner only.

    Raises:
        ScanError: somebody else has changed the password.
    """
    folder = folder or user_data_path("scanrun") / "servers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = status_of(Client(url)).id
    path = folder / f"sonarqube-{server}.json"
    with FileLock(folder / "lock", timeout=_LOCK_S):
        for known in _known(path):
            client = Client.with_password(url, ADMIN, known)
            if _fits(client):
                return client
        password = fresh_password()
        _write(path, password)
        try:
            _change(url, ADMIN, password)
        except UnauthorisedError as error:
            path.unlink()
            raise ScanError(
                "the password of the kept SonarQube server is not known here",
                hint="remove the server with `scanrun cache clear`, and scan again",
            ) from error
    return Client.with_password(url, ADMIN, password)


def _known(path: Path) -> tuple[str, ...]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return (str(json.loads(path.read_text())["password"]),)
    return ()


def _write(path: Path, password: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        json.dump({"login": ADMIN, "password": password}, stream)


class _Valid(Struct):
    valid: bool


def _fits(client: Client) -> bool:
    try:
        return client.get("api/authentication/validate", _Valid).valid
    except UnauthorisedError:
        return False


def _change(url: str, old: str, new: str) -> None:
    client = Client.with_password(url, ADMIN, old)
    client.post("api/users/change_password", login=ADMIN, previousPassword=old, password=new)


def make_token(client: Client) -> str:
    """Return a new token of the server's administrator, which expires."""
    day = (datetime.now(UTC) + _LIFE).date().isoformat()
    name = f"scanrun-{secrets.token_hex(8)}"
    answer = client.post(
        "api/user_tokens/generate", name=name, type="USER_TOKEN", expirationDate=day
    )
    return decoded(answer, _Made, "the answer to a wish for a token").token


def make_project(client: Client, key: str) -> None:
    """See to it that the project is there, with a gate that asks for no open issue."""
    _unless_there(client, "api/projects/create", project=key, name=key)
    if _unless_there(client, "api/qualitygates/create", name=GATE):
        client.post(
            "api/qualitygates/create_condition",
            gateName=GATE,
            metric="violations",
            op="GT",
            error="0",
        )
    client.post("api/qualitygates/select", gateName=GATE, projectKey=key)


def _unless_there(client: Client, path: str, **params: str) -> bool:
    """Make something; False where it was there already."""
    try:
        client.post(path, **params)
    except RefusedError as error:
        if "already" not in str(error):
            raise
        return False
    return True
