"""`zap.sh`: ZAP itself."""

import os
import sys
from itertools import pairwise
from pathlib import Path

import yaml

from standin import faults, machine, replay
from standin.automation import Run, run_plan
from standin.document import VERSION
from standin.web import Client

_TIMEOUTS = ("network.connection.timeoutInSecs", "connection.timeoutInSecs")


def main() -> int:
    """Run ZAP with the process's arguments, and return its exit status."""
    options = sys.argv[1:]
    if not machine.has_tasks():
        print(machine.NO_JAVA)
        return 1
    heap, told = machine.heap_mb(options)
    print("Found Java version 17.0.21.1", *told, sep="\n", flush=True)
    if "-version" in options:
        print(VERSION)
        return 0
    machine.use_up()
    if not machine.has_home(options):
        return 1
    if "-autorun" not in options:
        print("the stand-in runs plans only: -cmd -autorun PLAN", file=sys.stderr)
        return 1
    return _autorun(Path(options[options.index("-autorun") + 1]), options, heap)


def _autorun(path: Path, options: list[str], heap: int) -> int:
    try:
        plan = yaml.safe_load(path.read_text())
    except OSError:
        print(f"Cannot access file: {path}", file=sys.stderr)
        return 1
    except yaml.YAMLError as error:
        print(f"Automation plan failures:\n\tUnexpected error: {error}")
        return 1
    if case := replay.recorded():
        return replay.play(case, plan)
    settings = dict(_settings(options))
    fault = faults.fault()
    timeout = next((float(settings[key]) for key in _TIMEOUTS if key in settings), 20.0)
    limit = int(settings.get("alert.systemicLimit", "5"))
    run = Run(_client(timeout), heap, limit, say=lambda text: print(text, flush=True), fault=fault)
    faults.before_reports(fault)
    return run_plan(plan, run)


def _settings(options: list[str]) -> list[tuple[str, str]]:
    pairs = pairwise(options)
    given = [value for option, value in pairs if option == "-config"]
    return [(name, value) for each in given for name, _, value in (each.partition("="),)]


def _client(timeout: float) -> Client:
    """Return a client that signs in as the environment says."""
    value = os.environ.get("ZAP_AUTH_HEADER_VALUE")
    header = os.environ.get("ZAP_AUTH_HEADER", "Authorization")
    site = os.environ.get("ZAP_AUTH_HEADER_SITE", "")
    return Client(timeout, {header: value} if value else {}, site)
