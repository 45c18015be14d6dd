"""`scanrun` and `python -m scanrun`."""

import sys

from scanrun.cli.app import run


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
