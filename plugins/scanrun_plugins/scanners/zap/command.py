"""What all launches of ZAP have in common: image, places, driver, and ZAP's own options."""

from collections.abc import Iterator

from scanrun.api import Driver

IMAGE = "zaproxy/zap-stable:2.17.0"
WORK = "/zap/wrk"
"""The only folder that ZAP's scripts take files from, and write reports to."""
REPORT = f"{WORK}/report.json"
XML_REPORT = f"{WORK}/report.xml"
HOME = "/tmp/zap"  # noqa: S108 - of the container
"""ZAP's own folder. Without `-dir` it is below the home of whom the image's passwd names."""

DRIVER = Driver(
    name="ZAP",
    full_name="Zed Attack Proxy",
    organization="ZAP",
    information_uri="https://www.zaproxy.org/",
)
MEMORY_MB = 2048
SCRATCH_MB = 512
PIDS = 1024
"""Threads count, and ZAP has two for each of the machine's cores, several times over."""
_SMALLEST_HEAP_MB = 192


def zap_options(memory_mb: int, *, silent: bool, systemic_limit: int) -> Iterator[str]:
    """Yield ZAP's own options.

    The heap is said: ZAP knows a container's limit by cgroup 1 only, and takes a quarter of the
    machine's memory otherwise.
    """
    if silent:
        yield "-silent"
    yield from ("-dir", HOME)
    yield f"-Xmx{max(_SMALLEST_HEAP_MB, memory_mb // 2)}m"
    yield from ("-config", f"alert.systemicLimit={systemic_limit}")
