"""What ZAP prints of a run: the warnings and failures of its plan, which stand nowhere else.

`zap-baseline.py` ends with 0 all the same.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from scanrun_plugins.scanners.web.addresses import normal
from scanrun_plugins.scanners.web.texts import one_line

FRAMEWORK = b"Using the Automation Framework"
_HEADINGS = {
    b"Automation plan warnings:": "warnings",
    b"Automation plan failures:": "failures",
}
_URLS = re.compile(rb"Total of (\d{1,9}) URLs$")
_STATUS = re.compile(
    r"Job \S+ error accessing URL (\S+) status code returned : (\d{3}) expected (\d{3})"
)
_ENDED = re.compile(
    rb"Job (spider[A-Za-z]{0,40}) finished, time taken: (\d{1,6}):([0-5]\d):([0-5]\d)$"
)
_LONGEST = 64 << 10
_MOST = 50


@dataclass(frozen=True, slots=True)
class Progress:
    """What was printed."""

    framework: bool = False
    """It ran in the Automation Framework: the older mode tells of no warnings."""
    urls: int | None = None
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    spiders: tuple[tuple[str, int], ...] = ()
    """Type and seconds of each job that looked for pages, in order; a script does not print it."""


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A page at which a job began, and that answered something else than it should."""

    url: str
    status: int

    def is_at(self, url: str) -> bool:
        """Say whether it is that page."""
        return normal(self.url) == normal(url)


def read_progress(log: Path) -> Progress:
    """Return what stands in a scanner's log."""
    framework, urls, part, broken = False, None, "", False
    spiders: list[tuple[str, int]] = []
    told: dict[str, dict[str, None]] = {"warnings": {}, "failures": {}}
    with log.open("rb") as stream:
        while line := stream.readline(_LONGEST):
            plain, rest = line.rstrip(), broken
            broken = not line.endswith(b"\n")
            if rest:  # of a line that is longer than any of ZAP's own
                continue
            if part and plain.startswith(b"\t") and len(told[part]) < _MOST:
                told[part][one_line(plain.decode("utf-8", "replace"), 400)] = None
                continue
            part = _HEADINGS.get(plain, "")
            framework = framework or plain == FRAMEWORK
            if match := _URLS.match(plain):
                urls = int(match[1])
            if (match := _ENDED.match(plain)) and len(spiders) < _MOST:
                hours, minutes, seconds = (int(each) for each in match.groups()[1:])
                spiders.append((match[1].decode(), 3600 * hours + 60 * minutes + seconds))
    warnings, failures = tuple(told["warnings"]), tuple(told["failures"])
    return Progress(framework, urls, warnings, failures, tuple(spiders))


def unexpected(warning: str) -> Unexpected | None:
    """Return the page that a warning is about; None for another warning."""
    match = _STATUS.search(warning)
    return Unexpected(match[1], int(match[2])) if match else None
