"""What a task of scanrun's own process works with."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanrun.contracts import Running
from scanrun.errors import StepError
from scanrun.model import Address, Task


@dataclass(slots=True, kw_only=True)
class TaskDesk:
    """See `scanrun.contracts.Desk`."""

    task: Task
    folder: Path
    """The task's own, in the scratch folder."""
    outputs: Mapping[str, Path]
    exit_code: int
    cancel: threading.Event
    log: Path
    running: Mapping[str, Running]
    secrets: dict[str, str] = field(repr=False)
    """Of the scanner's run, by name: what is sealed is there for later steps."""
    learn: Callable[[str], None]
    tell: Callable[[str], None]
    placed: dict[str, Path] = field(default_factory=dict)

    def address(self, service: str) -> Address:
        """Return where a service is reached."""
        if service not in self.task.services:
            raise StepError(f"task {self.task.name!r} does not name the service {service!r}")
        return self.running[service].address

    def secret(self, name: str) -> str:
        """Return a secret; empty for an optional one that there is not."""
        if name not in self.secrets:
            raise StepError(f"task {self.task.name!r} asks for a secret {name!r} of nobody's")
        return self.secrets[name]

    def seal(self, name: str, value: str) -> None:
        """Keep a secret for later steps, and have it masked."""
        self.learn(value)
        self.secrets[name] = value

    def place(self, output: str) -> Path:
        """Return where an output is to be written."""
        if output not in self.task.outputs:
            raise StepError(f"task {self.task.name!r} has no output {output!r}")
        path = self.folder / "outputs" / output.strip("/")
        (path if output.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        self.placed[output] = path
        return path

    def say(self, text: str) -> None:
        """Tell of progress."""
        self.tell(text)

    def left(self) -> Mapping[str, Path]:
        """Return the outputs.

        Raises:
            StepError: one that was declared is not there.
        """
        for output in self.task.outputs:
            if output not in self.placed or not self.placed[output].exists():
                raise StepError(f"task {self.task.name!r} left no {output!r}")
        return dict(self.placed)
