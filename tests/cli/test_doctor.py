"""`scanrun doctor` with engines from a local plugin, so that each answer is known."""

import pytest

from scanrun.cli.app import run

PLUGIN = """
from scanrun.api import Applies, Category, Located, MissingToolError, Step, hookimpl
from scanrun.testing import FakeEngine
from scanrun.testing.fake import FakeSession


class Session(FakeSession):
    def locate(self, step):
        if step.image == "here:1":
            return Located(step.image, note="pinned by scanrun.lock")
        return Located(step.image, note="to be pulled", to_pull=True)

    def digest(self, reference):
        if reference == "lost:1":
            raise MissingToolError(f"the registry does not know {reference!r}", hint="mend it")
        return "sha256:" + "1" * 64

    def export(self, reference, archive):
        raise NotImplementedError


class Engine(FakeEngine):
    def open(self, settings):
        super().open(settings)
        return Session(self)


class Tool:
    category = Category.SAST

    def __init__(self, name):
        self.name = name

    def applies(self, target):
        return Applies.to(target.snapshot.files)

    def steps(self, target):
        return (Step.scan(f"{self.name}:1", (), output="/out"),)

    def convert(self, outputs):
        return iter(())


@hookimpl
def scanrun_register_engines():
    return [Engine(name="fake")]


@hookimpl
def scanrun_register_scanners():
    return [Tool(name) for name in ("here", "lost", "new")]
"""


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys):
    """Return a function that runs `doctor` on a small tree, with the plugin installed."""
    tree, site = tmp_path / "tree", tmp_path / "site"
    tree.mkdir()
    (tree / "notes.txt").write_text("hello\n")
    info = site / "doctor_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: doctor-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scanrun]\ndoctor_plugin = doctor_plugin\n")
    (site / "doctor_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(site)

    def call(*arguments, config=""):
        (tree / "scanrun.toml").write_text(config)
        code = run(["doctor", str(tree), *map(str, arguments)])
        answer = capsys.readouterr()
        return code, answer.out.splitlines(), answer.err

    return call


def line_of(lines, name):
    (line,) = (each for each in lines if f"  {name}: " in each)
    return line


def test_what_works_is_ok_and_no_problem(doctor):
    code, lines, _ = doctor("--engine", "fake")

    assert code == 0
    assert line_of(lines, "engine fake") == "ok       engine fake: in memory"
    assert line_of(lines, "scanner here").startswith("ok       scanner here: fake: here:1")
    assert lines[-1] == "no problems"


def test_registries_are_asked_for_images_that_would_be_pulled_and_for_no_other(doctor):
    code, lines, _ = doctor("--engine", "fake", "--images")

    assert code == 1
    assert "sha256" not in line_of(lines, "scanner here")
    assert "sha256:1111" in line_of(lines, "scanner new")
    assert line_of(lines, "scanner lost").startswith("problem")
    assert lines[lines.index(line_of(lines, "scanner lost")) + 1] == "         try: mend it"


def test_an_engine_that_does_not_answer_is_told_once(doctor, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")

    code, lines, _ = doctor("--engine", "docker")

    assert code == 1
    assert sum("/nonexistent/engine.sock" in line for line in lines) == 1
    assert lines[-1] == "1 problem"


def test_quiet_prints_problems_alone(doctor, monkeypatch):
    assert doctor("--engine", "fake", "--quiet") == (0, [], "")

    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")
    code, lines, _ = doctor("--engine", "docker", "--quiet")

    assert code == 1
    assert [line.split()[0] for line in lines] == ["problem", "try:"]


def test_a_bad_configuration_is_a_problem_with_what_to_do(doctor):
    code, lines, _ = doctor(config="[scan]\nexlude = []\n")

    assert code == 1
    assert "unknown key 'exlude'" in lines[0]
    assert lines[1] == "         try: did you mean 'exclude'?"


def test_a_misspelt_engine_is_a_usage_error(doctor):
    code, _, told = doctor("--engine", "fakee")

    assert code == 2
    assert told == "error: no engine 'fakee'\n  try: did you mean 'fake'?\n"


def test_a_mistyped_path_is_a_usage_error(capsys):
    assert run(["doctor", "no-such-folder"]) == 2
    assert "'no-such-folder' does not exist" in capsys.readouterr().err
