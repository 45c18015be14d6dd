import datetime as dt

import pytest
from pipeline_kit import Tool

from scanrun.config import load_settings
from scanrun.errors import ConfigError
from scanrun.model import Category, GatePolicy, Limit, Severity


def test_every_documented_key_is_read(load, full):
    settings = load(full, trusted=True).settings

    assert settings.scan.timeout == 5400
    assert (settings.scan.jobs, settings.scan.mirror) == (2, "localhost:5000/hub")
    deep = settings.scanner["deep"]
    assert (deep.args, deep.timeout, deep.memory) == (("--all",), 90, 2048)
    assert deep.options == {"depth": 7, "kinds": ("a",), "source": ""}
    assert deep.severity == {"B101": "low"}
    limit = Limit(3, Severity.HIGH, "deep", Category.SCA)
    assert settings.gate.policy() == GatePolicy(fail_on=None, limits=(limit,))
    assert settings.report.formats == ()
    assert settings.waiver[0].expires == dt.date(2030, 1, 31)


def test_without_a_file_the_defaults_hold(load):
    loaded = load()

    assert loaded.file is None
    assert not loaded.from_tree
    assert loaded.told == ()
    assert loaded.settings.gate.policy() == GatePolicy(fail_on=Severity.HIGH)
    assert set(loaded.origin.values()) == {"default"}


def test_flags_go_before_the_environment_and_the_environment_before_the_file(load):
    text = '[gate]\nfail_on = "low"\n[scan]\npull = "never"\nengine = "docker"\n'
    environment = {"SCANRUN_FAIL_ON": "medium", "SCANRUN_PULL": "always"}

    loaded = load(text, flags={"gate.fail_on": "critical"}, environment=environment)

    assert loaded.settings.gate.fail_on == "critical"
    assert loaded.settings.scan.pull == "always"
    assert loaded.settings.scan.engine == "docker"
    assert loaded.origin["gate.fail_on"] == "flag --fail-on"
    assert loaded.origin["scan.pull"] == "environment SCANRUN_PULL"
    assert loaded.origin["scan.engine"] == "file scanrun.toml"
    assert loaded.origin["scan.jobs"] == "default"


def test_flags_that_were_not_given_change_nothing(load):
    loaded = load('[scan]\nskip = ["bandit"]\n', flags={"scan.skip": (), "scan.offline": None})

    assert loaded.settings.scan.skip == ("bandit",)
    assert loaded.origin["scan.offline"] == "default"


def test_exclude_and_skip_are_added_to_and_other_lists_replaced(load):
    text = '[scan]\nexclude = ["a"]\nskip = ["trivy"]\nrequired = ["bandit"]\n'
    flags = {"scan.exclude": ("b",), "scan.skip": ("deep",), "scan.required": ()}

    loaded = load(text, flags=flags, environment={"SCANRUN_EXCLUDE": "c, d"})

    assert loaded.settings.scan.exclude == ("a", "c", "d", "b")
    assert loaded.settings.scan.skip == ("trivy", "deep")
    assert loaded.settings.scan.required == ("bandit",)
    by = "flag --exclude and environment SCANRUN_EXCLUDE and file scanrun.toml"
    assert loaded.origin["scan.exclude"] == by


