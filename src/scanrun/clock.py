"""How long the parts of a scan took, for its timeline."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from scanrun.model import Phase


@dataclass(slots=True)
class Clock:
    """Cuts the time since it was made into phases, one after the other."""

    phases: list[Phase] = field(default_factory=list)
    _since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def lap(self, name: str, *, at_least_s: float = 0.0) -> None:
        """End a phase now; one that was shorter than `at_least_s` belongs to the next."""
        now = datetime.now(UTC)
        if (now - self._since).total_seconds() >= at_least_s:
            self.phases.append(Phase(name, self._since, now))
            self._since = now
