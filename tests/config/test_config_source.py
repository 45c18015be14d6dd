import os

import pytest

from scanrun.config.source import find, read
from scanrun.errors import ConfigError


@pytest.fixture
def repository(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    return tmp_path


def test_the_nearest_file_counts(repository):
    (repository / "scanrun.toml").write_text("[gate]\n")
    (repository / "a" / "scanrun.toml").write_text("[scan]\n")

    assert find(repository / "a" / "b").data == {"scan": {}}
    assert find(repository).data == {"gate": {}}


def test_a_single_file_is_configured_by_its_folder(repository):
    (repository / "a" / "scanrun.toml").write_text("[scan]\n")
    (repository / "a" / "one.py").write_text("")

    assert find(repository / "a" / "one.py").path == repository / "a" / "scanrun.toml"


def test_nothing_above_the_repository_counts(tmp_path):
    (tmp_path / "scanrun.toml").write_text("[gate]\n")
    (tmp_path / "inner" / ".git").mkdir(parents=True)
    (tmp_path / "inner" / "a").mkdir()

    assert find(tmp_path / "inner" / "a") is None


def test_a_work_tree_whose_git_is_a_file_is_a_repository(tmp_path):
    (tmp_path / "scanrun.toml").write_text("[gate]\n")
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "a").mkdir()

    assert find(tmp_path / "a").data == {"gate": {}}


def test_without_a_repository_only_the_folder_itself_counts(tmp_path):
    (tmp_path / "scanrun.toml").write_text("[gate]\n")
    (tmp_path / "a").mkdir()

    assert find(tmp_path / "a") is None
    assert find(tmp_path).data == {"gate": {}}


def test_pyproject_counts_where_it_has_our_table(repository):
    (repository / "pyproject.toml").write_text("[tool.scanrun.gate]\nfail_on = 'low'\n")
    (repository / "a" / "pyproject.toml").write_text("[tool.other]\n")

    source = find(repository / "a")

    assert source.data == {"gate": {"fail_on": "low"}}
    assert source.line_of(("gate", "fail_on")) == 2


def test_two_configurations_in_one_folder_are_an_error(tmp_path):
    (tmp_path / "scanrun.toml").write_text("")
    (tmp_path / "pyproject.toml").write_text("[tool.scanrun]\n")

    with pytest.raises(ConfigError, match="two configurations"):
        find(tmp_path)


def test_a_broken_pyproject_matters_only_if_it_speaks_of_scanrun(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool\n")
    silent = find(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.scanrun\n")

    assert silent is None
    with pytest.raises(ConfigError, match="is no TOML"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[gate]\nfail_on =\n", "is no TOML: invalid value (at line 2"),
        (b"a = " + b"[" * 5000, "RecursionError"),
        (b"a = " + b"9" * 6000, "ValueError"),
        (b"a = " + b"[" * 40 + b"]" * 40, "nested more than 16"),
        (b"a." * 600 + b"b = 1", "more than 500 dots"),
        (b"#" * 1_000_001, "over 1,000,000 bytes"),
        (b"a = '\xff'", "is no UTF-8 text (byte 5)"),
    ],
    ids=["syntax", "deep", "long-number", "nested", "dots", "large", "encoding"],
)
def test_what_can_not_be_read_is_an_error(tmp_path, content, message):
    (tmp_path / "scanrun.toml").write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        find(tmp_path)

    assert message in str(caught.value)


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path):
    (tmp_path / "scanrun.toml").write_bytes(b"\xef\xbb\xbf[gate]\r\nfail_on = 'low'\r\n")

    assert find(tmp_path).data == {"gate": {"fail_on": "low"}}


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "scanrun.toml")

    with pytest.raises(ConfigError, match="is no regular file"):
        find(tmp_path)


def test_a_link_that_leads_nowhere_is_an_error_not_no_configuration(tmp_path):
    (tmp_path / "scanrun.toml").symlink_to("gone.toml")

    with pytest.raises(ConfigError, match="can't be read"):
        find(tmp_path)


def test_a_tree_can_not_borrow_a_file_from_outside(tmp_path):
    (tmp_path / "outside.toml").write_text("[gate]\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "scanrun.toml").symlink_to("../outside.toml")

    with pytest.raises(ConfigError, match="leads out of"):
        find(tmp_path / "tree")


def test_a_named_file_must_be_there_and_have_our_table(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")

    with pytest.raises(ConfigError, match="can't be read: No such file"):
        read(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match=r"has no \[tool\.scanrun\]"):
        read(tmp_path / "pyproject.toml")


def test_lines_within_a_long_text_are_no_keys(tmp_path):
    text = '[gate]\nnote = """\n[scan]\nfail_on = 1\n"""\nfail_on = 2\n'
    (tmp_path / "scanrun.toml").write_text(text)

    assert find(tmp_path).line_of(("gate", "fail_on")) == 6


def test_a_place_is_found_in_no_time_whatever_the_lines_look_like(tmp_path):
    text = f"{' ' * 400_000}# {'a ' * 100_000}\n[[waiver]]\nid = 1\n[[ waiver ]] # x\nid = 2\n"
    (tmp_path / "scanrun.toml").write_text(text)

    source = find(tmp_path)

    assert source.line_of(("waiver", 1, "id")) == 5
    assert source.line_of(("waiver", 1, "reason")) == 4
    assert source.line_of(("gate",)) is None
