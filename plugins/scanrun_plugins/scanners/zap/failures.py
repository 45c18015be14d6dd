"""What ZAP's exit codes mean, and what to do about each."""

import re
from pathlib import Path

from scanrun.api import ScanError, Step, StepError
from scanrun_plugins.scanners.web.texts import one_line

_TAIL = 64_000
_LAST = re.compile(
    r"(?m)^(?:\t(Job .+)|\S+ \S+ (Failed to .+|Unable to .+|A file .+)|(\w+Error: .+))$"
)
_APP = "see the application's log, and `port`, `path` and `scheme` in [app]"
_SAID: tuple[tuple[str, str, str], ...] = (
    (
        r"failed to access URL .*(?:name resolution|Name or service|[Uu]nknown ?[Hh]ost|is valid)",
        "ZAP can't find the application's host",
        "it is reached by its name on the private network: see `host` in [app]",
    ),
    (
        r"failed to access URL .*Connection refused|ZAP failed to access",
        "the application refuses ZAP's connections",
        _APP,
    ),
    (
        r"failed to access URL .*Unsupported or unrecognized SSL",
        "the application does not speak TLS there",
        'set scheme = "http" in [app], or mend the address',
    ),
    (
        r"failed to access URL .*Connection reset",
        "the application breaks ZAP's connections off: it may speak TLS there",
        'set scheme = "https" in [app], or see the application\'s log',
    ),
    (
        r"failed to access URL .*(?:[Tt]imed out|NoHttpResponse|failed to respond)",
        "the application does not answer ZAP",
        "see the application's log; it may need more memory (`memory` in [app])",
    ),
    (
        r"failed to access URL",
        "ZAP can't reach the application",
        _APP,
    ),
    (
        r"OutOfMemoryError|insufficient memory for the Java",
        "ZAP had not enough memory",
        "raise `memory` in [scanner.{name}]",
    ),
    (
        r"minimum of Java 17 to run",
        "ZAP could not start Java: it has not enough processes, or another image",
        "see `image` in [scanner.{name}], and whether the engine limits processes",
    ),
    (
        r"/zap/wrk' is not mounted|Unable to copy yaml file|failed to generate report",
        "ZAP could not write into /zap/wrk",
        "see whether the engine's disk is full, and `image` in [scanner.{name}]",
    ),
    (
        r"Failed to load config file",
        "ZAP does not take its rule file",
        "see `rules` and `rules_file` in [scanner.{name}]",
    ),
    (
        r"Invalid option|not recognized|Usage: zap-baseline|Target must start with",
        "ZAP does not know one of its options",
        "see `args` and `image` in [scanner.{name}]",
    ),
    (
        r"Unrecognised job type|Missing environment|Cannot access file",
        "ZAP does not take its plan",
        "see `plan` in [scanner.{name}]; a job may need an add-on that the image lacks",
    ),
    (
        r"Traceback \(most recent call last\)",
        "ZAP's script broke off",
        "see `args` and `image` in [scanner.{name}]",
    ),
)
"""What stands in the log, what it means, and what to do."""
_CODES = {
    1: ("ZAP's plan failed", "see its log"),
    3: (
        "ZAP ended without looking at anything",
        "raise `memory` in [scanner.{name}]: it may have been killed for it, or see its log",
    ),
    137: ("ZAP was killed", "raise `memory` in [scanner.{name}], or see the engine's log"),
    143: ("ZAP was stopped", "see who stops containers on this engine"),
}


def failure(name: str, step: Step, exit_code: int, log: Path) -> ScanError | None:
    """Return what an exit code means; what its log says goes before what the code says."""
    if step.name != "scan":
        return None
    text = _tail(log)
    found = next(((what, cure) for each, what, cure in _SAID if re.search(each, text)), None)
    found = found or _CODES.get(exit_code)
    if found is None:
        return None
    # both streams come in any order: that there is no summary is the least of it
    told = [next(filter(None, match)) for match in _LAST.findall(text)]
    last = [each for each in told if "summary file" not in each] or told
    said = f": {one_line(last[-1])}" if last else ""
    return StepError(
        f"{found[0]} (exit code {exit_code}{said})", hint=found[1].replace("{name}", name)
    )


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL))
        return stream.read().decode("utf-8", "replace")
