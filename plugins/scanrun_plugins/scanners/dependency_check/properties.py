"""The properties file: all that must not stand on a command line, and what has no option there."""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from scanrun.api import Need, StepError
from scanrun_plugins.scanners.dependency_check.command import Options

_DEEPEST = 20
"""Archives within archives. By itself Dependency-Check passes over the fourth, without a word."""
_AT_ONCE = {
    "nvd.api.check.validforhours": "0",
    "kev.check.validforhours": "0",
    "analyzer.retirejs.forceupdate": "true",
    "hosted.suppressions.forceupdate": "true",
}
"""It would fetch nothing for hours after the last time: when to fetch is decided by the cache."""
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", " ": "\\ "}
_ASCII = range(32, 127)


def needs(options: Options) -> tuple[Need, ...]:
    """Return the secrets that the file is made of."""
    return tuple(_needs(options))


def _needs(options: Options) -> Iterator[Need]:
    if options.central:
        if options.db_password:
            yield Need(options.db_password, "password of the central database")
        return
    if options.nvd_api_key and not options.nvd_datafeed:
        yield Need(options.nvd_api_key, "key for the NVD", optional=True)
    if options.nvd_datafeed_password:
        yield Need(options.nvd_datafeed_password, "password of the NVD mirror")
    if options.proxy:
        yield Need(options.proxy, "address of the proxy")


def for_update(options: Options, secrets: Mapping[str, str]) -> bytes:
    """Return the file for an update."""
    found = {
        **_AT_ONCE,
        "nvd.api.key": "" if options.nvd_datafeed else secrets.get(options.nvd_api_key, ""),
        "nvd.api.datafeed.user": options.nvd_datafeed_user,
        "nvd.api.datafeed.password": secrets.get(options.nvd_datafeed_password, ""),
        **_proxy(secrets.get(options.proxy, "")),
    }
    return _written(found)


def for_scan(options: Options, secrets: Mapping[str, str]) -> bytes:
    """Return the file for a scan."""
    found = {"archive.scan.depth": str(_DEEPEST), "odc.autoupdate": "false"}
    if options.central:
        found |= {
            "data.connection_string": options.connection_string,
            "data.driver_name": options.db_driver,
            "data.user": options.db_user,
            "data.password": secrets.get(options.db_password, ""),
        }
    return _written(found)


def _proxy(address: str) -> dict[str, str]:
    """Return what says the same as the address `http://user:password@host:port`.

    Raises:
        StepError: it is no such address. It is not repeated: there may be a password in it.
    """
    if not address:
        return {}
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None:
        raise StepError("the proxy's address is none", hint="write it as http://host:port")
    return {
        "proxy.server": host,
        "proxy.port": str(port or 80),
        "proxy.username": unquote(parts.username or ""),
        "proxy.password": unquote(parts.password or ""),
    }


def for_java(options: Options, secrets: Mapping[str, str]) -> bytes:
    """Return the proxy as options of Java's launcher: what asks the NVD knows no other way."""
    said = _proxy(secrets.get(options.proxy, ""))
    names = {"server": "Host", "port": "Port", "username": "User", "password": "Password"}
    lines = (
        f'"-D{scheme}.proxy{name}={_quoted(said[f"proxy.{key}"])}"\n'
        for scheme in ("http", "https")
        for key, name in names.items()
        if said.get(f"proxy.{key}")
    )
    return "".join(lines).encode()


def _quoted(value: str) -> str:
    """Return the value as Java's launcher reads it between double quotes."""
    for each, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(each, escaped)
    return value


def _written(found: Mapping[str, str]) -> bytes:
    lines = (f"{name}={_escaped(value)}\n" for name, value in found.items() if value)
    return "".join(lines).encode("ascii")


def _escaped(value: str) -> str:
    """Return the value as Java reads it: the file is Latin-1, and a backslash begins an escape."""
    return "".join(map(_character, value))


def _character(each: str) -> str:
    if each in _ESCAPES:
        return _ESCAPES[each]
    if ord(each) in _ASCII:
        return each
    units = each.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
