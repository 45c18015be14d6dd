import pytest

from scanrun.errors import ConfigError

IMAGE = '[scanner.mine]\nimage = "localhost:5000/mine:1"\n'


def test_a_new_name_with_an_image_declares_a_scanner(load):
    text = IMAGE + 'ok_exit_codes = [0, 1]\nmemory = "1g"\n[scan]\nrequired = ["mine"]\n'

    mine = load(text).settings.scanner["mine"]

    assert mine.declared
    assert (mine.image, mine.memory) == ("localhost:5000/mine:1", 1024)
    assert mine.options["ok_exit_codes"] == (0, 1)
    assert "image" not in mine.options


def test_a_scanner_that_a_plugin_brings_is_not_declared_again(load):
    with pytest.raises(ConfigError, match="unknown key 'command'"):
        load('[scanner.bandit]\ncommand = "true"\n')


def test_a_mistake_in_a_declaration_names_the_nearest_key(load):
    with pytest.raises(ConfigError, match="unknown key 'ok_exit_code'") as caught:
        load(IMAGE + "ok_exit_code = [0]\n")

    assert caught.value.hint == "did you mean 'ok_exit_codes'?"


def test_neither_image_nor_command_declares_nothing(load):
    with pytest.raises(ConfigError, match="no scanner 'zzz'") as caught:
        load("[scanner.zzz]\nargs = []\n")

    assert "bandit" in caught.value.hint
