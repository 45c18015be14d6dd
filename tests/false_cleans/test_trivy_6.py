"""Hostile input: what leaves the tree, asks the network, or grows without end."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from trivy_files import CHART, DEPLOYMENT, POD, TERRAFORM, npm

pytestmark = pytest.mark.lab

OUTSIDE = "outside-the-tree"
PARENT = """\
<project><modelVersion>4.0.0</modelVersion>
<groupId>org.outside</groupId><artifactId>parent</artifactId><version>9</version></project>
"""
CHILD = """\
<project><modelVersion>4.0.0</modelVersion>
<parent><groupId>org.outside</groupId><artifactId>parent</artifactId><version>9</version>
<relativePath>{}</relativePath></parent><artifactId>child</artifactId></project>
"""
ENTITY = """\
<!DOCTYPE p [<!ENTITY e SYSTEM "file://{}">]>
<project><modelVersion>4.0.0</modelVersion>
<groupId>g</groupId><artifactId>a</artifactId><version>1</version>
<dependencies><dependency><groupId>x</groupId><artifactId>&e;</artifactId>
<version>1</version></dependency></dependencies></project>
"""
MODULES = """\
module "a" {{
  source = "git::http://127.0.0.1:{0}/a.git"
}}
module "b" {{
  source = "https://modules.invalid/b.zip"
}}
"""
LAUGHS = 'a: &a ["x", "x", "x", "x", "x", "x", "x", "x", "x"]\n' + "".join(
    f"{this}: &{this} [{', '.join([f'*{last}'] * 9)}]\n"
    for last, this in zip("abcdefgh", "bcdefghi", strict=True)
)
NOT_READ = {
    "trivy-6-07d": "entity/pom.xml",
    "trivy-6-08a": "laughs/deployment.yaml",
    "trivy-6-08b": "deep/pod.json",
    "trivy-6-08c": "deep/package-lock.json",
}
TOKEN = "never-to-be-read"
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def asked():
    """Return a server's port, and the requests that it got."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, requests
        server.shutdown()


@pytest.fixture(scope="module")
def hostile(trivy, asked, tmp_path_factory):
    """Scan a tree that points at what lies beside it, and at what lies in the network."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "module").mkdir()
    (outside / "module/main.tf").write_text(TERRAFORM)
    (outside / "pom.xml").write_text(PARENT)
    (outside / "secret.txt").write_text(TOKEN)
    (outside / "requirements.txt").write_text("jinja2==2.0\n")
    up = "../" * 40 + str(outside).lstrip("/")
    get = f'{{{{ .Files.Get "{up}/secret.txt" | quote }}}}'
    return trivy.scan(
        {
            "module/main.tf": f'module "m" {{\n  source = "{up}/module"\n}}\n',
            "remote/main.tf": MODULES.format(asked[0]),
            "file/main.tf": TERRAFORM.replace('"x"', f'file("{outside}/secret.txt")'),
            "parent/pom.xml": CHILD.format(f"{up}/pom.xml"),
            "entity/pom.xml": ENTITY.format(outside / "secret.txt"),
            "chart/Chart.yaml": CHART,
            "chart/templates/d.yaml": DEPLOYMENT.replace("nginx:latest", get),
            "included/requirements.txt": f"-r {up}/requirements.txt\nrequests==2.19.1\n",
            "laughs/deployment.yaml": DEPLOYMENT + LAUGHS,
            "deep/pod.json": POD.replace('"spec":', f'"deep": {DEEP}, "spec":'),
            "deep/package-lock.json": f'{{"lockfileVersion": 3, "packages": {DEEP}}}',
            "good/package-lock.json": npm(),
        },
        "--fail-on",
        "never",
    )


def test_a_terraform_module_beyond_the_tree_is_told_and_its_findings_are_kept(hostile):
    assert hostile.told("Trivy went out of the scanned tree"), hostile.reason + hostile.said
    assert any(path.startswith(f"{OUTSIDE}/") for _, path in hostile.found)


def test_a_terraform_module_of_the_network_is_not_asked_for_and_told(hostile, asked):
    assert hostile.told("a Terraform module is not in the tree")
    assert asked[1] == []


def test_a_parent_project_beyond_the_tree_is_told(hostile):
    assert "names what lies outside the tree" in hostile.told_of("parent/pom.xml")


def test_no_file_beyond_the_tree_is_read_by_a_template_or_a_function(hostile):
    text = json.dumps(hostile.runs)

    assert hostile.found_in("chart/templates/d.yaml")
    assert hostile.found_in("file/main.tf")
    assert TOKEN not in text


def test_an_included_file_beyond_the_tree_is_not_read_and_told(hostile):
    assert hostile.found_in("included/requirements.txt") == {"CVE-2018-18074"}
    assert "lies outside the tree" in hostile.told_of("included/requirements.txt")


@pytest.mark.parametrize("row", NOT_READ)
def test_a_file_that_grows_or_nests_without_end_is_named_and_incomplete(row, hostile):
    assert hostile.code == 3
    assert hostile.missing(NOT_READ[row])


def test_beside_hostile_files_the_others_are_scanned(hostile):
    assert "CVE-2021-44906" in hostile.found_in("good/package-lock.json")


@pytest.mark.docker
def test_a_helm_template_without_end_is_incomplete(trivy):
    bomb = DEPLOYMENT + "{{ range until 100000000 }}\n# x\n{{ end }}\n"

    answer = trivy.scan(
        {"Chart.yaml": CHART, "templates/d.yaml": bomb},
        *("--timeout", "30"),
        engine="docker",
        config=trivy.docker_config(192),
    )

    assert answer.code == 3
    assert "exit code 137" in answer.reason or "30 s" in answer.reason
