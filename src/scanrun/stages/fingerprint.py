"""How a finding is known again tomorrow: `partialFingerprints["scanrun/v1"]` on every result."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from scanrun.model import Category, Snapshot
from scanrun.sarif.uri import decode_path
from scanrun.sarif.view import FINGERPRINT
from scanrun.source import SourceLines

_SECRET_CWES = frozenset({"256", "257", "259", "260", "312", "319", "321", "522", "540", "798"})
_HASH = hashlib.blake2b(digest_size=16)


class Fingerprinter:
    """Gives the results of one scanner their fingerprints, in the order in which they come.

    The line number is left out on purpose: adding an import above a finding must not turn it into
    a new one. The line's text without white space stands for it; where that may be a secret, a
    hash of it could be guessed, and only rule, path and order are left.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._source = SourceLines(snapshot)
        self._seen: dict[bytes, int] = {}

    def add(
        self, result: dict[str, Any], scanner: str, rule: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return `result` with its fingerprint set.

        `rule` is its reportingDescriptor: without one nobody knows that the line is no secret.
        """
        given = result.get("partialFingerprints") or {}
        identity = [_frame(f"{key}={given[key]}") for key in sorted(given) if _identifies(key)]
        physical = result["locations"][0]["physicalLocation"]
        uri = physical["artifactLocation"]["uri"]
        frames = [_known_frame(scanner), _known_frame(result["ruleId"]), _known_frame(uri)]
        frames += identity
        if not identity and rule is not None and not _may_hold_secret(rule):
            line = self._line(decode_path(uri), physical.get("region", {}).get("startLine"))
            frames += [_frame(line)] if line else []
        basis = _digest(b"".join(frames))
        self._seen[basis] = number = self._seen.get(basis, 0) + 1
        print_ = _digest(_frame(basis.hex()) + _known_frame(str(number))).hex()
        return {**result, "partialFingerprints": {**given, FINGERPRINT: print_}}

    def _line(self, path: str, number: int | None) -> str:
        """Return the text of a line without white space; empty where it can't be had."""
        if number is None:
            return ""
        lines = self._source.of(path)
        text = lines[number - 1] if 0 < number <= len(lines) else b""
        return b"".join(text.split()).decode("utf-8", "backslashreplace")


@lru_cache(1024)
def _identifies(key: str) -> bool:
    """Say whether a converter's fingerprint stays when lines move, unlike a hash of lines."""
    return key != FINGERPRINT and "line" not in key.lower()


def _may_hold_secret(rule: Mapping[str, Any]) -> bool:
    if rule.get("properties", {}).get("category") == Category.SECRET:
        return True
    targets = (each.get("target", {}) for each in rule.get("relationships", ()))
    return any(str(target.get("id")) in _SECRET_CWES for target in targets)


def _frame(part: str) -> bytes:
    """Return a part with its length before it: no two lists of parts look alike."""
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "big") + encoded


_known_frame = lru_cache(8192)(_frame)


def _digest(framed: bytes) -> bytes:
    made = _HASH.copy()  # quicker than a new one
    made.update(framed)
    return made.digest()
