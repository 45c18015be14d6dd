"""Data folders for Dependency-Check: what it updates from, and what it then has."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dependency_check
import engine
import images
import nvd
from image import Image

# version, what its folders' names end with, image, whether it reads CVSS 4
_VERSIONS = (
    ("12.2.2", "", images.DEPENDENCY_CHECK, True),
    ("9.2.0", "-9.2.0", images.DEPENDENCY_CHECK_9, False),
)


def write(work: Path) -> dict[str, Any]:
    """Write feed and database of each version below `work` unless they are of today."""
    told: dict[str, Any] = {}
    for version, end, image, v4 in _VERSIONS:
        feed = work / f"nvd-feed{end}"
        data = work / f"dependency-check-data{end}"
        if not of_today(data, image):
            nvd.write(feed, datetime.now(UTC), v4=v4)
            update(image, feed, data)
            marker(data).write_text(stamp(image))
        told[version] = {"image": image.reference, "feed": str(feed), "data": str(data)}
    return told


def table(feed: Path) -> str:
    """Return scanrun's configuration for taking all data from a folder."""
    return (
        f'[scanner.dependency-check]\nnvd_datafeed = "{feed}"\nkev_url = "{feed}/kev.json"\n'
        f'retirejs_url = "{feed}/jsrepository.json"\n'
        f'hosted_suppressions_url = "{feed}/hosted-suppressions.xml"\n'
    )


def of_today(data: Path, image: Image) -> bool:
    """Say whether the database was made today, by the same image from the same facts."""
    return marker(data).exists() and marker(data).read_text() == stamp(image)


def marker(data: Path) -> Path:
    """Return the file that says what a data folder was made from."""
    return data.with_name(f"{data.name}.made")


def stamp(image: Image) -> str:
    """Return what a data folder depends on."""
    facts = [Path(nvd.__file__), *sorted(nvd.DATA.iterdir())]
    newest = max(file.stat().st_mtime_ns for file in facts)
    return f"{datetime.now(UTC).date()} {image.recipe} {newest}"


def update(image: Image, feed: Path, data: Path) -> None:
    """Let the image update its own data from `feed`, without a network, and copy it to `data`."""
    words = ["--updateonly", *nvd.flags("file:///tmp/feed")]
    name = engine.run("create", "--network", "none", image.reference, *words)
    try:
        engine.run("cp", str(feed), f"{name}:/tmp/feed")
        engine.run("start", "--attach", name)
        new = data.with_name(f"{data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        engine.run("cp", f"{name}:{dependency_check.DATA}", str(new))
        shutil.rmtree(data, ignore_errors=True)
        new.rename(data)
    finally:
        engine.run("rm", "--force", "--volumes", name)
