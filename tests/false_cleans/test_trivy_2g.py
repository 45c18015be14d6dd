"""Time, space and hostile input: scans that end early, or never."""

import pytest
from trivy_files import npm

pytestmark = [pytest.mark.lab, pytest.mark.docker]

SELF = """\
<project><modelVersion>4.0.0</modelVersion>
<parent><groupId>g</groupId><artifactId>a</artifactId><version>1</version>
<relativePath>pom.xml</relativePath></parent>
<groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>
"""
ENDLESS = 'resource "aws_s3_bucket" "b" {\n  count = 10000000\n  bucket = "x${count.index}"\n}\n'


def test_an_endless_terraform_count_ends_at_our_own_deadline(trivy):
    answer = trivy.scan({"main.tf": ENDLESS}, "--timeout", "6")

    assert answer.code == 3
    assert "6 s" in answer.reason


def test_a_pom_that_is_its_own_parent_is_incomplete(trivy):
    answer = trivy.scan(
        {"pom.xml": SELF}, "--timeout", "40", engine="docker", config=trivy.docker_config(512)
    )

    assert answer.code == 3
    assert not answer.complete


def test_too_little_memory_is_incomplete(trivy):
    answer = trivy.scan(
        {"package-lock.json": npm()},
        "--timeout",
        "40",
        engine="docker",
        config=trivy.docker_config(24),
    )

    assert answer.code == 3
    assert not answer.complete
