"""Scanners of a few lines, and a whole run of them on an engine in memory."""

import json
import os
from dataclasses import replace
from datetime import datetime

import pluggy
import pytest

from scanrun.api import (
    Applies,
    Canary,
    Category,
    ConversionError,
    Database,
    Edition,
    Input,
    Role,
    Severity,
    Sign,
    Step,
    result,
    rule,
)
from scanrun.config import load_settings
from scanrun.pipeline import Watcher, plan_only, run
from scanrun.plugins import Plugins
from scanrun.request import Request
from scanrun.testing import FakeEngine, Reply

REPORT = "/out/report.json"
CLEAN = b'{"findings": []}'


def report(*findings):
    return json.dumps({"findings": [dict(f) for f in findings]}).encode()


def finding(path="app.py", rule_id="R1", severity="high", line=1):
    return {"path": path, "rule": rule_id, "severity": severity, "line": line}


CANARY = finding(path=".scanrun-canary/{}/bad.py", rule_id="CANARY")


class Tool:
    """A scanner whose report is the simplest there can be."""

    category = Category.SAST
    on_request = False
    embedded = False

    def __init__(self, name="tool"):
        self.name = name

    def applies(self, target):
        return Applies.to(target.match("*.py"), "Python file")

    def steps(self, target):
        return (Step.scan(f"example/{self.name}:1", ("scan",), output=REPORT),)

    def convert(self, outputs):
        try:
            found = json.loads(outputs[REPORT].read_bytes())["findings"]
        except (ValueError, KeyError) as error:
            raise ConversionError(f"report can't be read: {error}") from error
        for each in found:
            severity = Severity.of_word(each["severity"])
            yield rule(each["rule"], short="Bad", severity=severity, category=self.category)
            yield result(
                each["rule"], "it is bad", path=each["path"], line=each["line"], severity=severity
            )


class Proven(Tool):
    """The same, with every proof there is."""

    signs = (Sign("skipped", "a file was skipped"), Sign("slow", "it was slow", incomplete=False))

    def canary(self):
        return Canary({"bad.py": b"bad"}, rule_id="CANARY")

    def expects(self, target):
        return tuple(Input(file.path, "Python file") for file in target.match("*.py"))

    def accounted(self, outputs):
        return frozenset(json.loads(outputs[REPORT].read_bytes()).get("seen", ()))


class Learned(Tool):
    """The same, with a database."""

    def read(self, folder):
        return Edition(datetime.fromisoformat((folder / "updated").read_text()))

    def databases(self, target):
        step = Step(
            role=Role.UPDATE,
            name="update",
            image="example/learned:1",
            outputs=("/db/",),
            network=True,
        )
        return (Database(name="facts-1", title="facts", update=step, read=self.read),)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "app.py").write_text("first = 1\nsecond = 2\n")
    return root


@pytest.fixture
def scan(tree):
    """Return a function that runs scanners on the tree with given replies."""

    def start(
        *scanners,
        engine=None,
        names=(),
        flags=None,
        see=None,
        planned=None,
        dry=False,
        image=None,
        more=None,
        reporters=(),
        formats=None,
        **replies,
    ):
        engine = engine or FakeEngine(
            {
                name: each if isinstance(each, Reply) else Reply(outputs={REPORT: each})
                for name, each in replies.items()
            }
        )
        known = {scanner.name: scanner for scanner in scanners}
        environment = {name: os.environ[name] for name in ("PATH", "SCANRUN_CACHE_DIR")}
        environment |= more or {}
        loaded = load_settings(
            tree,
            config=None,
            flags={"scan.engine": engine.name, "report.formats": (), **(flags or {})},
            environment=environment,
            scanners=known,
            trusted=False,
        )
        every = tuple(each.name for each in reporters)
        loaded = _with_reports(loaded, every if formats is None else formats)
        request = Request(
            run_id="run-1",
            path=tree,
            loaded=loaded,
            names=names,
            image=image,
            environment=environment,
        )
        plugins = Plugins(
            manager=pluggy.PluginManager("scanrun"),
            scanners=known,
            reporters={each.name: each for each in reporters},
            ci_emitters={},
            engines={engine.name: engine},
        )
        if dry:
            return plan_only(request, plugins, known)
        return run(request, plugins, known, Watcher(planned or _unseen, see or _unseen))

    return start


def _unseen(_):
    """Stand for somebody who does not look."""


def _with_reports(loaded, names):
    settings = loaded.settings.model_copy(
        update={"report": loaded.settings.report.model_copy(update={"formats": names})}
    )
    return replace(loaded, settings=settings)
