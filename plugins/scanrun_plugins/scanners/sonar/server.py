"""A SonarQube server of scanrun's own: how it is started, and when it is ready.

Its memory and its start are tuned: two thirds of the time and of the memory of the defaults, and
some room beyond that, for an image with all analysers registers more rules than one with a few.
"""

from msgspec import Struct

from scanrun.api import Address, Limits, ScanError, Service
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.options import Options
from scanrun_plugins.scanners.sonar.refusals import BusyError, RefusedError, UnknownError
from scanrun_plugins.scanners.sonar.refusals import UnreachableError as NoWayError

NAME = "sonarqube"
PORT = 9000
_HOME = "/opt/sonarqube"
_LEAN = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_ENVIRONMENT = {
    "SONAR_WEB_JAVAOPTS": f"-Xmx512m -Xms128m {_LEAN}",
    "SONAR_CE_JAVAOPTS": f"-Xmx256m -Xms64m {_LEAN}",
    # Elasticsearch's own settings choose another collector, and two of them end it
    "SONAR_SEARCH_JAVAOPTS": f"-Xmx256m -Xms256m -XX:-UseG1GC {_LEAN}",
    "SONAR_TELEMETRY_ENABLE": "false",
    "SONAR_UPDATECENTER_ACTIVATE": "false",
}
_STARTING = frozenset({"STARTING", "RESTARTING", "DB_MIGRATION_RUNNING"})
_ASK_S = 3.0


class Status(Struct):
    """`api/system/status`: the only question that a starting server answers."""

    id: str
    version: str
    status: str


def own_server(options: Options) -> Service:
    """Return the service."""
    return Service(
        name=NAME,
        image=options.server_image,
        port=PORT,
        env=_ENVIRONMENT,
        writes=tuple(f"{_HOME}/{name}" for name in ("data", "extensions", "logs", "temp")),
        ready=is_up,
        limits=Limits(memory_mb=2560, pids=1024, scratch_mb=256),
        start_s=600.0,
        keep=NAME if options.chosen == "keep" else "",
    )


def is_up(address: Address) -> bool:
    """Say whether the server is up.

    Raises:
        ScanError: it never will be.
    """
    try:
        status = status_of(Client(address.url, timeout=_ASK_S, patience=0.0)).status
    except (BusyError, NoWayError, UnknownError, RefusedError):
        return False
    if status in _STARTING:
        return False
    if status != "UP":
        raise ScanError(f"the server says that it is {status!r}", hint="see its log")
    return True


def status_of(client: Client) -> Status:
    """Return what the server says of itself."""
    return client.get("api/system/status", Status)
