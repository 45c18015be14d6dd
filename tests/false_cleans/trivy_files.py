"""Lock files and build files of trees that Trivy is led astray with."""

import json


def npm(version="1.2.5", *, lock=3, **entry):
    packages = {
        "": {"name": "app", "version": "1.0.0"},
        "node_modules/minimist": {"version": version, **entry},
    }
    whole = {"name": "app", "version": "1.0.0", "lockfileVersion": lock, "packages": packages}
    return json.dumps(whole, indent=1)


def aws_key():
    return "AKIA" + "TESTKEY7" + "Q2X4H9WZ"


YARN = """\
# yarn lockfile v1


lodash@^4.0.0:
  version "4.17.20"
  resolved "https://registry.invalid/lodash.tgz#x"

minimist@^1.2.0:
  version "1.2.5"
  resolved "https://registry.invalid/minimist.tgz#x"
"""
PNPM = """\
lockfileVersion: '9.0'

importers:
  .:
    dependencies:
      minimist:
        specifier: 1.2.5
        version: 1.2.5

packages:

  minimist@1.2.5:
    resolution: {integrity: sha512-x}

snapshots:

  minimist@1.2.5: {}
"""
POETRY = """\
[[package]]
name = "requests"
version = "2.19.1"
optional = false
python-versions = "*"

[metadata]
lock-version = "2.1"
"""
UV = """\
version = 1

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "requests" }]

[[package]]
name = "requests"
version = "2.19.1"
source = { registry = "https://registry.invalid" }
"""
PIPENV = json.dumps(
    {
        "_meta": {"pipfile-spec": 6},
        "default": {"pyyaml": {"version": "==5.3"}},
        "develop": {"requests": {"version": "==2.19.1"}},
    },
    indent=1,
)
POM = """\
<project><modelVersion>4.0.0</modelVersion>
<groupId>g</groupId><artifactId>a</artifactId><version>1</version>
<dependencies><dependency><groupId>org.x</groupId><artifactId>y</artifactId></dependency>
</dependencies></project>
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
spec:
  selector:
    matchLabels: {app: a}
  template:
    metadata:
      labels: {app: a}
    spec:
      containers:
        - name: a
          image: nginx:latest
"""
POD = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "b"}]},
    }
)
BUCKET = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: x
"""
TERRAFORM = """\
resource "aws_s3_bucket" "b" {
  bucket = "x"
}
"""
CHART = "apiVersion: v2\nname: chart\nversion: 1.0.0\n"
