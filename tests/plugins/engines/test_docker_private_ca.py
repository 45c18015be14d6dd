import pytest

from scanrun.errors import StepError
from scanrun.model import Step
from scanrun_plugins.engines.docker.hardening import with_private_ca

NETWORKED = Step(image="example/tool:1", network=True, env={"CURL_CA_BUNDLE": "/own.pem"})


def test_private_ca_goes_into_a_step_that_has_a_network(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("certificates")

    step = with_private_ca(NETWORKED, {"SSL_CERT_FILE": str(file)})

    assert list(step.host_files.values()) == [file]
    (inside,) = step.host_files
    assert step.env["SSL_CERT_FILE"] == step.env["NODE_EXTRA_CA_CERTS"] == inside
    assert step.env["CURL_CA_BUNDLE"] == "/own.pem"


def test_private_ca_does_not_reach_a_step_without_a_network(tmp_path):
    step = Step(image="example/tool:1")

    assert with_private_ca(step, {"SSL_CERT_FILE": str(tmp_path)}) is step


def test_private_ca_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(StepError, match="are not there"):
        with_private_ca(NETWORKED, {"REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")})
