"""A scanner of running applications in a few lines, and what its probes got."""

import json
from dataclasses import replace
from types import MappingProxyType

from pipeline_kit import CLEAN, REPORT, Tool

from scanrun.api import Applies, Category, Step, probe_step, reach_of
from scanrun.testing import FakeEngine, Reply

IMAGE = "python:3.11-slim"
APP = {"app.image": IMAGE, "app.port": 8080}
"""As flags would set it."""
URL = "http://app:8080/"
PAGE = {
    "chain": [{"url": URL, "status": 200, "location": ""}],
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
DEAD = {**PAGE, "chain": [], "status": 0, "error": "refused", "words": "nobody there", "tries": 3}


def always(address):
    return True


class Crawler(Tool):
    """Looks at as many pages as a test says, and finds nothing."""

    category = Category.DAST
    image = IMAGE
    pages = 15
    codes = MappingProxyType({"2xx": 80, "4xx": 20})
    others = ()
    ready = staticmethod(always)
    script = "open('/out/report.json', 'w').write('{\"findings\": []}')"

    def applies(self, target):
        return Applies.to((target.app,) if target.app else (), "application")

    def services(self, target):
        found = target.app.beside(self.image)
        return tuple(replace(each, ready=self.ready or each.ready) for each in found)

    def steps(self, target):
        scan = Step(
            image=self.image,
            executable="python3",
            entrypoint=("python3",),
            argv=("-c", self.script),
            services=target.app.names,
            outputs=(REPORT,),
            source=None,
        )
        before, after = (
            probe_step(target.app, name, image=self.image) for name in ("before", "after")
        )
        return before, scan, after

    def reached(self, outputs):
        return reach_of(outputs, pages=self.pages, codes=self.codes, others=self.others)


def engine(before=PAGE, after=PAGE, *, name="dast", report=CLEAN, **more):
    """Return an engine in memory on which the probes of `name` get these answers."""
    replies = {
        f"{name}/probe-{when}": Reply(
            outputs={f"/probe-{when}/answer.json": json.dumps(answer).encode()}
        )
        for when, answer in (("before", before), ("after", after))
    }
    return FakeEngine({**replies, name: Reply(outputs={REPORT: report})}, **more)
