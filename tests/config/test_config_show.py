import tomllib

import pytest

from scanrun.config.show import as_toml


@pytest.mark.parametrize("text", ["", None, '[scanner.bandit]\nmemory = "100m"\n'])
def test_what_is_shown_means_the_same_again(load, full, text):
    loaded = load(full if text is None else text, trusted=True)

    again = load(as_toml(loaded), trusted=True)

    assert again.settings == loaded.settings


def test_every_value_tells_what_set_it(load):
    shown = as_toml(load('[gate]\nfail_on = "low"\n', flags={"scan.jobs": 2}))

    assert 'fail_on = "low"  # file scanrun.toml' in shown
    assert "jobs = 2  # flag --jobs" in shown
    assert 'engine = "auto"  # default' in shown
    assert "# timeout is not set  # default" in shown


def test_hostile_text_stays_within_its_line(load):
    loaded = load('[scan]\nexclude = ["a\\nb = 1", "\\"", "é]"]\n')

    assert tomllib.loads(as_toml(loaded))["scan"]["exclude"] == ["a\nb = 1", '"', "é]"]
