"""What a scanner's steps have left, for those who read it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scanrun.model.app import App
from scanrun.model.tree import Snapshot

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Outputs(Mapping[str, Path]):
    """What the steps of one scanner left: absolute container path -> file or folder on this host.

    Asking for an output that is not there raises `KeyError`; converters ask for those their steps
    declare, and the engine has already refused a run without them.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        *,
        log: Path | None = None,
        exit_code: int = 0,
        snapshot: Snapshot | None = None,
        options: Mapping[str, Any] = _NOTHING,
        app: App | None = None,
    ) -> None:
        self._paths = dict(paths)
        self.log = log
        self.exit_code = exit_code
        """Of the last step whose role is scan."""
        self.snapshot = snapshot or Snapshot(root=Path())
        self.options = options
        self.app = app
        """The application that was scanned; None also where a saved report is read."""

    def __getitem__(self, path: str) -> Path:
        return self._paths[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)
