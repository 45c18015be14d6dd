"""What the scanner's exit codes mean: its log tells, and not always in words that help."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from scanrun.api import ScanError
from scanrun_plugins.scanners.sonar.refusals import READER, one_line

_TAIL = 200_000
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_MEANINGS = (
    (
        rb"failed with HTTP 401",
        "the server refuses the token",
        "the token is wrong, revoked or expired: make a new one",
    ),
    (
        rb"You're not authorized to analyze this project",
        "the token may not analyse this project, or create it",
        READER,
    ),
    (
        rb"is not a valid project key",
        "the project's key is none that SonarQube takes",
        "set project_key in [sonar]",
    ),
    (
        rb"Developer Edition or above is required",
        "the server's edition analyses no branches and no pull requests",
        "leave branch and pull_request out of [sonar]",
    ),
    (
        rb"PKIX path|unable to find valid certification path|SSLHandshake|CertificateException",
        "the scanner does not trust the server's certificate",
        "name the certificate authority's file: ca in [sonar]",
    ),
    (
        rb"failed with HTTP 404|failed with HTTP 503",
        "the server is still starting, or its address lacks a path",
        "check host_url, and that the server is up",
    ),
    (
        rb"java\.lang\.OutOfMemoryError",
        "the analysis needs more memory than Java gives it",
        "raise `memory` in [sonar]",
    ),
)
_NO_WAY = re.compile(rb"Failed to query server version: Call to URL")


def meaning(exit_code: int, log: Path, host_url: str) -> ScanError | None:
    """Return what a failed analysis means; None where the log has no words that are known."""
    tail = _tail(log)
    for pattern, message, hint in _MEANINGS:
        if re.search(pattern, tail):
            return ScanError(message, hint=hint)
    if _NO_WAY.search(tail):
        return _no_way(host_url)
    if b"EXECUTION FAILURE" in tail and b"ERROR" not in tail:
        return ScanError(
            f"the analysis was killed (exit code {exit_code}), most likely for its memory",
            hint="raise `memory` in [sonar]",
        )
    return None


def _no_way(host_url: str) -> ScanError:
    host = urlsplit(host_url).hostname or ""
    if host in _LOCAL:
        return ScanError(
            f"in the scanner's container {host!r} is the container itself, not this machine",
            hint="set host_url to an address of this machine that containers reach, such as the"
            " engine's gateway, and let the server listen there",
        )
    return ScanError(
        f"the scanner's container does not reach the server at {one_line(host_url)!r}",
        hint="set host_url to an address that containers on the engine's machine reach, or name"
        " the way there: `proxy` in [sonar]",
    )


def _tail(log: Path) -> bytes:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL))
        return stream.read()
