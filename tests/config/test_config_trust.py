import pytest
from pipeline_kit import Tool

from scanrun.config import load_settings
from scanrun.errors import ConfigError, ExitCode
from scanrun_plugins.scanners.trivy.tree import Trivy

DANGERS = [
    ('[scanner.mine]\ncommand = "mine"\n', "scanner.mine.command"),
    ('[scanner.bandit]\nargs = ["--x"]\n', "scanner.bandit.args"),
    ('[scanner.bandit]\nargs = ["--x"]\nengine = "local"\n', "scanner.bandit.args"),
    ('[output]\ndir = "../elsewhere"\n', "output.dir"),
    ('[output]\ndir = "/elsewhere"\n', "output.dir"),
    ('[scan]\nmirror = "evil.example"\n', "scan.mirror"),
    ('[scanner.deep]\nsource = "evil.example/db"\n', "scanner.deep.source"),
]


@pytest.mark.parametrize(("text", "key"), DANGERS)
def test_a_tree_can_not_run_its_code_or_write_elsewhere(load, text, key):
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert str(caught.value).startswith(f"{key} ")
    assert "--trust-config" in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(("text", "key"), DANGERS)
def test_it_is_obeyed_when_the_user_trusts_the_file(load, text, key):
    assert load(text, trusted=True).origin[key] == "file scanrun.toml"


@pytest.mark.parametrize(("text", "key"), DANGERS)
def test_it_is_obeyed_from_a_file_that_the_user_names(load, tmp_path, text, key):
    file = tmp_path / "mine.toml"
    file.write_text(text)

    loaded = load(config=file)

    assert loaded.origin[key] == "file mine.toml"
    assert not loaded.from_tree
    assert loaded.told == ()


def test_arguments_are_obeyed_where_a_container_holds_them(load):
    text = '[scanner.bandit]\nargs = ["--x"]\n'

    by_flag = load(text, flags={"scan.engine": "docker"})

    assert by_flag.settings.scanner["bandit"].args == ("--x",)
    assert by_flag.told == ("scanrun.toml of the scanned tree adds arguments to bandit",)


def test_a_flag_may_write_anywhere(load):
    assert load(flags={"output.dir": "/elsewhere"}).settings.output.dir == "/elsewhere"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[gate]\nfail_on = "never"', "switches the gate off"),
        ('[gate]\nfail_on = "critical"', "lets high findings pass"),
        ('[policy]\ninline_ignores = "allow"', "lets comments in the source suppress"),
        ('[evidence]\nmax_age = "30d"', "lets databases be older than usual"),
        ('[evidence.lower]\ntrivy = ["age", "signs"]', "asks less evidence of trivy (age, signs)"),
        ('[scan]\nskip = ["trivy"]', "skips trivy"),
        ('[scan]\nexclude = ["src/"]', "leaves files out ('src/')"),
        ('[scan]\nengine = "local"', "runs scanners without a container"),
        ('[output]\nraw = "always"', "keeps raw reports, which may hold secrets"),
        ('[output]\ndir = "src"', "names a folder that is not scanned"),
        ('[scanner.trivy]\nimage = "evil.example/trivy:1"', "replaces the image of trivy"),
        ('[scanner.trivy]\nengine = "local"', "runs trivy without a container"),
        ('[scanner.trivy.severity]\nX = "info"', "sets severities of trivy (X info)"),
        ('[scanner.m]\nimage = "a/b:1"\nnetwork = true', "gives m a network"),
        ('[scanner.deep]\nkinds = ["a"]', "sets kinds of deep (('a',))"),
        ("[scanner.deep]\ndepth = 0", "sets depth of deep (0)"),
        ('[[waiver]]\nid = "X"\nreason = "r"', "waives findings (1 [[waiver]] entry)"),
    ],
)
def test_what_a_tree_weakens_is_told(load, text, told):
    (sentence,) = load(text).told

    assert sentence.startswith(f"scanrun.toml of the scanned tree {told}")


@pytest.mark.parametrize(
    "text",
    [
        "[scanner.deep]\ndepth = 3\nkinds = []",
        '[gate]\nfail_on = "low"',
        '[evidence]\nmax_age = "1d"',
        '[scan]\nrequired = ["trivy"]',
    ],
)
def test_what_a_tree_tightens_is_not_told(load, text):
    assert load(text).told == ()


def test_what_a_flag_sets_is_not_blamed_on_the_tree(load):
    text = '[gate]\nfail_on = "never"\n[scan]\nexclude = ["a"]\n'

    loaded = load(text, flags={"gate.fail_on": "critical", "scan.exclude": ("b",)})

    assert loaded.told == ("scanrun.toml of the scanned tree leaves files out ('a')",)


def test_what_is_trusted_is_still_told(load):
    loaded = load('[scanner.mine]\ncommand = "mine"\n', trusted=True)

    assert loaded.told == ("scanrun.toml of the scanned tree lets mine run a program on this host",)


def test_where_data_comes_from_is_told_when_it_is_trusted(load):
    text = '[scan]\nmirror = "hub.example"\n[scanner.deep]\nsource = "hub.example/db"\n'

    assert load(text, trusted=True).told == (
        "scanrun.toml of the scanned tree takes images from another registry (hub.example)",
        "scanrun.toml of the scanned tree sets source of deep ('hub.example/db')",
    )


@pytest.mark.parametrize("key", ["db_repository", "java_db_repository"])
def test_a_tree_can_not_name_the_repository_of_trivys_databases(tmp_path, key):
    (tmp_path / "scanrun.toml").write_text(f'[scanner.trivy]\n{key} = "evil.example/db:2"\n')

    with pytest.raises(ConfigError, match=rf"scanner\.trivy\.{key} "):
        load_settings(
            tmp_path,
            config=None,
            flags={},
            environment={},
            scanners={"trivy": Trivy()},
            trusted=False,
        )


class Entrusted(Tool):
    def secrets(self, target):
        return ()


@pytest.mark.parametrize(("key", "value"), [("image", '"evil.example/x:1"'), ("args", '["--x"]')])
def test_a_tree_can_not_choose_what_is_given_secrets(tmp_path, key, value):
    (tmp_path / "scanrun.toml").write_text(f"[mine]\n{key} = {value}\n")

    with pytest.raises(ConfigError, match=rf"scanner\.mine\.{key} .*secret"):
        load_settings(
            tmp_path,
            config=None,
            flags={"scan.engine": "docker"},
            environment={},
            scanners={"mine": Entrusted("mine")},
            trusted=False,
            isolated=["docker"],
        )
