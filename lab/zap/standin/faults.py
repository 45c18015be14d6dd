"""What can be made to go wrong, by ZAP_STANDIN_FAULT in the image's environment.

crash           ends in mid-run, with a trace and no summary
killed          the script is killed
hang            never ends
no-report       ends well, and leaves no report
empty-report    ... an empty one
truncated       ... half of one
old-report      ... that of an earlier run, without findings
other-site      ... that of another target
huge-output     prints a hundred megabytes first
stopping        an insight stops the run: no findings, and exit code 0
log-error       a rule fails on a page, and counts as passed
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

NAMES = frozenset(line.split()[0] for line in (__doc__ or "").splitlines() if "  " in line)
_MB = 1 << 20


def fault() -> str:
    """Return which fault there is to be; empty: none.

    Raises:
        ValueError: there is none of that name.
    """
    name = os.environ.get("ZAP_STANDIN_FAULT", "")
    if name and name not in NAMES:
        raise ValueError(f"ZAP_STANDIN_FAULT={name}")
    return name


def before_reports(name: str) -> None:
    """Do what goes wrong before there is a report."""
    if name == "crash":
        print("# A fatal error has been detected by the Java Runtime Environment:", flush=True)
        os._exit(134)
    if name == "hang":
        while True:
            time.sleep(60)
    if name == "huge-output":
        line = "x" * (_MB - 1) + "\n"
        for _ in range(100):
            sys.stdout.write(line)


def changed(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return a report as a fault changes it."""
    if name == "old-report":
        for site in document["site"]:
            site["alerts"] = []
        return document | {
            "@generated": "Wed, 1 Jan 2020 00:00:00",
            "created": "2020-01-01T00:00:00.000000000Z",
        }
    if name == "other-site":
        site = {"@name": "http://other.invalid", "@host": "other.invalid"}
        others = [each | site | {"alerts": []} for each in document["site"]]
        return document | {"site": others, "insights": []}
    return document


def after_report(name: str, path: Path) -> None:
    """Do to a report's file what goes wrong with it."""
    if name == "no-report":
        path.unlink()
    elif name == "empty-report":
        path.write_bytes(b"")
    elif name == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
