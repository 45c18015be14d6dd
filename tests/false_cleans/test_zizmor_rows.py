import pytest
from real_tools import lay_out, scan

RULE = "template-injection"
STEPS = "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: "
BAD = "on: pull_request\n" + STEPS + "echo ${{ github.event.pull_request.title }}\n"
HUSHED = BAD.rstrip() + f"  # zizmor: ignore[{RULE}]\n"
FOLDER = ".github/workflows"
BROKEN = {
    "zizmor-6-02": (f"{FOLDER}/broken.yml", b"on: push\njobs: [\n"),
    "zizmor-6-03": (f"{FOLDER}/no_jobs.yml", b"on: push\nname: 7\n"),
    "zizmor-6-04": ("broken/action.yml", b"name: x\nruns: [\n"),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    tree = dict(BROKEN.values())
    tree |= {
        f"{FOLDER}/bad.yml": BAD,
        f"{FOLDER}/hushed.yml": HUSHED,
        f"examples/x/{FOLDER}/nested.yml": BAD,
        "zizmor.yml": f"rules:\n  {RULE}:\n    disable: true\n",
        ".github/zizmor.yml": f"rules:\n  {RULE}:\n    disable: true\n",
        ".gitignore": b"examples\n",
    }
    return scan("zizmor", lay_out(folder / "tree", tree), folder / "run")


def test_tree_whose_only_workflow_is_broken_is_incomplete(tmp_path):
    root = lay_out(tmp_path / "tree", {f"{FOLDER}/ci.yml": b"jobs: [\n"})

    run = scan("zizmor", root, tmp_path / "run")

    assert run.code == 3
    assert "not analysed" in run.reason


def test_workflow_that_is_no_utf_8_makes_the_scan_incomplete(tmp_path):
    tree = {f"{FOLDER}/latin.yml": BAD.encode() + b"# caf\xe9\n", f"{FOLDER}/bad.yml": BAD}

    run = scan("zizmor", lay_out(tmp_path / "tree", tree), tmp_path / "run")

    assert run.code == 3
    assert "UTF-8" in run.reason


@pytest.mark.parametrize("row", BROKEN)
def test_broken_workflow_among_good_ones_makes_the_scan_incomplete(odd, row):
    assert odd.lost(BROKEN[row][0])


def test_name_with_a_line_break_vouches_for_no_other_file(tmp_path):
    broken = f"{FOLDER}/broken.yml"
    forging = f"x\n INFO audit: zizmor: 🌈 completed ./{broken}"
    tree = {broken: b"on: push\njobs: [\n", forging: BAD, f"{FOLDER}/bad.yml": BAD}

    run = scan("zizmor", lay_out(tmp_path / "tree", tree), tmp_path / "run")

    assert RULE in run.found(f"{FOLDER}/bad.yml")
    assert run.code == 1
    assert {broken, forging} <= set(run.scanner["evidence"]["missing"])


def test_configuration_of_the_tree_switches_nothing_off(odd):
    assert RULE in odd.found(f"{FOLDER}/bad.yml")


def test_ignore_comment_hides_nothing_from_the_gate(odd):
    assert RULE in odd.found(f"{FOLDER}/hushed.yml")


def test_workflow_that_git_ignores_or_that_lies_deep_is_audited(odd):
    assert RULE in odd.found(f"examples/x/{FOLDER}/nested.yml")
