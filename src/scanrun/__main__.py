"""`scanrun` and `python -m scanrun`."""

import gc
import os
import sys
from io import TextIOWrapper
from typing import TextIO

from scanrun.errors import ExitCode

_OBJECTS = 20_000
"""New ones after which Python looks for garbage: while modules are loaded there is hardly any."""


def main() -> None:
    """Run the command line and exit. A name that is no text is shown escaped, and stops nothing."""
    gc.set_threshold(_OBJECTS)
    try:
        from scanrun.cli.app import run  # noqa: PLC0415 - Ctrl-C may come while it is imported

        # of a stream that the caller has closed (`2>&-`) there would be none
        sys.stdout = sys.stdout or _nowhere()
        sys.stderr = sys.stderr or _nowhere()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = ExitCode.INTERRUPTED
    sys.exit(code)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - open until the end


if __name__ == "__main__":
    main()
