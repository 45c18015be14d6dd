"""Builds the lab, from nothing or from what is there; see README.md beside this file.

Writes `work/lab.json`, which tells tests what there is:
    images      official name -> name in the lab's registry, with its digest
    registry    address of the registry on this machine
    mirror      prefix under which that registry has the images by their official names
    db_dir      Trivy cache folder with the database
    db_repository   the database in the registry, by an address that containers reach
and `work/scanrun.toml`, the configuration with which scanrun takes its database from there.
"""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import artifact
import engine
import images
import rootfs
import vulndb

HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
DB_REPOSITORY = "aquasec/trivy-db"
TRIVY = ("trivy", "trivy-image")


def main() -> int:
    """Build what is missing and return the exit code."""
    WORK.mkdir(exist_ok=True)
    try:
        with one_at_a_time():
            lab = build()
    except (engine.EngineError, rootfs.LabError, OSError, subprocess.SubprocessError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    print(f"lab: ready, registry {lab['registry']}, {WORK / 'lab.json'}")
    return 0


def build() -> dict[str, object]:
    """Make images, database and registry, put the first two into the third, write lab.json."""
    for image in images.IMAGES:
        start = time.monotonic()
        made = images.build(image)
        print(f"lab: {image.reference} {f'{time.monotonic() - start:.1f} s' if made else 'there'}")
    database = vulndb.write(WORK / "trivy-cache")
    registry, inside = start_registry()
    artifact.push(database, registry, DB_REPOSITORY, str(vulndb.SCHEMA))
    mirror = f"{registry}/mirror"
    lab: dict[str, object] = {
        "registry": registry,
        "mirror": mirror,
        "images": {image.reference: mirrored(image, mirror) for image in images.IMAGES},
        "db_dir": str(database.parent),
        "db_repository": f"{inside}/{DB_REPOSITORY}:{vulndb.SCHEMA}",
    }
    tables = (f'[scanner.{name}]\ndb_repository = "{lab["db_repository"]}"\n' for name in TRIVY)
    place("scanrun.toml", "\n".join(tables))
    place("lab.json", json.dumps(lab, indent=2) + "\n")  # last: it says that all is there
    return lab


def mirrored(image: images.Image, mirror: str) -> str:
    """Push `image` below `mirror` by its whole official name, and return it with its digest."""
    digest = engine.push(image.reference, f"{mirror}/{image.reference}")
    return f"{mirror}/{image.reference}@{digest}"


def start_registry() -> tuple[str, str]:
    """Start the registry and return its address on this machine and among containers."""
    command = [str(HERE / "registry"), "start"]
    address = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    look = "{{.NetworkSettings.IPAddress}}"
    inside = engine.run("container", "inspect", "--format", look, "scanrun-lab-registry")
    wait_for(address)
    return address, f"{inside}:5000"


def wait_for(address: str) -> None:
    """Wait until the registry answers."""
    for _ in range(50):
        try:
            artifact.ping(address)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise rootfs.LabError(f"the registry at {address} does not answer")


def place(name: str, text: str) -> None:
    """Write a file of the work folder, whole or not at all."""
    new = WORK / f"{name}.new"
    new.write_text(text)
    new.replace(WORK / name)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for another build in the same folder to end."""
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
