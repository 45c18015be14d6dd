"""Misconfiguration: build files and templates that Trivy drops."""

import pytest
from trivy_files import BUCKET, CHART, DEPLOYMENT, POD, TERRAFORM

from scanrun.api import CANARY_DIR

pytestmark = pytest.mark.lab

TEMPLATE = "AWSTemplateFormatVersion"
DETECTED = {
    "trivy-2e-01a": ("deploy.yaml", DEPLOYMENT + "  - : [\n"),
    "trivy-2e-01b": ("pod.json", POD[:-12]),
    "trivy-2e-01c": ("stack.yaml", BUCKET + "   x: [\n"),
    "trivy-2e-01d": ("stack.json", f'{{"{TEMPLATE}": "2010-09-09", "Resources": {{'),
    "trivy-2e-02a": ("main.tf", TERRAFORM[:-4]),
    "trivy-2e-02b": ("x.tf.json", '{"resource": {"aws_s3'),
    "trivy-2e-03": ("Dockerfile", "FROM a:1\nRUNN x\n"),
}
CHARTS = {
    "trivy-2e-05a": {"templates/d.yaml": DEPLOYMENT.replace("nginx:latest", "{{ x | nope }}")},
    "trivy-2e-05b": {
        "templates/d.yaml": DEPLOYMENT.replace("nginx:latest", '{{ required "x" .Values.image }}')
    },
    "trivy-2e-05c": {
        "Chart.yaml": CHART
        + "dependencies:\n  - {name: redis, version: 1.0.0, repository: 'https://x.invalid'}\n",
        "templates/d.yaml": DEPLOYMENT,
    },
    "trivy-2e-05d": {
        "templates/d.yaml": '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}\n'
    },
}
TOLD = {
    "trivy-2e-07a": ("Dockerfile-x", "FROM a:latest\n", "it would be, as Dockerfile.*"),
    "trivy-2e-07b": ("docker-compose.yml", "services: {}\n", "has no checks for"),
    "trivy-2e-07c": ("dockerfile", "FROM a:latest\n", "upper and lower case count"),
}


@pytest.fixture(scope="module")
def answer(trivy):
    files = {f"{row}/{path}": text for row, (path, text, *_) in (DETECTED | TOLD).items()}
    for row, chart in CHARTS.items():
        whole = {"Chart.yaml": CHART} | chart
        files |= {f"{row}/{path}": text for path, text in whole.items()}
    files["trivy-2e-06/main.tf"] = 'module "m" {\n  source = "./gone"\n}\n' + TERRAFORM
    files["trivy-2e-04/Dockerfile"] = "RUN x\n"
    return trivy.scan(files, "--fail-on", "never")


@pytest.mark.parametrize("row", DETECTED)
def test_a_build_file_that_trivy_drops_is_named_and_incomplete(row, answer):
    assert answer.code == 3
    assert answer.missing(f"{row}/{DETECTED[row][0]}")


@pytest.mark.parametrize("row", CHARTS)
def test_a_chart_that_can_not_be_rendered_is_named_and_incomplete(row, answer):
    assert "a Helm chart could not be rendered" in answer.reason
    assert "could not read" in answer.told_of(row)


def test_a_module_that_is_not_in_the_tree_is_told(answer):
    assert answer.told("a Terraform module is not in the tree")


def test_a_dockerfile_without_a_base_has_findings(answer):
    assert answer.found_in("trivy-2e-04/Dockerfile")


@pytest.mark.parametrize("row", TOLD)
def test_a_build_file_that_trivy_does_not_check_is_told(row, answer):
    path, _, words = TOLD[row]

    assert words in answer.told_of(f"{row}/{path}")


def test_without_its_bundle_of_checks_the_embedded_ones_find_the_canary(answer):
    assert answer.evidence["canary"] == "found"


def test_a_chart_whose_error_names_a_canary_is_named_and_incomplete(trivy):
    planted = f"{CANARY_DIR}/trivy/Dockerfile"
    required = DEPLOYMENT.replace("nginx:latest", f'{{{{ required "{planted}" .Values.x }}}}')

    answer = trivy.scan({"Chart.yaml": CHART, "templates/d.yaml": required})

    assert answer.code == 3
    assert "a Helm chart could not be rendered" in answer.reason
