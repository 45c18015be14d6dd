import pytest

from scanrun.errors import ConfigError, ExitCode

DANGERS = [
    ('[scanner.mine]\ncommand = "mine"\n', "scanner.mine.command"),
    ('[scanner.bandit]\nargs = ["--x"]\n', "scanner.bandit.args"),
    ('[scanner.bandit]\nargs = ["--x"]\nengine = "local"\n', "scanner.bandit.args"),
    ('[output]\ndir = "../elsewhere"\n', "output.dir"),
    ('[output]\ndir = "/elsewhere"\n', "output.dir"),
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
        ('[scan]\nskip = ["trivy"]', "skips trivy"),
        ('[scan]\nexclude = ["src/"]', "leaves files out ('src/')"),
        ('[scan]\nengine = "local"', "runs scanners without a container"),
        ('[scan]\nmirror = "evil.example"', "takes images from another registry"),
        ('[output]\nraw = "always"', "keeps raw reports, which may hold secrets"),
        ('[output]\ndir = "src"', "names a folder that is not scanned"),
        ('[scanner.trivy]\nimage = "evil.example/trivy:1"', "replaces the image of trivy"),
        ('[scanner.trivy]\nengine = "local"', "runs trivy without a container"),
        ('[scanner.trivy.severity]\nX = "info"', "sets severities of trivy (X info)"),
        ('[scanner.m]\nimage = "a/b:1"\nnetwork = true', "gives m a network"),
        ('[[waiver]]\nid = "X"\nreason = "r"', "waives findings (1 [[waiver]] entry)"),
    ],
)
def test_what_a_tree_weakens_is_told(load, text, told):
    (sentence,) = load(text).told

    assert sentence.startswith(f"scanrun.toml of the scanned tree {told}")


@pytest.mark.parametrize(
    "text",
    ['[gate]\nfail_on = "low"', '[evidence]\nmax_age = "1d"', '[scan]\nrequired = ["trivy"]'],
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