def test_a_flag_does_not_hide_a_mistake_in_the_file(load):
    with pytest.raises(ConfigError, match=r"scanrun\.toml:2: gate\.fail_on must be one of"):
        load('[gate]\nfail_on = "hihg"\n', flags={"gate.fail_on": "low"})


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[gate]\nfail-on = 'low'", "toml:2: unknown key 'fail-on' in gate", "'fail_on'"),
        ("[gaet]\nfail_on = 'low'", "toml:1: unknown key 'gaet'", "'gate'"),
        ("[shop]\nurl = 'x'", "toml:1: unknown key 'shop'", "known: "),
        ("\n\n[gate]\nfail_on = 'hihg'", "toml:4: gate.fail_on must be one of", "'high'"),
        ("gate = 1", "toml:1: gate must be a table, not 1", ""),
        ("scanner = 1", "toml:1: scanner is no table", ""),
        ("scanner.bandit = 1", "scanner.bandit is no table", ""),
        ("waiver = 1", "toml:1: waiver must be a list, not 1", ""),
        ("[scan]\nrequired = 'bandit'", "toml:2: scan.required must be a list", ""),
        ("[scan]\nrequired = ['bandti']", "toml:2: no scanner 'bandti'", "'bandit'"),
        ("[scan]\nskip = ['bandti']", "toml:2: no scanner 'bandti'", "'bandit'"),
        ("[scan]\nskip = ['deep']\nrequired = ['deep']", "both required and to be skipped", ""),
        ("[scan]\noffline = 'no'", "toml:2: scan.offline must be true or false, not 'no'", ""),
        ("[scan]\njobs = 0", "toml:2: scan.jobs must be at least 1, not 0", ""),
        ("[scan]\njobs = true", "toml:2: scan.jobs must be a whole number", ""),
        ("[scan]\ntimeout = '15'\npull = 1", "toml:3: scan.pull must be one of", ""),
        ("[scan]\ntimeout = '1x'", "toml:2: scan.timeout: '1x' is no duration", ""),
        ("[scan]\ntimeout = 0", "a duration lies above zero", ""),
        ("[scan]\ntimeout = inf", "a duration lies above zero", ""),
        ("[scan]\ntimeout = nan", "a duration lies above zero", ""),
        ("[scan]\ntimeout = true", "a duration is a number of seconds", ""),
        ("[scan]\nmirror = 'https://hub'", "'https://hub' is no reference", ""),
        ("[scan]\nexclude = ['']", "scan.exclude[0]: it must not be empty", ""),
        ("[scanner.trivvy]\nargs = []", "toml:1: no scanner 'trivvy'", "'trivy'"),
        ("[scanner.trivy]\nagrs = []", "toml:2: unknown key 'agrs' in scanner.trivy", "'args'"),
        ("[scanner.deep]\ndetph = 1", "toml:2: unknown key 'detph' in scanner.deep", "'depth'"),
        ("[scanner.deep]\ndepth = 'x'", "toml:2: scanner.deep.depth", ""),
        ("[scanner.trivy]\noptions = {}", "unknown key 'options' in scanner.trivy", ""),
        ("[scanner.trivy]\ndeclared = true", "unknown key 'declared' in scanner.trivy", ""),
        ("[scanner.trivy]\ncommand = ['x']", "unknown key 'command' in scanner.trivy", ""),
        ("[scanner.trivy]\nimage = '--privileged'", "is no reference", ""),
        ("[scanner.trivy]\nmemory = '1k'", "'1k' is no size", ""),
        ("[scanner.trivy]\nmemory = '1m'", "a size below 16m", ""),
        ("[scanner.trivy]\nmemory = 512", "512 is no size", ""),
        ("[scanner.trivy.severity]\nX = 'hi'", "toml:2: scanner.trivy.severity.X must", "'high'"),
        ("[[gate.limits]]\nmaximum = -1", "toml:2: gate.limits[0].maximum must be at least 0", ""),
        ("[[gate.limits]]\nscanner = 'deep'", "toml:1: gate.limits[0].maximum is missing", ""),
        (
            "[[gate.limits]]\nmaximum = 1\n[[gate.limits]]\nmaximum = 1\nscaner = 'x'",
            "toml:5: unknown key 'scaner' in gate.limits[1]",
            "'scanner'",
        ),
        ("[gate]\nlimits = [{maximum = 1, scanner = 'dep'}]", "no scanner 'dep'", "deep"),
        ("[evidence]\nmax_age = 'x'", "toml:2: evidence.max_age: 'x' is no duration", ""),
        ("[output]\ndir = '.'", "must be a folder of its own", ""),
        ("[output]\ndir = 'a/..'", "must be a folder of its own", ""),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_meant(load, text, message, hint):
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert "pydantic" not in str(caught.value)


