"""Builds the lab, from nothing or from what is there; see README.md beside this file.

Without words it makes everything, and writes `work/lab.json`, which tells tests what there is:
    images      official name -> name in the lab's registry, with its digest
    local_images    names of images that only the engine has
    registry    address of the registry on this machine
    mirror      prefix under which that registry has the images by their official names
    db_dir      Trivy cache folder with the database
    db_repository   the database in the registry, by an address that containers reach
    dependency_check    version -> `image`, `feed` and `data`: the folder to update from, and a data
                folder that was updated from it
    sonarqube, sonarqube_warm, sonar_scanner    names of these images
    wapiti      folder of the program, for scans on this machine
and `work/scanrun.toml`, the configuration with which scanrun takes its database from there.

With words (`lab/build dependency-check sonarqube`) it makes the images whose names hold one of
them, and nothing else.
"""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import artifact
import depcheck_data
import engine
import images
import rootfs
import vulndb
import wapiti
from image import Image, Upon
from image import build as build_image

HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
DB_REPOSITORY = "aquasec/trivy-db"
TRIVY = ("trivy", "trivy-image")


def main() -> int:
    """Build what is missing and return the exit code."""
    WORK.mkdir(exist_ok=True)
    words = sys.argv[1:]
    try:
        with one_at_a_time():
            told = build_some(words) if words else build_all()
    except (engine.EngineError, rootfs.LabError, OSError, subprocess.SubprocessError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    print(f"lab: ready, {told}")
    return 0


def build_some(words: Sequence[str]) -> str:
    """Make those images whose names hold a word of `words`."""
    named = [each for chain in images.CHAINS for each in chain if matches(each, words)]
    if not named:
        raise rootfs.LabError(f"no image of the lab is named {' or '.join(words)}")
    for image in named:
        make(image)
    return f"{len(named)} images"


def matches(image: Image | Upon, words: Sequence[str]) -> bool:
    """Say whether an image's name holds one of `words`."""
    return any(word in image.reference for word in words)


def build_all() -> str:
    """Make images, databases and registry, put into it what belongs there, write lab.json."""
    make(images.REGISTRY)
    registry, inside = start_registry()
    mirror = f"{registry}/mirror"
    pushed = {images.REGISTRY.reference: mirrored(images.REGISTRY, mirror)}
    with ThreadPoolExecutor(len(images.CHAINS)) as pool:
        for done in [pool.submit(run_chain, chain, mirror) for chain in images.CHAINS]:
            pushed |= done.result()
    database = vulndb.write(WORK / "trivy-cache")
    artifact.push(database, registry, DB_REPOSITORY, str(vulndb.SCHEMA))
    lab: dict[str, object] = {
        "registry": registry,
        "mirror": mirror,
        "images": pushed,
        "local_images": [image.reference for image in images.UNPUSHED],
        "db_dir": str(database.parent),
        "db_repository": f"{inside}/{DB_REPOSITORY}:{vulndb.SCHEMA}",
        "dependency_check": depcheck_data.write(WORK),
        "sonarqube": images.SONARQUBE.reference,
        "sonarqube_warm": images.SONARQUBE_WARM.reference,
        "sonar_scanner": images.SONAR_SCANNER.reference,
        "wapiti": str(wapiti.program(WORK)),
    }
    tables = (f'[scanner.{name}]\ndb_repository = "{lab["db_repository"]}"\n' for name in TRIVY)
    feed = WORK / "nvd-feed"
    place("scanrun.toml", "\n".join([*tables, depcheck_data.table(feed)]))
    place("lab.json", json.dumps(lab, indent=2) + "\n")  # last: it says that all is there
    return f"registry {registry}, {WORK / 'lab.json'}"


def run_chain(chain: Sequence[Image | Upon], mirror: str) -> dict[str, str]:
    """Make images one after the other, push them, and return what the registry calls them."""
    pushed = {}
    for image in chain:
        make(image)
        if image not in images.UNPUSHED:
            pushed[image.reference] = mirrored(image, mirror)
    return pushed


def make(image: Image | Upon) -> None:
    """Make an image where it is missing, and tell."""
    start = time.monotonic()
    made = build_image(image)
    print(f"lab: {image.reference} {f'{time.monotonic() - start:.1f} s' if made else 'there'}")


def mirrored(image: Image | Upon, mirror: str) -> str:
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
