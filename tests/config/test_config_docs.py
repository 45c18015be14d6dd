import re
from pathlib import Path

from scanrun.config import ScannerSettings, Settings
from scanrun.config.environment import VARIABLES
from scanrun.config.scanners import INTERNAL
from scanrun.config.waivers import Waiver

DOCS = Path(__file__).parents[2] / "docs"


def keys():
    for section, field in Settings.model_fields.items():
        if section == "scanner":
            yield from (f"scanner.NAME.{key}" for key in {*ScannerSettings.model_fields} - INTERNAL)
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
