from dataclasses import dataclass

import pytest
from pydantic import BaseModel, ConfigDict, Field

from scanrun.config import load_settings
from scanrun.model import Applies, Category


@dataclass
class Plain:
    name: str
    category: Category = Category.SAST

    def applies(self, target):
        return Applies.to(target.files)

    def steps(self, target):
        return ()

    def convert(self, outputs):
        yield from ()


class DeepOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: int = 3
    kinds: tuple[str, ...] = ()
    source: str = Field(default="", json_schema_extra={"trust": True})


@dataclass
class Deep(Plain):
    options: type[BaseModel] = DeepOptions


SCANNERS = {"bandit": Plain("bandit"), "deep": Deep("deep"), "trivy": Plain("trivy", Category.SCA)}


FULL = """
[scan]
required = ["bandit"]
skip = ["trivy"]
exclude = ["vendor/"]
engine = "docker"
timeout = "1h30m"
pull = "never"
offline = true
mirror = "localhost:5000/hub"
jobs = 2

[scanner.deep]
image = "localhost:5000/deep@sha256:0000"
args = ["--all"]
timeout = 90
memory = "2g"
depth = 7
kinds = ["a"]
[scanner.deep.severity]
B101 = "low"

[gate]
fail_on = "never"
[[gate.limits]]
maximum = 3
severity = "high"
scanner = "deep"
category = "sca"

[evidence.max_age]
default = "2d"
trivy-db-2 = "12h"

[policy]
inline_ignores = "allow"

[output]
dir = "out"
raw = "always"

[report]
formats = []

[[waiver]]
id = "CVE-2020-1"
reason = "not reachable"
expires = 2030-01-31
"""


@pytest.fixture
def full():
    """A configuration with every key that there is."""
    return FULL


@pytest.fixture
def scanners():
    return SCANNERS


@pytest.fixture
def load(tmp_path):
    """Load `text` as the scanrun.toml of a tree."""

    def load(text="", *, flags=None, environment=None, trusted=False, config=None):
        if text:
            (tmp_path / "scanrun.toml").write_text(text)
        return load_settings(
            tmp_path,
            config=config,
            flags=flags or {},
            environment=environment or {},
            scanners=SCANNERS,
            trusted=trusted,
            isolated={"docker"},
        )

    return load
