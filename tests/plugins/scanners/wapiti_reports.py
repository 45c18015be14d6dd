"""Recorded reports and logs of wapiti, and what two probes beside it may have got."""

import json
import tempfile
from pathlib import Path

from scanrun.model import App, Outputs
from scanrun_plugins.scanners.wapiti.command import REPORT
from scanrun_plugins.scanners.wapiti.options import Options

DATA = Path(__file__).parents[1] / "data" / "wapiti"
APP = App(url="http://app:8080/")
PROBED = {
    "chain": [{"url": APP.url, "status": 200, "location": ""}],
    "status": 200,
    "length": 812,
    "whole": True,
    "type": "text/html",
    "title": "Parcels",
    "has_text": True,
    "has_title": True,
    "password": False,
    "links": 4,
    "alone": False,
    "refresh": "",
    "certificate": "",
    "error": "",
    "words": "",
    "tries": 1,
}


def report(name="passive"):
    """Return a report that a test may change."""
    return json.loads((DATA / f"{name}.json").read_text())


def log(name="passive"):
    return (DATA / f"{name}.log").read_bytes()


def scanned(given=None, said=None, *, app=APP, **options):
    """Return what a scan left, report and log of the passive one where a test has none."""
    folder = Path(tempfile.mkdtemp(prefix="scanrun-test-"))
    contents = {
        REPORT: given if isinstance(given, bytes) else json.dumps(given or report()).encode(),
        "/probe-before/answer.json": json.dumps(PROBED).encode(),
        "/probe-after/answer.json": json.dumps(PROBED).encode(),
    }
    paths = {}
    for number, (path, content) in enumerate(contents.items()):
        paths[path] = folder / f"{number}.json"
        paths[path].write_bytes(content)
    (folder / "log").write_bytes(log() if said is None else said)
    options = Options(**options).model_dump()
    return Outputs(paths, log=folder / "log", options=options, app=app)
