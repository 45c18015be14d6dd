"""What Dependency-Check's exit codes mean, and what to do about each."""

import re
from pathlib import Path

from scanrun.api import Role, ScanError, Step, StepError

_TAIL = 64_000
_LAST = re.compile(r"^\[ERROR\] (.+)", re.MULTILINE)
_LONGEST = 300
_NETWORK = (
    "see its log; name a mirror (nvd_datafeed), or bring the database: `scanrun cache restore`"
)
_SAID: tuple[tuple[str, str, str], ...] = (
    (
        r"Incompatible or corrupt database",
        "its database is of another version of Dependency-Check, or damaged",
        "run `scanrun cache update --force`, or `scanrun cache clear` first",
    ),
    (
        r"Autoupdate is disabled and the database does not exist",
        "it has no database",
        "run `scanrun cache update`",
    ),
    (
        r"No documents exist",
        "its database is empty: what it was made of named no software",
        "see that the mirror (nvd_datafeed) is whole",
    ),
    (
        r"No space left on device",
        "there is no room for its temporary files: the database is copied there",
        "raise `scratch` (and `memory` by as much) in [scanner.dependency-check]",
    ),
    (
        r"Unable to connect to the (?:dependency-check )?database|corrupt database",
        "it can't open its database: damaged, or no room for a copy of it",
        "raise `scratch` in [scanner.dependency-check], or run `scanrun cache update --force`",
    ),
    (
        r"(?:known_exploited_vulnerabilities|cisa\.gov)\S*.*[Ss]tatus: 40\d",
        "CISA's list of known exploited vulnerabilities is refused",
        'mirror it (kev_url), or set kev_url = "off" in [scanner.dependency-check]',
    ),
    (
        r"jsrepository\S*.*[Ss]tatus: 40\d",
        "RetireJS's list is refused",
        'mirror it (retirejs_url), or set retirejs_url = "off" in [scanner.dependency-check]',
    ),
    (
        r"\[ERROR\] \S+ was not fetched",
        "one of its lists could not be fetched",
        "mend its address in [scanner.dependency-check] (hosted_suppressions_url, retirejs_url)",
    ),
    (
        r"403 or 404 error|API Key is valid|returned a 40[134]|[Ss]erver status: 40[134]",
        "the NVD, or its mirror, refused",
        "see that the key (nvd_api_key) is valid, and the mirror's address (nvd_datafeed) right",
    ),
)
"""What stands in the log, what it means, and what to do."""
_SAID_OF_FEEDS: tuple[tuple[str, str, str], ...] = (
    (
        r"UnknownHostException|NoRouteToHost|Connection refused|[Cc]onnect timed out",
        "there is no way to the NVD, its mirror, or one of the lists",
        "see the addresses and `proxy` in [scanner.dependency-check], or `scanrun cache restore`",
    ),
    (
        r"Premature end of|Unexpected end of|Not in GZIP format|ZipException|Read timed out",
        "what it fetched is not whole",
        "try again; see that the mirror (nvd_datafeed) is whole",
    ),
    (
        # a number alone may be anything: a port, or milliseconds
        r"(?i)(?:status|code|error|returned an?)\W{1,3}(?:429|503)\b|503 error|retrying request",
        "the NVD is busy, or there is no way to it",
        "try later, with a key for the NVD (nvd_api_key) if there is none; " + _NETWORK,
    ),
)
_CODES: dict[int, tuple[str, str]] = {
    1: ("it can't use a path, or Java ended with an error", "see its log"),
    2: ("it does not know one of its options", "see `args` and `image` in the configuration"),
    4: ("it can't read its properties file", "see its log"),
    8: ("its data could not be brought up to date", _NETWORK),
    9: ("its database could not be written", "run `scanrun cache clear`, and update again"),
    11: ("its database could not be read", "run `scanrun cache update --force`"),
    12: ("it could not write its report", "see whether the engine's disk is full"),
    13: ("its analysis broke off", "see its log"),
    14: ("what it had brought could not be tried", "see its log"),
    15: ("--failOnCVSS makes it end with 15", "take it out of `args`: scanrun judges the findings"),
}
_OUT_OF_MEMORY = (
    "Java had not enough memory",
    "raise `memory` in [scanner.dependency-check]",
)


def failure(step: Step, exit_code: int, log: Path) -> ScanError | None:
    """Return what an exit code means; what its log says goes before what the code says."""
    text = _tail(log)
    if "java.lang.OutOfMemoryError" in text:
        return _error(step, exit_code, _OUT_OF_MEMORY, text)
    feeds = _SAID_OF_FEEDS if step.role is Role.UPDATE else ()
    for pattern, meaning, cure in (*_SAID, *feeds):
        if re.search(pattern, text):
            return _error(step, exit_code, (meaning, cure), text)
    found = _CODES.get(exit_code)
    return _error(step, exit_code, found, text) if found else None


def _error(step: Step, exit_code: int, found: tuple[str, str], text: str) -> ScanError:
    said = _LAST.findall(text)
    last = f": {said[-1].strip()[:_LONGEST]}" if said else ""
    what = "update" if step.role is Role.UPDATE else "scan"
    return StepError(f"{found[0]} ({what}, exit code {exit_code}{last})", hint=found[1])


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL))
        return stream.read().decode("utf-8", "replace")
