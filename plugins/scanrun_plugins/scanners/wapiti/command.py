"""How wapiti is launched: its arguments, and what keeps it to the application."""

import json
from collections.abc import Iterator
from importlib.resources import files
from urllib.parse import urlsplit, urlunsplit

from scanrun.api import App, Limits, Step, Target, origin_of
from scanrun_plugins.scanners.wapiti.options import Options
from scanrun_plugins.scanners.web.launch import sealed_header, start_url

IMAGE = "scanrun/wapiti:3.2.3"
REPORT = "/out/wapiti.json"

_LAUNCH = "/launch"
_HEADER = f"{_LAUNCH}/header"
_ASK_S = 20
_TASKS = 8
_START_S = 120
_LOG_MB = 256
"""Verbose, it names each request: so it is seen which pages it dropped without a word."""
_LIMITS = Limits(memory_mb=512, pids=128, scratch_mb=256, log_mb=_LOG_MB)


def scan_step(target: Target, app: App, options: Options) -> Step:
    """Return the step that scans.

    Its deadline is of our own: wapiti waits for a silent server without end, its `--max-scan-time`
    bounds the crawl alone, and a module's last request is not in its `--max-attack-time`.
    """
    return Step(
        image=IMAGE,
        pulled=False,
        executable="wapiti",
        entrypoint=("wapiti",),
        argv=(*_arguments(app, options), *target.args),
        env={"PYTHONPATH": _LAUNCH, "PYTHONUNBUFFERED": "1"},
        source=None,
        workdir="/out",
        files={f"{_LAUNCH}/sitecustomize.py": _program(), f"{_LAUNCH}/target.json": _told(app)},
        sealed={_HEADER: sealed_header(app.sign_in, named=True)} if app.sign_in else {},
        services=app.names,
        outputs=(REPORT,),
        limits=_LIMITS.with_memory(target.memory_mb),
        timeout_s=_START_S + options.crawl_time + options.module_time * len(options.chosen),
    )


def _arguments(app: App, options: Options) -> Iterator[str]:
    url = start_url(app)
    yield from ("-u", url, "--scope", "folder", "-m", ",".join(options.chosen))
    # `-dr 1` has it list the pages that it saw, with their status: nothing else tells
    yield from ("-f", "json", "-o", REPORT, "-v", "2", "-dr", "1")
    yield from ("--no-bugreport", "--flush-session")
    yield from ("--store-session", "/tmp/wapiti/scans", "--store-config", "/tmp/wapiti/config")  # noqa: S108 - of the container
    # else it looks up, and has the application call, a server of its own makers
    yield from ("--dns-endpoint", urlsplit(url).hostname or "", "--endpoint", f"{app.origin}/")
    yield from ("--tasks", str(_TASKS), "-t", str(_ASK_S), "-d", str(options.depth))
    yield from ("--max-scan-time", str(options.crawl_time))
    yield from ("--max-attack-time", str(options.module_time))
    top = url[: len(url) - len(_behind_origin(url))]
    for pattern in options.exclude:
        yield from ("-x", f"{top}{pattern}")


def _behind_origin(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="", netloc=""))


def _program() -> bytes:
    return files("scanrun_plugins.scanners.wapiti").joinpath("confined.py").read_bytes()


def _told(app: App) -> bytes:
    port = int(origin_of(app.url).rpartition(":")[2])
    host = urlsplit(app.url).hostname
    return json.dumps({"host": host, "port": port, "header": bool(app.sign_in)}).encode()
