"""How the rules that were used are read, with their descriptions."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec import Raw, Struct

from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.refusals import UnknownError
from scanrun_plugins.scanners.sonar.spool import Spool

_AT_ONCE = 4


class _Answer(Struct):
    rule: Raw


def read_rules(
    client: Client, keys: Iterable[str], spool: Spool, *, organization: str = ""
) -> None:
    """Put the rules away. One that the server has forgotten is put away by its name alone."""

    def ask(key: str) -> bytes:
        try:
            return bytes(
                client.get("api/rules/show", _Answer, key=key, organization=organization).rule
            )
        except UnknownError:
            return msgspec.json.encode({"key": key})

    wanted = sorted(set(keys))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for key, rule in zip(wanted, pool.map(ask, wanted), strict=True):
            spool.add(key, (key,), rule)
