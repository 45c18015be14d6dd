"""GitLab CI: a job that scans and always keeps its reports, and a job that gates.

https://docs.gitlab.com/ci/yaml/
"""

from scanrun.api import CIEmitter, Invocation, hookimpl

_FILE = """\
# Written by `scanrun emit gitlab`.
# GitLab takes no security report from a failed job, so one job scans and another one gates.

stages:
  - scan
  - gate

scan:
  stage: scan
  # with git, which tells scanrun what is ignored; the slim image has none
  image: python:3.12
{engine}  script:
    - python -m pip install "{requirement}"
    # 3 is an incomplete scan, 1 a limit of the configuration: the gate says so again, from the
    # log that is kept; anything else fails here
    - {scan} || case $? in 1|3) ;; *) exit 1 ;; esac
  artifacts:
    when: always
    access: developer
    expire_in: 30 days
    paths:
{paths}
{reports}
gate:
  stage: gate
  image: python:3.12
  needs:
    - scan
  script:
    - python -m pip install "{gate_requirement}"
    - {gate}
"""
_DIND = """\
  # the runner needs privileged mode and the volume /certs/client
  services:
    - name: docker:28-dind
      alias: docker
  variables:
    DOCKER_HOST: tcp://docker:2376
    DOCKER_TLS_CERTDIR: /certs
    DOCKER_TLS_VERIFY: "1"
    DOCKER_CERT_PATH: /certs/client
"""
_REPORTS = """\
    reports:
      junit: {junit}
"""


class GitLab:
    """Two jobs. Nothing is allowed to fail: without the gate's answer there is no green pipeline.

    The gate rebuilds what did not complete from the SARIF log.
    """

    name = "gitlab"
    filename = ".gitlab-ci.yml"

    def emit(self, invocation: Invocation) -> str:
        """Use Docker-in-Docker where containers are run."""
        junit = _REPORTS.format(junit=invocation.path("junit.xml"))
        kept = (*invocation.files(), "logs/")
        return _FILE.format(
            engine=_DIND if invocation.needs_engine else "",
            requirement=invocation.requirement,
            gate_requirement=invocation.gate_requirement,
            scan=invocation.scan_command,
            gate=invocation.gate_command,
            paths="\n".join(f"      - {invocation.path(name)}" for name in kept),
            reports=junit if "junit" in invocation.formats else "",
        )


@hookimpl
def scanrun_register_ci_emitters() -> list[CIEmitter]:
    """Add GitLab."""
    return [GitLab()]
