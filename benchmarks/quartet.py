"""What it costs to scan the example's files and the running example side by side.

Needs an engine and the lab (`make lab`): python benchmarks/quartet.py
Prints one table as `whole_run.py` does, and the timeline of the run in which all go together.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from chains import longest, scan, timeline, verdict_of
from whole_run import APP, CONFIG, ROOT, SCANRUN, Row, rounds, shares, table, timed

QUARTET = ("sonar", "dependency-check", "trivy", "zap", "wapiti")
PORT = 8080
TAG = "scanrun-bench-app:1"
FEW, MANY = 1, 5


def measured(folder: Path) -> Iterator[Row]:
    """Yield the rows, one measurement after the other."""
    app = folder / "app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns(".scanrun"))
    os.environ["SCANRUN_CACHE_DIR"] = str(folder / "cache")
    subprocess.run(["docker", "build", "-q", "-t", TAG, str(app)], capture_output=True, check=True)
    try:
        yield from together(app, written(folder / "together.toml", 'dockerfile = "Dockerfile"'))
        yield from life_cycle(app, written(folder / "built.toml", f'image = "{TAG}"'))
    finally:
        subprocess.run(["docker", "image", "rm", TAG], capture_output=True, check=False)


def written(path: Path, kind: str) -> Path:
    """Return the lab's configuration, with the example as such an application."""
    text = (ROOT / "examples" / "quartet.toml").read_text()
    table = text[text.index("[app]") :].replace('dockerfile = "Dockerfile"', kind)
    path.write_text(f"{CONFIG.read_text()}\n{table}")
    return path


def together(app: Path, config: Path) -> Iterator[Row]:
    """Compare a run of all with the slowest of them alone, and print what went on in it."""
    scan(app, "dependency-check,trivy", config=config)  # databases are there from here on
    alone = {name: partial(scan, app, name, config=config) for name in QUARTET}
    every = partial(scan, app, ",".join(QUARTET), config=config)
    runs = rounds({**alone, "together": every}, FEW)
    seconds = {name: statistics.median(each) for name, each in runs.items()}
    wall = seconds.pop("together")
    bound = 1.2 * max(seconds.values()) + 5
    for line in timeline(verdict_of(app)):
        print(line)
    detail = f"{wall:.1f} s; alone {shares(seconds)}"
    yield Row("the quartet : (1.2 x the slowest alone + 5 s)", wall / bound, 1, "x", detail)


def life_cycle(app: Path, config: Path) -> Iterator[Row]:
    """Compare wapiti's scan of an application that is started for it with `docker run` of both.

    What is compared is the scanner's own time: it holds the network, the application's start, both
    probes, the watch, and the removal of all of it.
    """
    image, argv = planned(app, config)
    runs = rounds(
        {
            "bare": lambda: bare(image, argv),
            "ours": lambda: scan(app, "wapiti", config=config) and longest(app),
        },
        MANY,
    )
    plain, ours = (statistics.median(runs[name]) for name in ("bare", "ours"))
    detail = f"from start to report {ours:.2f} s : docker run of both {plain:.2f} s"
    for line in timeline(verdict_of(app)):
        print(line)
    yield Row("an application's life over docker run", ours - plain, 2, "s", detail)


def planned(app: Path, config: Path) -> tuple[str, list[str]]:
    """Return the image and the arguments that scanrun runs wapiti with."""
    words = ["scan", "wapiti", str(app), "--dry-run", "--json", "--config", str(config)]
    shown = subprocess.run([*SCANRUN, *words], capture_output=True, check=True).stdout
    (scanner,) = json.loads(shown)["scanners"]
    (step,) = (each for each in scanner["steps"] if each["name"] == "scan")
    return scanner["reference"], step["argv"]


def bare(image: str, argv: list[str]) -> float:
    """Run the application until it answers, then the scanner, and return how long that took."""
    name = f"scanrun-bench-{uuid.uuid4().hex[:8]}"
    with ExitStack() as removing:
        docker("network", "create", "--internal", name)
        removing.callback(docker, "network", "rm", name)
        removing.callback(docker, "rm", "--force", "--volumes", name)
        start = timed(lambda: started(name))
        where = ("--network", name, "--tmpfs", "/tmp", "--tmpfs", "/out", "--workdir", "/out")
        user = ("--user", "0", "--entrypoint", "wapiti")
        return start + timed(lambda: docker("run", "--rm", *where, *user, image, *argv))


def started(name: str) -> None:
    """Start the application, and wait until it answers."""
    docker("run", "--detach", "--name", name, "--network", name, "--network-alias", "app", TAG)
    look = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    url = f"http://{docker('container', 'inspect', '--format', look, name)}:{PORT}/"
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"the application does not answer at {url}")


def docker(*words: str) -> str:
    """Run docker's program, and return what it said."""
    return subprocess.run(
        ["docker", *words], capture_output=True, check=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(table(measured))
