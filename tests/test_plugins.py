import sys
from importlib.metadata import entry_points

import pytest

from scanrun.errors import PluginError
from scanrun.plugins import load_plugins

SCANNER = """
from scanrun.api import Applies, Category, hookimpl


class {name}:
    name = "{scanner}"
    category = Category.SAST

    def applies(self, target):
        return Applies.to(target.files)

    def steps(self, target):
        return ()

    def convert(self, outputs):
        yield from ()


@hookimpl
def scanrun_register_scanners():
    return [{name}()]
"""


def local_plugin(folder, file, scanner):
    path = folder / file
    path.write_text(SCANNER.format(name="Own", scanner=scanner))
    return path


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return a function that installs a distribution with one plugin on `sys.path`."""

    def install(distribution, entry_point, scanner, folder=tmp_path):
        module = f"plugin_{distribution.replace('-', '_')}"
        site = folder / distribution
        site.mkdir(parents=True)
        (site / f"{module}.py").write_text(SCANNER.format(name="Own", scanner=scanner))
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0")
        (info / "entry_points.txt").write_text(f"[scanrun]\n{entry_point} = {module}\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def test_our_own_plugins_come_in_through_the_entry_points():
    found = load_plugins()

    declared = {point.name for point in entry_points(group="scanrun")}
    names = {*found.scanners, *found.reporters, *found.ci_emitters, *found.engines}
    assert declared <= names
    assert found.origins["scanners", "bandit"].startswith("scanrun ")


def test_local_plugin_is_loaded_by_its_path(tmp_path):
    path = local_plugin(tmp_path, "mine.py", "mine")

    found = load_plugins([path])

    assert found.scanners["mine"].name == "mine"
    assert found.origins["scanners", "mine"] == str(path)


def test_plugin_name_claimed_twice_is_refused_naming_both_distributions(installed):
    installed("first-dist", "twice", "first")
    installed("second-dist", "twice", "second")

    with pytest.raises(PluginError, match=r"'twice' claimed by first-dist 1.0 and second-dist 1.0"):
        load_plugins()


def test_scanner_name_claimed_twice_is_refused_naming_both_distributions(installed):
    installed("rival", "rival", "bandit")

    with pytest.raises(PluginError, match=r"'bandit' among the scanners claimed by") as caught:
        load_plugins()
    assert "rival 1.0" in str(caught.value)
    assert "scanrun " in str(caught.value)


def test_plugin_of_the_scanned_tree_is_never_loaded(installed, tmp_path):
    tree = tmp_path / "tree"
    installed("hostile", "hostile", "hostile", folder=tree)

    with pytest.raises(PluginError, match="lies in the scanned tree"):
        load_plugins(scanned=tree)
    assert "plugin_hostile" not in sys.modules


def test_local_plugin_in_the_scanned_tree_is_refused(tmp_path):
    path = local_plugin(tmp_path, "mine.py", "mine")

    with pytest.raises(PluginError, match="lies in the scanned tree"):
        load_plugins([path], scanned=tmp_path)


@pytest.mark.parametrize(
    "body",
    ["raise RuntimeError('broken')", "import nothing_of_that_name", "raise SystemExit(0)"],
    ids=["raises", "import", "exits"],
)
def test_plugin_that_cannot_be_loaded_is_an_error_that_names_it(tmp_path, body):
    path = tmp_path / "broken.py"
    path.write_text(body)

    with pytest.raises(PluginError, match=r"'broken' of .* can't be loaded"):
        load_plugins([path])


def test_plugin_that_registers_nonsense_is_refused(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(
        "from scanrun.api import hookimpl\n"
        "@hookimpl\n"
        "def scanrun_register_scanners():\n"
        "    return [object()]\n"
    )

    with pytest.raises(PluginError, match="among the scanners, which is none"):
        load_plugins([path])


@pytest.mark.parametrize(
    ("member", "missing"),
    [
        ("expects = None", "HasInputs"),
        ("accounted = None", "HasInputs"),
        ("embedded = True", "HasPlace"),
    ],
)
def test_half_an_ability_is_refused_and_not_taken_for_none(tmp_path, member, missing):
    path = local_plugin(tmp_path, "half.py", "half")
    path.write_text(path.read_text().replace("    def steps", f"    {member}\n\n    def steps"))

    with pytest.raises(PluginError, match=r"half\.py registered .* but without") as caught:
        load_plugins([path])

    assert missing in caught.value.hint


def test_hook_that_does_not_exist_is_refused(tmp_path):
    path = tmp_path / "misspelt.py"
    path.write_text(
        "from scanrun.api import hookimpl\n@hookimpl\ndef scanrun_register_scaners():\n    pass\n"
    )

    with pytest.raises(PluginError, match="scanrun_register_scaners"):
        load_plugins([path])


def test_raising_observer_costs_only_itself(tmp_path):
    raising, seeing = tmp_path / "raising.py", tmp_path / "seeing.py"
    head = "from scanrun.api import hookimpl\nseen = []\n@hookimpl\n"
    raising.write_text(head + "def scanrun_run_finished(verdict):\n    raise RuntimeError('no')\n")
    seeing.write_text(head + "def scanrun_run_finished(verdict):\n    seen.append(verdict)\n")
    found = load_plugins([raising, seeing])

    complaints = found.observe("scanrun_run_finished", verdict="the verdict")

    assert len(complaints) == 1
    assert "'raising' failed in scanrun_run_finished" in complaints[0]
    assert sys.modules["scanrun_local_seeing"].seen == ["the verdict"]
