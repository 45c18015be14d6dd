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
import requests

ROOT = Path(__file__).parent.parent
TRIVY = "aquasec/trivy:0.76.0"
DEPENDENCY_CHECK = "owasp/dependency-check:12.2.2"
DEPENDENCY_CHECK_LAUNCHER = "/usr/share/dependency-check/bin/dependency-check.sh"
DEPENDENCY_CHECK = "owasp/dependency-check:12.2.2"
DEPENDENCY_CHECK_9 = "owasp/dependency-check:9.2.0"
DEPENDENCY_CHECK_START = "/usr/share/dependency-check/bin/dependency-check.sh"
DEPENDENCY_CHECK_IS = "Dependency-Check Core version"
APP = ROOT / "examples/vulnerable-app"
OFFLINE = ("--skip-db-update", "--skip-check-update", "--offline-scan", "--skip-version-check")

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def client():
    with closing(docker.from_env()) as found:
        yield found


def run_image(client, image, *words, archive=None, report=None, **options):
    """Run `image` with `words` and return its exit code and what it printed, or its `report`."""
    container = client.containers.create(image, list(words), **options)
    try:
        if archive is not None:
            container.put_archive("/", archive)
        container.start()
        code = container.wait(timeout=240)["StatusCode"]
        if report is not None:
            return code, unpack(b"".join(container.get_archive(report)[0]))
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


def unpack(packed):
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        (entry,) = tar
        return tar.extractfile(entry).read()


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
        (
            DEPENDENCY_CHECK,
            [DEPENDENCY_CHECK_LAUNCHER],
            "1000",
            "Dependency-Check Core version 12.2.2",
        ),
        (
            "owasp/dependency-check:9.2.0",
            [DEPENDENCY_CHECK_LAUNCHER],
            "1000",
            "Dependency-Check Core version 9.2.0",
        ),
    ],
    ids=["trivy", "bandit", "zizmor", "ruff", "checkov", "detect-secrets", "odc", "odc-9"],
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
    assert named <= {*lab["images"], *lab["local_images"]}


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
    # an image of its own: others that are built upon a cached one keep that from being removed
    image, _ = client.images.build(
        path=str(ROOT / "examples/vulnerable-app"), rm=True, nocache=True
    )

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
    assert len(told) == len(lab["images"]) + len(lab["local_images"])
    assert all(line.endswith(" there") for line in told)


@pytest.mark.parametrize("version", ["12.2.2", "9.2.0"])
def test_dependency_check_knows_the_archives_of_the_example(client, lab, version):
    told = lab["dependency_check"][version]
    data = {
        f"usr/share/dependency-check/data/{file.name}": file.read_bytes()
        for file in Path(told["data"]).iterdir()
        if file.is_file()
    }
    jars = {f"app/lib/{jar.name}": jar.read_bytes() for jar in (APP / "lib").iterdir()}

    code, report = run_image(
        client,
        told["image"],
        *("--noupdate", "--disableCentral", "--disableOssIndex", "--disableNodeAudit"),
        *("--scan=/app", "--format=JSON", "--out=/report/r.json"),
        archive=pack(data | jars),
        report="/report/r.json",
        network_mode="none",
        user="0",
    )

    found = {
        each["fileName"]: {known["name"] for known in each.get("vulnerabilities", [])}
        for each in json.loads(report)["dependencies"]
    }
    assert code == 0
    assert found == {
        "commons-fileupload-1.3.jar": {"CVE-2014-0050"},
        "h2-2.1.214.jar": {"CVE-2022-45868"},
        "log4j-core-2.14.1.jar": {"CVE-2021-44228", "CVE-2021-45046"},
        "logback-core-1.2.11.jar": {"CVE-2023-6378", "CVE-2024-12798"},
        "okhttp-3.14.2.jar": {"CVE-2021-0341"},
    }


def test_the_dependency_check_image_has_no_database_as_the_official_one(client):
    code, printed = run_image(
        client, DEPENDENCY_CHECK, "--noupdate", "--scan=/src", network_mode="none"
    )

    assert code == 13
    assert "database does not exist" in printed


def test_the_sonarqube_image_has_the_official_contract(client, lab):
    config = client.images.get(lab["sonarqube"]).attrs["Config"]

    assert lab["sonarqube"] == "sonarqube:26.9.0.129388-community"
    assert config["Entrypoint"] == ["/opt/sonarqube/docker/entrypoint.sh"]
    assert (config["User"], config["StopSignal"]) == ("sonarqube", "SIGINT")
    assert set(config["Volumes"]) == {
        f"/opt/sonarqube/{name}" for name in ("data", "extensions", "logs", "temp")
    }


def test_the_scanner_analyses_a_project_for_the_warm_server(client, lab, own_network, warm_sonar):
    code, printed = run_image(
        client,
        lab["sonar_scanner"],
        *("-Dsonar.projectKey=lab-test", "-Dsonar.qualitygate.wait=true"),
        archive=pack({"usr/src/app.py": b"import hashlib\nprint(hashlib.md5(b'').hexdigest())\n"}),
        environment={"SONAR_HOST_URL": warm_sonar.inside, "SONAR_TOKEN": warm_sonar.token()},
        network=own_network,
    )

    asked = requests.get(
        f"{warm_sonar.url}/api/issues/search?components=lab-test",
        auth=(warm_sonar.user, warm_sonar.password),
        timeout=30,
    )
    assert code == 0, printed
    assert "python:S4790" in {issue["rule"] for issue in asked.json()["issues"]}


def test_the_examples_archives_are_those_that_the_lab_writes(tmp_path):
    write = "import jars, pathlib, sys; jars.write(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", write, tmp_path], cwd=ROOT / "lab", check=True)

    written = {jar.name: jar.read_bytes() for jar in tmp_path.iterdir()}

    assert written == {jar.name: jar.read_bytes() for jar in (APP / "lib").iterdir()}


def test_the_examples_lock_file_has_the_packages_and_no_address_to_get_them_from():
    text = (APP / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    wanted = packages[""]["dependencies"]

    assert '"resolved"' not in text
    assert wanted == json.loads((APP / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_a_machine_without_the_java_that_sonarqube_needs_is_told_what_to_install(tmp_path):
    no_java = """
import pathlib, sys, java, rootfs
java._JVMS = pathlib.Path(sys.argv[1])
try:
    java.development_kit(java._JVMS)
except rootfs.LabError as error:
    print(error)
"""

    told = subprocess.check_output(
        [sys.executable, "-c", no_java, tmp_path],
        cwd=ROOT / "lab",
        env=os.environ | {"JAVA_HOME": ""},
        text=True,
    )

    assert told.startswith(f"no JDK 21 or later in {tmp_path}: install Temurin 25")


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
