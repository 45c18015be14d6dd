"""What runs right now, one line a scanner, redrawn in place below the lines that stay.

Imported only where there is a terminal: rich takes a while.
"""

from collections.abc import Iterator
from time import monotonic
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

_PER_SECOND = 4


class LiveView:
    """The rows of what runs. Rich redraws them in a thread of its own, so the seconds tick."""

    def __init__(self, *, colour: bool) -> None:
        self._console = Console(stderr=True, highlight=False, no_color=not colour)
        self._rows: dict[str, tuple[str, float]] = {}
        self._idle = ""
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            refresh_per_second=_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def idle(self, text: str) -> None:
        """Show `text` while no scanner runs."""
        self._idle = text
        self._live.refresh()

    def row(self, scanner: str, text: str) -> None:
        """Show what a scanner does now; its seconds count from its first row."""
        _, since = self._rows.get(scanner, ("", monotonic()))
        self._rows[scanner] = (text, since)
        self._live.refresh()

    def end(self, scanner: str) -> None:
        """Take a scanner's row away."""
        self._rows.pop(scanner, None)
        self._live.refresh()

    def say(self, line: str) -> None:
        """Print a line that stays, above the rows."""
        # the terminal wraps it: what is copied from there is then one line
        self._console.print(Text.from_ansi(line), soft_wrap=True)

    def _drawn(self) -> Any:  # noqa: ANN401 - what rich can draw
        return Group(*self._lines())

    def _lines(self) -> Iterator[Text]:
        now, width = monotonic(), self._console.width
        # a copy: this is another thread than the one that changes the rows
        rows = list(self._rows.items())
        for name, (text, since) in rows:
            yield _cropped(f"  {name}: {text}", f" · {now - since:.0f} s", width)
        if not rows and self._idle:
            yield _cropped(f"  {self._idle}", "", width)


def _cropped(text: str, end: str, width: int) -> Text:
    """Return one line that leaves the last column free and keeps its end, whatever its text."""
    line = Text(text, no_wrap=True, overflow="ellipsis")
    line.truncate(max(1, width - len(end) - 1), overflow="ellipsis")
    return line.append(end)