def test_all_mistakes_are_told_at_once_but_not_without_end(load):
    text = "\n".join(f"[wrong{n}]" for n in range(9))

    with pytest.raises(ConfigError) as caught:
        load(text)

    assert "toml:5: unknown key 'wrong4'" in str(caught.value)
    assert str(caught.value).endswith("and 4 more")


def test_control_characters_of_a_file_never_reach_the_message(load):
    with pytest.raises(ConfigError) as caught:
        load('"\\u001b[2Jgate" = 1\n')

    assert "\x1b" not in str(caught.value)
    assert "\x1b" not in caught.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("900", 900), ("900s", 900), ("15m", 900), ("1h30m", 5400), ("7d", 604800), ("1w1d", 691200)],
)
def test_durations_are_read(load, text, seconds):
    loaded = load(f'[scan]\ntimeout = "{text}"\n')

    assert loaded.settings.scan.timeout == seconds


def test_a_limit_of_age_is_found_by_database_then_default_then_its_own(load):
    week = dt.timedelta(days=7)

    by_name = load('[evidence.max_age]\ndefault = "2d"\ndb-2 = "1h"\n').settings.evidence
    for_all = load('[evidence]\nmax_age = "3d"\n').settings.evidence
    unset = load("[evidence]\n").settings.evidence

    assert by_name.limit("db-2", week) == dt.timedelta(hours=1)
    assert by_name.limit("other", week) == dt.timedelta(days=2)
    assert for_all.limit("other", week) == dt.timedelta(days=3)
    assert unset.limit("other", week) == week


def test_a_scanner_s_table_may_stand_without_its_prefix(load):
    loaded = load('[deep]\ndepth = 7\nmemory = "2g"\n')

    assert loaded.settings.scanner["deep"].options["depth"] == 7
    assert loaded.settings.scanner["deep"].memory == 2048
    assert loaded.origin["scanner.deep.depth"] == "file scanrun.toml"


def test_a_mistake_in_such_a_table_is_told_with_its_line(load):
    with pytest.raises(ConfigError, match=r"scanrun\.toml:2: .*dept"):
        load("[deep]\ndept = 7\n")


def test_a_scanner_has_one_table(load):
    with pytest.raises(ConfigError, match=r"both \[deep\] and \[scanner\.deep\]"):
        load("[deep]\ndepth = 7\n[scanner.deep]\ndepth = 8\n")


def test_the_trust_of_such_a_table_is_that_of_the_long_one(load):
    with pytest.raises(ConfigError, match=r"scanner\.deep\.source"):
        load('[deep]\nsource = "elsewhere"\n')


@pytest.mark.parametrize(
    "table", ['command = ["op", "read", "x"]', 'file = "/home/somebody/.ssh/id"']
)
def test_a_tree_s_own_file_can_not_take_secrets_from_this_host(load, table):
    with pytest.raises(ConfigError, match=r"secret\.key"):
        load(f"[secret.key]\n{table}\n")


@pytest.mark.parametrize("name", ["SONAR_TOKEN", "nvd", "_x-1"])
def test_a_secret_may_be_called_as_the_variable_that_scanners_ask_for(load, name):
    loaded = load(f'[secret.{name}]\nenv = "OTHER"\n')

    assert loaded.settings.secret[name].env == "OTHER"


def test_a_tree_s_own_variable_for_a_secret_is_told(load):
    loaded = load('[secret.key]\nenv = "OTHER_TOKEN"\n')

    assert any("OTHER_TOKEN" in each for each in loaded.told)


def test_section_is_never_taken_for_a_scanner_of_its_name(tmp_path):
    (tmp_path / "scanrun.toml").write_text("[scan]\ntimeout = 60\n")

    loaded = load_settings(
        tmp_path,
        config=None,
        flags={},
        environment={},
        scanners={"scan": Tool("scan")},
        trusted=False,
    )

    assert loaded.settings.scan.timeout == 60
    assert "scan" not in loaded.settings.scanner
