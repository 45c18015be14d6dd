"""What wapiti's log tells of a scan, and what is wrong with it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scanrun.api import Sign
from scanrun_plugins.scanners.wapiti.options import PASSIVE

_LONGEST = 65_536
_ASKED = re.compile(rb"\[\+\] ([A-Z]{3,10}) (.+) \(\d+\)\s*$")
_LAUNCHED = re.compile(rb"\[\*\] Launching module (\w+)\s*$")
_FOUND = re.compile(rb"\[\*\] Wapiti found (\d+) URLs and forms during the scan\s*$")
_WRITTEN = re.compile(rb"A report has been generated in the file ")
_CONFINED = re.compile(rb"scanrun: wapiti is confined to ")

SIGNS = (
    Sign(r"^\[!\] \w+ with URL ", "pages gave no answer"),
    Sign(r" generated an exception: \w+\s*$", "pages could not be read"),
    Sign(r"^\d+ requests were skipped due to network issues", "requests of modules got no answer"),
    Sign(r"^Max scan time was reached", "the crawl was broken off: raise crawl_time, or exclude"),
    Sign(r"^Max attack time was reached", "a module was broken off: raise module_time, or exclude"),
    Sign(
        r"^Waiting for running crawler tasks to finish|^Attack process was interrupted",
        "somebody broke it off",
    ),
    Sign(r"^scanrun: wapiti was kept from ", "it was sent to somebody else's host, and kept off"),
    Sign(r"^\[!\] Unable to find a module named ", "a module that was asked for does not exist"),
    Sign(r"^\[!\] Missing dependencies for module ", "a module was not launched"),
    Sign(r"^\[!\] Can't store information in persister", "it could not keep what it saw"),
    Sign(r"Traceback \(most recent call last\)|Logging error in Loguru", "it failed"),
)
"""Exit code and report are those of a good scan in each of them."""


@dataclass(slots=True)
class Crawl:
    """What the log tells."""

    confined: bool = False
    found: int | None = None
    """How many pages it says it has found; None: it did not come to the end of its crawl."""
    asked: set[tuple[str, str]] = field(default_factory=set)
    """Method and address of each page that the crawl asked for."""
    launched: dict[str, int] = field(default_factory=dict)
    """Module -> how many pages it looked at."""
    written: bool = False


def read_log(log: Path | None) -> Crawl:
    """Return what the log tells; of no log, nothing."""
    crawl = Crawl()
    if log is not None:
        with log.open("rb") as stream:
            module = ""
            while line := stream.readline(_LONGEST):
                module = _take(crawl, line, module)
    return crawl


def _take(crawl: Crawl, line: bytes, module: str) -> str:
    """Take one line in; return which module runs from here on."""
    if asked := _ASKED.match(line):
        if module:
            crawl.launched[module] += 1
        elif crawl.found is None:
            crawl.asked.add((asked[1].decode(), asked[2].decode("utf-8", "replace")))
    elif launched := _LAUNCHED.match(line):
        module = launched[1].decode()
        crawl.launched.setdefault(module, 0)
    elif found := _FOUND.match(line):
        crawl.found = int(found[1])
    crawl.written |= bool(_WRITTEN.match(line))
    crawl.confined |= bool(_CONFINED.match(line))
    return module


def unlaunched(crawl: Crawl, modules: tuple[str, ...]) -> Iterator[str]:
    """Yield which of the modules that were asked for have done nothing."""
    if missing := sorted(set(modules) - set(crawl.launched)):
        yield f"modules that it did not launch: {', '.join(missing)}"
    idle = sorted(each for each in PASSIVE if crawl.launched.get(each) == 0)
    if idle:
        yield f"modules that did not look at the start page: {', '.join(idle)}"
