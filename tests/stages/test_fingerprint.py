import os

import pytest

from scanrun.model import Category, Severity, Snapshot, SnapshotFile
from scanrun.sarif import build
from scanrun.sarif.codec import to_json
from scanrun.sarif.view import FINGERPRINT
from scanrun.stages.fingerprint import Fingerprinter

RULE = to_json(build.rule("R1", short="r", severity=Severity.HIGH, category=Category.SAST))
SECRET = to_json(build.rule("R1", short="r", severity=Severity.HIGH, category=Category.SECRET))
PASSWORD = to_json(
    build.rule("R1", short="r", severity=Severity.HIGH, category=Category.SAST, cwe=["CWE-259"])
)


@pytest.fixture
def prints(tmp_path):
    """Return the fingerprints of results at lines of a file with this text."""

    def of(text, *lines, rule=RULE, scanner="s", path="a.py", rule_id="R1", **more):
        (tmp_path / "a.py").write_text(text)
        files = (SnapshotFile("a.py", len(text)),)
        fingerprinter = Fingerprinter(Snapshot(root=tmp_path, files=files))
        made = (
            to_json(
                build.result(rule_id, "m", path=path, severity=Severity.HIGH, line=line, **more)
            )
            for line in lines
        )
        done = [fingerprinter.add(each, scanner, rule) for each in made]
        return [each["partialFingerprints"][FINGERPRINT] for each in done]

    return of


def test_a_fingerprint_is_hex_and_stays_the_same_between_versions(prints):
    assert prints("eval(x)\n", 1) == ["fca3b612f18754cd1078488398ee43e7"]


def test_moved_and_reformatted_code_is_the_same_finding(prints):
    before = prints("a = 1\neval(x)\n", 2)
    after = prints("import os\n\n\nif y:\n    eval( x )\n", 5)

    assert before == after


def test_another_line_is_another_finding(prints):
    assert prints("eval(x)\n", 1) != prints("eval(y)\n", 1)


def test_equal_lines_are_told_apart_by_their_order(prints):
    first, second = prints("eval(x)\neval(x)\n", 1, 2)
    again = prints("\neval(x)\n\neval(x)\n", 2, 4)

    assert first != second
    assert again == [first, second]


@pytest.mark.parametrize("other", [{"scanner": "t"}, {"path": "b.py"}, {"rule_id": "R2"}])
def test_scanner_place_and_rule_tell_findings_apart(prints, other):
    assert prints("x\n", 1) != prints("x\n", 1, **other)


@pytest.mark.parametrize("rule", [SECRET, PASSWORD, None], ids=["secret", "password", "no rule"])
def test_a_secret_does_not_go_into_a_hash_that_could_be_guessed(prints, rule):
    assert prints("token = 1\n", 1, rule=rule) == prints("token = 2\n", 1, rule=rule)


def test_the_converters_identity_goes_before_the_line(prints):
    one = prints("x\n", 1, identity={"package/v1": "pkg:a"})
    moved = prints("y\n", 1, identity={"package/v1": "pkg:a"})
    other = prints("x\n", 1, identity={"package/v1": "pkg:b"})

    assert one == moved
    assert one != other


def test_a_hash_of_lines_is_no_identity(prints):
    first = prints("x\n", 1, identity={"primaryLocationLineHash": "aa:1"})
    second = prints("x\n", 1, identity={"primaryLocationLineHash": "bb:1"})

    assert first == second


def test_a_fingerprint_does_not_depend_on_an_older_one(prints):
    assert prints("x\n", 1, identity={FINGERPRINT: "old"}) == prints("x\n", 1)


def test_other_fingerprints_are_kept(tmp_path):
    result = to_json(
        build.result("R", "m", path="a", severity=Severity.LOW, identity={"package/v1": "p"})
    )

    done = Fingerprinter(Snapshot(root=tmp_path)).add(result, "s", RULE)

    assert sorted(done["partialFingerprints"]) == ["package/v1", "scanrun/v1"]
    assert FINGERPRINT not in result["partialFingerprints"]


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "outside", "gone"])
def test_only_files_of_the_snapshot_are_ever_read(tmp_path, kind, prints):
    root = tmp_path / "tree"
    root.mkdir()
    (tmp_path / "outside.py").write_text("told\n")
    path = "../outside.py" if kind == "outside" else "b.py"
    make = {
        "link": lambda: (root / path).symlink_to(tmp_path / "outside.py"),
        "fifo": lambda: os.mkfifo(root / path),
        "folder": (root / path).mkdir,
    }
    make.get(kind, lambda: None)()
    files = () if kind == "outside" else (SnapshotFile(path, 1),)
    result = to_json(build.result("R1", "m", path=path, severity=Severity.HIGH, line=1))

    found = Fingerprinter(Snapshot(root=root, files=files)).add(result, "s", RULE)

    assert [found["partialFingerprints"][FINGERPRINT]] == prints("\n", 1, path=path)


@pytest.mark.parametrize("line", [1, 99])
def test_a_line_that_is_not_there_costs_nothing_but_precision(prints, line):
    assert len(prints("", line)[0]) == 32
