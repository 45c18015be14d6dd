"""Recorded and made-up runs of ZAP, for the tests of what scanrun makes of them."""

import json
import os
import re
from pathlib import Path

from scanrun.api import App, Notification, Outputs, Result, Rule, Snapshot, SnapshotFile
from scanrun.sarif.codec import to_json
from scanrun_plugins.scanners.zap.baseline import Zap
from scanrun_plugins.scanners.zap.command import REPORT, XML_REPORT
from scanrun_plugins.scanners.zap.report import read_report

ROOT = Path(__file__).parents[3]
CASES = ROOT / "lab" / "zap" / "cases"
"""What a real ZAP 2.17.0 printed and wrote."""
DATA = Path(__file__).parents[1] / "data" / "zap"
NOWHERE = Snapshot(root=Path("/nowhere"))

INSTANCE = {"uri": "http://app:8080/a", "method": "GET", "param": "", "evidence": ""}
ALERT = {
    "pluginid": "40012",
    "alertRef": "40012",
    "name": "Reflection",
    "riskcode": "3",
    "confidence": "2",
    "desc": "<p>It is reflected.</p>",
    "cweid": "79",
    "wascid": "8",
    "instances": [INSTANCE],
}
GOOD = {"2xx": "100"}
FRAMEWORK = "Using the Automation Framework\n"
ASKED = 1_795_429_700
"""When both probes asked: on the day on which the cases were recorded."""


def instance(uri="http://app:8080/a", **more):
    return {**INSTANCE, "uri": uri, **more}


def alert(*instances, **more):
    return {**ALERT, "instances": list(instances) or [INSTANCE], **more}


def insight(key, statistic, site="http://app:8080", **more):
    return {"key": key, "statistic": statistic, "site": site, "level": "Info", **more}


def insights(codes=GOOD, endpoints="9", site="http://app:8080"):
    told = [insight(f"insight.code.{code}", share, site) for code, share in codes.items()]
    return [*told, insight("insight.endpoint.total", endpoints, site)]


def report(*alerts, site="http://app:8080", **more):
    sites = [{"@name": site, "alerts": list(alerts)}]
    made = {"@programName": "ZAP", "@version": "2.17.0", "site": sites, "insights": insights()}
    return {**made, **more}


def answer(url, status=200, **more):
    """Return what a probe leaves of a page that is as it should be."""
    blank = {
        "chain": [{"url": url, "status": status, "location": ""}],
        "status": status,
        "length": 500,
        "whole": True,
        "type": "text/html",
        "title": "Parcels",
        "has_text": True,
        "has_title": True,
        "password": False,
        "links": 3,
        "alone": False,
        "refresh": "",
        "certificate": "",
        "error": "",
        "words": "",
        "tries": 1,
    }
    return {**blank, **more}


def given(tmp_path, made, *, app=None, log=FRAMEWORK, xml=None, took_s=20, **more):
    """Return the outputs of a run: its report, what both probes got, and what was printed."""
    app = app or App(url="http://app:8080/")
    paths = {}
    for name in ("before", "after"):
        paths[f"/probe-{name}/answer.json"] = path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(answer(app.url)))
        os.utime(path, (ASKED, ASKED))
    paths[REPORT] = tmp_path / "report.json"
    paths[REPORT].write_text(made if isinstance(made, str) else json.dumps(made))
    if xml is not None:
        paths[XML_REPORT] = tmp_path / "report.xml"
        paths[XML_REPORT].write_text(xml)
    os.utime(paths[REPORT], (ASKED, ASKED + took_s))
    printed = tmp_path / "zap.log"
    printed.write_text(log)
    return Outputs(paths, log=printed, app=app, snapshot=more.pop("snapshot", NOWHERE), **more)


def recorded(tmp_path, case, **more):
    """Return the outputs of a recorded run, with an application that a probe finds as it is due."""
    folder = CASES / case
    url = re.search(r"-t (\S+)", (folder / "meta.txt").read_text())
    at = url[1] if url else "http://target:8020"
    log = (folder / "stdout.txt").read_text() + (folder / "stderr.txt").read_text()
    app = App(url=at if at.endswith("/") else f"{at}/")
    return given(tmp_path, (folder / "report.json").read_text(), app=app, log=log, **more)


def converted(tmp_path, *alerts, **more):
    return list(Zap().convert(given(tmp_path, report(*alerts, **more))))


def saved(path):
    """Return what a saved report converts to."""
    return list(Zap().convert(Outputs({REPORT: path})))


def read(tmp_path, made):
    path = tmp_path / "report.json"
    path.write_text(made if isinstance(made, str) else json.dumps(made))
    return read_report(path)


def tree(root, files):
    """Write files (path -> text), and return their snapshot."""
    found = []
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        found.append(SnapshotFile(path, len(text)))
    return Snapshot(root=root, files=tuple(found))


def results(items):
    return [item for item in items if isinstance(item, Result)]


def rules(items):
    return [item for item in items if isinstance(item, Rule)]


def notes(items):
    return [item for item in items if isinstance(item, Notification)]


def uri(result):
    return result.locations[0].physical_location.artifact_location.uri


def identity(result):
    return uri(result), result.rule_id, result.partial_fingerprints["zapAlert/v1"]


def text(result):
    """Return all of a result as it is written."""
    return json.dumps(to_json(result))
