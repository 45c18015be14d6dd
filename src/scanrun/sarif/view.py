"""What a stage sees of a result: one typed view, whoever wrote the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from scanrun.model import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result, with what its rule adds."""

    scanner: str
    category: str
    rule_id: str
    severity: Severity
    score: float
    message: str
    uri: str
    path: str
    line: int | None
    rule_name: str = ""
    end_line: int | None = None
    kind: str = "fail"
    component: str = ""
    fix: str = ""
    help_uri: str = ""
    fingerprint: str = ""
    suppressed: bool = False
    justification: str = ""

    @classmethod
    def of(
        cls,
        result: Mapping[str, Any],
        rules: Mapping[str, Mapping[str, Any]],
        *,
        scanner: str,
        category: str = "",
    ) -> Self:
        """Return the view of a SARIF result. `rules`: rule id -> reportingDescriptor."""
        raise NotImplementedError
