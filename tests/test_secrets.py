import sys

import pytest

from scanrun.config import load_settings
from scanrun.config.models import SecretSettings
from scanrun.errors import ScanError
from scanrun.model import Need, Step
from scanrun.request import Request
from scanrun.sarif.mask import Masker
from scanrun.secrets import Secrets, with_sealed
from scanrun.stages.update import last_words

VALUE = "s3cr3t" + "-value"


@pytest.fixture
def learnt():
    return []


@pytest.fixture
def secrets(learnt):
    def make(environment=None, **tables):
        settings = {name: SecretSettings(**table) for name, table in tables.items()}
        return Secrets(settings, environment or {}, learnt.append)

    return make


def need(name="key", **more):
    return Need(name, "key of the feed", **more)


def test_name_without_a_table_is_the_variable_of_that_name(secrets, learnt):
    found = secrets({"API_KEY": VALUE}).value(need("API_KEY"))

    assert found == VALUE
    assert learnt == [VALUE]


def test_table_names_another_variable(secrets):
    assert secrets({"OTHER": VALUE}, key={"env": "OTHER"}).value(need()) == VALUE


def test_file_is_read_without_the_white_space_around_it(secrets, tmp_path):
    (tmp_path / "key").write_text(f"{VALUE}\n")

    assert secrets(key={"file": str(tmp_path / "key")}).value(need()) == VALUE


def test_command_is_run_once_and_its_words_beside_the_answer_are_dropped(secrets, tmp_path, capfd):
    script = f"import sys; open({str(tmp_path / 'ran')!r}, 'a').write('x'); print({VALUE!r})"
    noisy = f"{script}; print('said', file=sys.stderr)"
    of_run = secrets(key={"command": [sys.executable, "-c", noisy]})

    assert (of_run.value(need()), of_run.value(need())) == (VALUE, VALUE)
    assert (tmp_path / "ran").read_text() == "x"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"env": "NOT_SET"}, "variable NOT_SET is not set"),
        ({"file": "/nowhere/key"}, "can't be read"),
        ({"command": ["/nowhere/op"]}, "can't be run"),
        ({"command": ["false"]}, "ended with exit code 1"),
        ({"command": ["true"]}, "gives nothing"),
    ],
)
def test_secret_that_can_not_be_had_is_an_error_that_names_its_use(secrets, table, told):
    with pytest.raises(ScanError, match=told) as error:
        secrets(key=table).value(need())

    assert "key of the feed" in str(error.value)


def test_optional_secret_may_be_missing(secrets):
    assert secrets().value(need("NOT_SET", optional=True)) == ""


def test_error_of_a_command_does_not_show_what_it_printed(secrets):
    table = {"command": [sys.executable, "-c", f"print({VALUE!r}); raise SystemExit(3)"]}

    with pytest.raises(ScanError) as error:
        secrets(key=table).value(need())

    assert VALUE not in f"{error.value} {error.value.hint}"


@pytest.mark.parametrize("table", [{}, {"env": "A", "file": "/b"}])
def test_secret_has_exactly_one_source(table):
    with pytest.raises(ValueError, match="exactly one"):
        SecretSettings(**table)


def test_problem_is_seen_without_running_anything(secrets, tmp_path):
    of_run = secrets(
        {"SET": VALUE}, gone={"file": str(tmp_path / "no")}, asked={"command": ["/nowhere"]}
    )

    assert of_run.problem(need("SET")) == ""
    assert of_run.problem(need("asked")) == ""
    assert "NOT_SET is not set" in of_run.problem(need("NOT_SET"))
    assert "there is no file" in of_run.problem(need("gone"))


def test_sealed_files_are_made_of_the_values():
    step = Step(files={"/a": b"1"}, sealed={"/b": lambda values: values["key"].encode()})

    assert with_sealed(step, {"key": VALUE}).files == {"/a": b"1", "/b": VALUE.encode()}


def test_secrets_are_not_shown_by_what_holds_them(secrets):
    of_run = secrets({"SET": VALUE})
    of_run.value(need("SET"))
    step = with_sealed(Step(sealed={"/b": lambda values: values["SET"].encode()}), {"SET": VALUE})

    assert VALUE not in repr(of_run)
    assert VALUE not in repr(step)


def test_last_words_are_masked_before_they_are_cut(tmp_path):
    (tmp_path / "log").write_text("fatal: " + "x" * (300 - len("fatal: ") - 6) + VALUE)

    told = last_words(Masker([VALUE]), tmp_path / "log")

    assert VALUE[:5] not in told


def test_variable_that_the_configuration_calls_a_secret_is_masked_from_the_beginning(tmp_path):
    (tmp_path / "scanrun.toml").write_text('[secret.key]\nenv = "PLAIN"\n')
    environment = {"PLAIN": VALUE}
    loaded = load_settings(
        tmp_path, config=None, flags={}, environment=environment, scanners={}, trusted=False
    )

    request = Request(run_id="1", path=tmp_path, loaded=loaded, environment=environment)

    assert VALUE in request.secrets
    assert VALUE not in repr(request)


@pytest.mark.parametrize(
    ("value", "core"),
    [
        ("Bearer " + "made-up" * 2, "made-up" * 2),
        ("basic\t" + "bWFkZS11cA==", "bWFkZS11cA=="),
        ("theme=dark; session=" + "made-up" * 2, "made-up" * 2),
    ],
)
def test_what_is_secret_in_the_value_of_a_header_is_masked_by_itself(secrets, learnt, value, core):
    secrets({"HEADER": value}).value(need("HEADER"))

    assert learnt == [value, core]
