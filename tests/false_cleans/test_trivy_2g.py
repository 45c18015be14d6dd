"""Time, space and hostile input: scans that end early, or never."""

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

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


RANGES = """\
output "x" {
  value = [for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]
}
"""


@pytest.mark.parametrize("row", ["trivy-2g-01", "trivy-6-03"])
def test_endless_terraform_ends_at_our_own_deadline(row, trivy):
    content = {"trivy-2g-01": ENDLESS, "trivy-6-03": RANGES}[row]

    answer = trivy.scan({"main.tf": content}, "--timeout", "6")

    assert answer.code == 3
    assert "6 s" in answer.reason


def test_a_pom_that_is_its_own_parent_is_incomplete(trivy):
    answer = trivy.scan(
        {"pom.xml": SELF}, "--timeout", "20", engine="docker", config=trivy.docker_config(256)
    )

    assert answer.code == 3
    assert re.search("exit code (137|2)|20 s", answer.reason), answer.reason


def test_too_little_memory_is_incomplete(trivy):
    answer = trivy.scan(
        {"package-lock.json": npm()},
        "--timeout",
        "40",
        engine="docker",
        config=trivy.docker_config(24),
    )

    assert answer.code == 3
    # some kernels have it read its own program from the disk again and again, and kill nothing
    ends = "exit code 137|killed for its memory|longer than 40 s"
    assert re.search(ends, answer.reason), answer.reason


def trivys(parent):
    """Return the running scans of Trivy that `parent` has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = stat.with_name("cmdline").read_bytes().split(b"\0")
            ours = int(stat.read_text().rpartition(")")[2].split()[1]) == parent
            if ours and b"filesystem" in words:
                yield int(stat.parent.name)


def stop_it(parent):
    """Ask the scan to stop once it has had the time to say that it would."""
    while not (running := list(trivys(parent))):
        time.sleep(0.05)
    time.sleep(1)
    os.kill(running[0], signal.SIGTERM)


@pytest.mark.timeout(120)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_scan_that_somebody_asked_to_stop_is_incomplete(trivy):
    files = {f"{number}/Dockerfile": "FROM a:latest\n" for number in range(600)}

    answer = trivy.scan(files, "--fail-on", "never", meanwhile=stop_it)

    assert answer.code == 3
    assert re.search("it was asked to stop|exit code", answer.reason), answer.reason
