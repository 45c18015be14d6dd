"""The lab holds what the official images and registries promise, so that nothing is tried on
stand-ins: the default configuration runs on it unchanged."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).parent.parent
TRIVY = "aquasec/trivy:0.76.0"
OFFLINE = ("--skip-db-update", "--skip-check-update", "--offline-scan", "--skip-version-check")

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def client():
    with closing(docker.from_env()) as found:
        yield found


def run_image(client, image, *words, archive=None, **options):
    """Run `image` with `words` and return its exit code and what it printed."""
    container = client.containers.create(image, list(words), **options)
    try:
        if archive is not None:
            container.put_archive("/", archive)
        container.start()
        code = container.wait(timeout=120)["StatusCode"]
        return code, container.logs(stdout=True, stderr=False).decode()
    finally:
        container.remove(force=True, v=True)


def pack(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def database_files(lab):
    folder = Path(lab["db_dir"]) / "db"
    return {f"cache/db/{file.name}": file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("image", "entry_point", "user", "version"),
    [
        (TRIVY, ["trivy"], "", "Version: 0.76.0"),
        ("ghcr.io/pycqa/bandit/bandit:1.9.4", ["bandit"], "", "bandit 1.9.4"),
        ("ghcr.io/zizmorcore/zizmor:1.32.0", ["/usr/bin/zizmor"], "", "zizmor 1.32.0"),
        ("ghcr.io/astral-sh/ruff:0.17.6", ["/ruff"], "", "ruff 0.17.6"),
        ("bridgecrew/checkov:3.3.30", ["checkov"], "", "3.3.30"),
        ("scanrun/detect-secrets:1.5.0", ["detect-secrets"], "65532:65532", "1.5.0"),
    ],
    ids=["trivy", "bandit", "zizmor", "ruff", "checkov", "detect-secrets"],
)
def test_scanner_image_has_the_official_entry_point_and_user_and_runs_hardened(
    client, image, entry_point, user, version
):
    code, printed = run_image(
        client,
        image,
        "--version",
        user="1000:1000",
        read_only=True,
        cap_drop=["ALL"],
        network_mode="none",
        tmpfs={"/tmp": ""},
    )

    config = client.images.get(image).attrs["Config"]
    assert (config["Entrypoint"], config["User"]) == (entry_point, user)
    assert (code, printed.splitlines()[0]) == (0, version)


def test_every_image_that_a_scanner_of_ours_names_is_in_the_lab(lab):
    named = set()
    for source in (ROOT / "plugins/scanrun_plugins/scanners").rglob("*.py"):
        named |= set(re.findall(r'^IMAGE = "([^"]+)"', source.read_text(), re.MULTILINE))

    assert TRIVY in named
    assert named <= set(lab["images"])


def test_trivy_finds_a_known_vulnerability_with_the_labs_database(client, lab):
    lock = {"lockfileVersion": 3, "packages": {"node_modules/minimist": {"version": "1.2.5"}}}
    files = database_files(lab) | {"src/package-lock.json": json.dumps(lock).encode()}

    code, printed = run_image(
        client,
        TRIVY,
        *("fs", "--scanners=vuln", "--format=json", "--cache-dir=/cache", *OFFLINE, "/src"),
        archive=pack(files),
        network_mode="none",
    )

    (found,) = json.loads(printed)["Results"][0]["Vulnerabilities"]
    assert code == 0
    assert (found["VulnerabilityID"], found["FixedVersion"]) == ("CVE-2021-44906", "1.2.6")
    assert (found["Severity"], found["CVSS"]["nvd"]["V3Score"]) == ("CRITICAL", 9.8)


def test_trivy_sees_a_debian_in_the_python_image(client, lab):
    image = b"".join(client.images.get("python:3.11-slim").save(named=True))

    code, printed = run_image(
        client,
        TRIVY,
        *("image", "--input=/image.tar", "--scanners=vuln", "--format=json"),
        *("--cache-dir=/cache", *OFFLINE),
        archive=pack(database_files(lab) | {"image.tar": image}),
        network_mode="none",
    )

    report = json.loads(printed)
    assert code == 0
    assert report["Metadata"]["OS"]["Family"] == "debian"
    assert "CVE-2023-45853" in {
        found["VulnerabilityID"] for found in report["Results"][0]["Vulnerabilities"]
    }


@pytest.fixture
def own_network(client):
    """Return the name of a network of the kind that a run of scanrun makes for itself."""
    apart = {"com.docker.network.bridge.enable_icc": "false"}
    network = client.networks.create("scanrun-lab-test", options=apart)
    yield network.name
    network.remove()


def test_trivy_downloads_the_database_in_a_container_with_a_network_of_its_own(
    client, lab, own_network
):
    repository = lab["db_repository"]

    code, _ = run_image(
        client,
        TRIVY,
        *("image", "--download-db-only", f"--db-repository={repository}", "--cache-dir=/tmp/new"),
        network=own_network,
    )

    assert code == 0


def test_a_database_that_the_registry_does_not_have_is_an_error(client, lab):
    repository = lab["db_repository"].replace("trivy-db:", "no-such-db:")

    code, _ = run_image(
        client,
        TRIVY,
        *("image", "--download-db-only", f"--db-repository={repository}", "--cache-dir=/tmp/new"),
    )

    assert code == 1


def test_an_image_is_pushed_removed_and_pulled_back_by_its_digest(client, lab):
    repository = f"{lab['registry']}/tests/pulled-back"
    client.api.import_image_from_data(pack({"marker": b"1"}), repository=repository, tag="1")
    pushed = client.images.get(f"{repository}:1").id
    client.images.push(repository, tag="1")
    digest = client.images.get_registry_data(f"{repository}:1").id
    client.images.remove(f"{repository}:1")

    pulled = client.images.pull(repository, tag=digest)

    try:
        assert pulled.attrs["RepoDigests"] == [f"{repository}@{digest}"]
        assert pulled.id == pushed
    finally:
        client.images.remove(f"{repository}@{digest}")


def test_the_registry_tells_the_digest_of_a_pushed_tag(client, lab):
    for reference in lab["images"].values():
        name, _, digest = reference.rpartition("@")

        assert client.images.get_registry_data(name).id == digest


def test_the_example_application_builds_on_the_labs_base_image(client):
    image, _ = client.images.build(path=str(ROOT / "examples/vulnerable-app"), rm=True)

    try:
        code, _ = run_image(client, image.id, "python", "-c", "import app.settings")
        assert code == 0
    finally:
        client.images.remove(image.id)


def test_a_second_build_makes_no_image_again(lab):
    built = subprocess.run(
        [ROOT / "lab/build"],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )

    told = [line for line in built.stdout.splitlines() if "ready" not in line]
    assert len(told) == len(lab["images"])
    assert all(line.endswith(" there") for line in told)


def test_an_image_whose_making_breaks_off_is_not_there(client):
    breaks_off = """
import engine
with engine.importing("scanrun-lab/broken:1", ()) as tar:
    tar.add("build.py")
    raise KeyError
"""
    done = subprocess.run(
        [sys.executable, "-c", breaks_off], cwd=ROOT / "lab", capture_output=True, check=False
    )

    assert done.returncode == 1
    assert client.images.list("scanrun-lab/broken") == []
