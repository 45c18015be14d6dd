"""Runs a scanner's steps for real on the local engine: what tests of several scanners need."""

import os
import threading

from scanrun.contracts import EngineSettings
from scanrun.model import CANARY_DIR, Notification, Outputs, Snapshot, SnapshotFile, Target
from scanrun.sarif.build import Result
from scanrun.sarif.codec import to_json
from scanrun_plugins.engines.local import LocalEngine


class Scan:
    """What came of it."""

    def __init__(self, scanner, target, outputs, codes):
        items = list(scanner.convert(outputs))
        self.codes = codes
        self.log = outputs.log.read_text(errors="surrogateescape")
        self.notifications = [item for item in items if isinstance(item, Notification)]
        results = [to_json(item) for item in items if isinstance(item, Result)]
        self.found = {(each["ruleId"], uri(each)) for each in results}
        own = f"{CANARY_DIR}/{scanner.name}/"
        self.canary = {rule for rule, place in self.found if place.startswith(own)}
        self.mine = {each for each in self.found if not each[1].startswith(CANARY_DIR)}
        self.missing = set()
        if hasattr(scanner, "expects"):
            expected = {each.path for each in scanner.expects(target)}
            self.missing = expected - scanner.accounted(outputs)


def uri(result):
    return result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def snapshot_of(root):
    files = (p for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink())
    entries = (SnapshotFile(str(p.relative_to(root)), p.stat().st_size) for p in files)
    return Snapshot(root=root, files=tuple(entries))


def scan_locally(scanner, tree, scratch):
    """Lay `tree` (path -> content) out, run all steps and convert."""
    root = scratch / "project"
    for path, content in tree.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    snapshot = snapshot_of(root)
    target = Target(snapshot=snapshot)
    canary = {f"{CANARY_DIR}/{scanner.name}/{k}": v for k, v in scanner.canary().files.items()}
    (scratch / "run").mkdir()
    settings = EngineSettings(
        run_id="r", scratch=scratch / "run", environment={"PATH": os.environ["PATH"]}
    )
    paths, codes, log = {}, [], scratch / "log"
    with LocalEngine().open(settings) as session, log.open("wb") as stream:
        session.share(snapshot, canary)
        for step in scanner.steps(target):
            folder = scratch / step.name
            folder.mkdir()
            outcome = session.run(
                step, name=scanner.name, caches={}, folder=folder, cancel=threading.Event()
            )
            paths |= outcome.outputs
            codes.append(outcome.exit_code)
            stream.write(outcome.log.read_bytes())
    return Scan(scanner, target, Outputs(paths, log=log, snapshot=snapshot), codes)
