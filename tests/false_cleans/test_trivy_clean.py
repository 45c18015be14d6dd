"""Guards that cry wolf are switched off: an ordinary repository is complete."""

import json

import pytest
from trivy_files import BUCKET, DEPLOYMENT, PNPM, POETRY, TERRAFORM, UV, YARN, npm

pytestmark = pytest.mark.lab

NOT_KUBERNETES = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
PLAYBOOK = "- hosts: all\n  tasks:\n    - name: '{{ x }}'\n      ping:\n"
ORDINARY = {
    "package.json": '{"name": "app", "dependencies": {"minimist": "1.2.8"}}',
    "package-lock.json": npm("1.2.8"),
    "yarn/yarn.lock": YARN,
    "yarn/package.json": '{"dependencies": {"lodash": "^4.0.0"}}',
    "pnpm/pnpm-lock.yaml": PNPM,
    "poetry/poetry.lock": POETRY,
    "poetry/pyproject.toml": '[tool.poetry.dependencies]\npython = "*"\nrequests = "*"\n',
    "uv/uv.lock": UV,
    "requirements.txt": "# pinned\nrequests==2.32.3 \\\n    --hash=sha256:x\nflask[async]==3.0.0\n",
    "pyproject.toml": "[tool.ruff]\nline-length = 100\n",
    "Dockerfile": "FROM python:3.11-slim\nUSER 1000\n",
    "main.tf": TERRAFORM,
    "variables.tf": 'variable "name" {\n  default = "x"\n}\n',
    "k8s/deployment.yaml": DEPLOYMENT,
    "k8s/kustomization.yaml": NOT_KUBERNETES,
    "stack.yaml": BUCKET,
    "ansible/site.yml": PLAYBOOK,
    ".github/workflows/ci.yml": "on: push\njobs: {}\n",
    "tsconfig.json": '{\n  // with a comment\n  "compilerOptions": {}\n}\n',
    "data.json": json.dumps({"apiVersion": 1, "rows": []}),
    "logo.svg": "<svg/>",
    "README.md": "# app\n",
    "src/app.py": "print('hello')\n",
}


def test_a_clean_repository_is_complete_and_nothing_is_told_of_it(trivy):
    answer = trivy.scan(ORDINARY, "--fail-on", "never")

    assert (answer.code, answer.complete) == (0, True), answer.reason
    assert answer.evidence["kinds"]["lock file"] == 6
    assert [text for level, text, _ in answer.notices if level != "note"] == []
