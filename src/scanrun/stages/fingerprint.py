"""How a finding is known again tomorrow: `partialFingerprints["scanrun/v1"]` on every result."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from scanrun.model import Category, Snapshot
from scanrun.sarif.uri import decode_path
from scanrun.sarif.view import FINGERPRINT
from scanrun.source import SourceLines

_SECRET_CWES = frozenset({"256", "257", "259", "260", "312", "319", "321", "522", "540", "798"})
_HASH_BYTES = 16


class Fingerprinter:
    """Gives the results of one scanner their fingerprints, in the order in which they come.

    The line number is left out on purpose: adding an import above a finding must not turn it into
    a new one. The line's text without white space stands for it; where that may be a secret, a
    hash of it could be guessed, and only rule, path and order are left.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._source = SourceLines(snapshot)
        self._seen: Counter[bytes] = Counter()

    def add(
        self, result: dict[str, Any], scanner: str, rule: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return `result` with its fingerprint set.

        `rule` is its reportingDescriptor: without one nobody knows that the line is no secret.
        """
        given = result.get("partialFingerprints") or {}
        identity = {key: given[key] for key in sorted(given) if _identifies(key)}
        physical = result["locations"][0]["physicalLocation"]
        uri = physical["artifactLocation"]["uri"]
        parts = [scanner, result["ruleId"], uri, *(f"{k}={v}" for k, v in identity.items())]
        if not identity and rule is not None and not _may_hold_secret(rule):
            line = self._line(decode_path(uri), physical.get("region", {}).get("startLine"))
            parts += [line] if line else []
        basis = _digest(parts)
        self._seen[basis] += 1
        print_ = _digest([basis.hex(), str(self._seen[basis])]).hex()
        return {**result, "partialFingerprints": {**given, FINGERPRINT: print_}}

    def _line(self, path: str, number: int | None) -> str:
        """Return the text of a line without white space; empty where it can't be had."""
        if number is None:
            return ""
        lines = self._source.of(path)
        text = lines[number - 1] if 0 < number <= len(lines) else b""
        return b"".join(text.split()).decode("utf-8", "backslashreplace")


def _identifies(key: str) -> bool:
    """Say whether a converter's fingerprint stays when lines move, unlike a hash of lines."""
    return key != FINGERPRINT and "line" not in key.lower()


def _may_hold_secret(rule: Mapping[str, Any]) -> bool:
    if rule.get("properties", {}).get("category") == Category.SECRET:
        return True
    targets = (each.get("target", {}) for each in rule.get("relationships", ()))
    return any(str(target.get("id")) in _SECRET_CWES for target in targets)


def _digest(parts: list[str]) -> bytes:
    """Return a hash of `parts` in which no two lists of parts look alike."""
    encoded = (part.encode("utf-8", "surrogatepass") for part in parts)
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
    return hashlib.blake2b(framed, digest_size=_HASH_BYTES).digest()
