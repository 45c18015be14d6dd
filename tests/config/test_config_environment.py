import pytest

from scanrun.config.environment import VARIABLES
from scanrun.config.models import Settings
from scanrun.errors import ConfigError


def test_every_variable_sets_a_key_that_exists():
    for key, _ in VARIABLES.values():
        section, _, name = key.partition(".")

        assert name in Settings.model_fields[section].annotation.model_fields


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("SCANRUN_FAILON", "low", "'SCANRUN_FAILON' is no setting"),
        ("SCANRUN_OFFLINE", "maybe", "environment SCANRUN_OFFLINE: 'maybe' is neither"),
        ("SCANRUN_JOBS", "-1", "environment SCANRUN_JOBS: '-1' is no number"),
        ("SCANRUN_FAIL_ON", "hihg", "environment SCANRUN_FAIL_ON: gate.fail_on must be one of"),
        ("SCANRUN_REQUIRED", "bandti", "SCANRUN_REQUIRED: no scanner 'bandti'"),
    ],
)
def test_a_variable_that_can_not_be_used_is_an_error(load, name, text, message):
    with pytest.raises(ConfigError) as caught:
        load(environment={name: text})

    assert message in str(caught.value)


def test_a_misspelt_variable_is_answered_with_the_nearest_one(load):
    with pytest.raises(ConfigError) as caught:
        load(environment={"SCANRUN_FAILON": "low"})

    assert caught.value.hint == "did you mean 'SCANRUN_FAIL_ON'?"


def test_an_empty_variable_is_as_good_as_none(load):
    assert load(environment={"SCANRUN_FAIL_ON": " "}).settings.gate.fail_on == "high"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("off", False)])
def test_flags_are_read_from_words(load, text, value):
    assert load(environment={"SCANRUN_OFFLINE": text}).settings.scan.offline is value


def test_the_file_may_be_named_by_a_variable_and_a_flag_goes_before_it(load, tmp_path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text('[gate]\nfail_on = "low"\n')
    two.write_text('[gate]\nfail_on = "medium"\n')
    environment = {"SCANRUN_CONFIG": str(one)}

    assert load("[gate]\n", environment=environment).settings.gate.fail_on == "low"
    assert load(config=two, environment=environment).settings.gate.fail_on == "medium"


def test_misspelt_variable_is_an_error_whatever_it_begins_with(load):
    with pytest.raises(ConfigError, match="SCANRUN_REQUIRE_SCANNERS"):
        load(environment={"SCANRUN_REQUIRE_SCANNERS": "bandit"})


def test_other_variables_of_scanrun_are_left_alone(load):
    environment = {"SCANRUN_CACHE_DIR": "/c", "_SCANRUN_X": ""}

    assert set(load(environment=environment).origin.values()) == {"default"}
