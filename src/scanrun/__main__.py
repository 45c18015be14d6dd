"""`scanrun` and `python -m scanrun`."""

import sys
from io import TextIOWrapper

from scanrun.errors import ExitCode


def main() -> None:
    """Run the command line and exit. A name that is no text is shown escaped, and stops nothing."""
    try:
        from scanrun.cli.app import run  # noqa: PLC0415 - Ctrl-C may come while it is imported

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = ExitCode.INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
