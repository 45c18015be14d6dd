import re
from pathlib import Path
from typing import get_args

from scanrun.config import ScannerSettings, Settings
from scanrun.config.app import Danger
from scanrun.config.environment import VARIABLES
from scanrun.config.models import SecretSettings
from scanrun.config.scanners import INTERNAL
from scanrun.config.waivers import Waiver

DOCS = Path(__file__).parents[2] / "docs"


def keys():
    for section, field in Settings.model_fields.items():
        if section == "scanner":
            yield from (f"scanner.NAME.{key}" for key in {*ScannerSettings.model_fields} - INTERNAL)
        elif section == "secret":
            yield from (f"secret.NAME.{key}" for key in SecretSettings.model_fields)
        elif section == "waiver":
            yield section
        else:
            yield from (f"{section}.{key}" for key in field.annotation.model_fields)


def test_the_page_lists_every_key():
    page = (DOCS / "configuration.md").read_text().partition("## A tool")[0]

    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == set(keys())


def test_the_page_lists_every_variable():
    page = (DOCS / "configuration.md").read_text()
    rows = re.findall(r"^\| `(SCANRUN_\w+)` \| `([^`]+)` \|", page, re.MULTILINE)

    assert dict(rows) == {name: key for name, (key, _) in VARIABLES.items()}


def test_the_page_of_waivers_lists_every_key():
    page = (DOCS / "waivers.md").read_text()

    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == set(Waiver.model_fields)


def test_what_the_page_shows_is_valid(load):
    page = (DOCS / "configuration.md").read_text()
    first, second = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)

    loaded = load(first + second)

    assert loaded.settings.scanner["mytool"].declared
    assert loaded.settings.gate.limits[0].maximum == 20


def test_what_the_page_of_waivers_shows_is_valid(load):
    (shown,) = re.findall(r"```toml\n(.*?)```", (DOCS / "waivers.md").read_text(), re.DOTALL)

    assert len(load(shown).settings.waiver) == 2


def test_the_page_of_the_application_lists_all_that_a_compose_file_may_be_allowed():
    page = (DOCS / "app.md").read_text().partition("### Compose files")[2].partition("###")[0]

    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == set(get_args(Danger))


def test_what_the_page_of_the_application_shows_is_valid(load):
    page = (DOCS / "app.md").read_text()
    image, build, compose, url, look, secrets = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)

    started = [load(each + look + secrets, trusted=True) for each in (image, build, compose)]
    there = load(url, trusted=True)

    kinds = [each.settings.app.kind for each in (*started, there)]
    assert kinds == ["image", "dockerfile", "compose", "url"]
