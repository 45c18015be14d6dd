"""What all scanners of a run share."""

import queue
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from scanrun.cache import Cache
from scanrun.engines import Engines
from scanrun.model import ScanResult
from scanrun.request import Request
from scanrun.sarif.mask import Masker
from scanrun.secrets import Secrets
from scanrun.stages.budget import Budget
from scanrun.stages.plan import ScanPlan
from scanrun.stages.services import Services
from scanrun.stages.triage import Triage


@dataclass(frozen=True, slots=True)
class Progress:
    """A scanner has come to something new, or has ended."""

    scanner: str
    text: str
    at: datetime
    result: ScanResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a scanner's thread works with. Nothing in it changes but the queue and the triage."""

    request: Request
    plan: ScanPlan
    engines: Engines
    cache: Cache
    folder: Path
    """In the scratch folder: one folder below it for each scanner."""
    triage: Triage
    masker: Masker
    cancel: threading.Event
    secrets: Secrets
    services: Services
    budget: Budget
    events: "queue.SimpleQueue[Progress]" = field(default_factory=queue.SimpleQueue)

    def tell(self, scanner: str, text: str) -> None:
        """Queue a line of progress for the main thread, the only one that prints."""
        self.events.put(Progress(scanner, self.masker.text(text), datetime.now(UTC)))

    def log(self, scanner: str) -> Path:
        """Return where a scanner's log grows while it runs."""
        return self.folder / f"{scanner}.log"

    def run_file(self, scanner: str) -> Path:
        """Return where a scanner's SARIF run is put away."""
        return self.folder / f"{scanner}.run.json"
