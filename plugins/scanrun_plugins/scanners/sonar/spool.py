"""Where what is read of a server is put away: a JSON object a line, each once, in a fixed order."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Raw

Order = tuple[str | int, ...]


class Spool:
    """Collects JSON objects in a scratch file, and writes them out sorted. Few bytes in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._index: dict[str, tuple[Order, int, int]] = {}
        self._end = 0

    def __enter__(self) -> Self:
        self._part.unlink(missing_ok=True)
        handle = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._stream = os.fdopen(handle, "w+b")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the file, unless something went wrong."""
        try:
            if kind is None:
                self._write_sorted()
        finally:
            self._stream.close()
            self._part.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._index)

    def add(self, key: str, order: Order, item: Raw | bytes) -> bool:
        """Put an object away; say whether it is a new one."""
        if key in self._index:
            return False
        line = msgspec.json.format(bytes(item), indent=-1) + b"\n"
        self._stream.write(line)
        self._index[key] = (order, self._end, len(line))
        self._end += len(line)
        return True

    def _write_sorted(self) -> None:
        self._stream.flush()
        places = sorted(
            (order, key, start, size) for key, (order, start, size) in self._index.items()
        )
        with self._path.open("wb") as target:
            for _, _, start, size in places:
                self._stream.seek(start)
                target.write(self._stream.read(size))
