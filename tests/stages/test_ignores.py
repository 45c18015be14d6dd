"""Comments in the source that ask for findings to be left out."""

import datetime as dt

import pytest

from scanrun.model import Ignore, Reach, Snapshot, SnapshotFile
from scanrun.stages.ignores import IgnoreComments

TODAY = dt.date(2026, 6, 1)
LINE = Ignore(r"# quiet(?::(?P<rules>[\w*,]+))?(?:@(?P<until>\S+))?(?P<reason>.*)")
BLOCK = Ignore(r"# hush:(?P<rules>[\w*,-]+)(?P<reason>.*)", Reach.BLOCK)
FILE = Ignore(r"^# file-quiet: (?P<rules>\w+)", Reach.FILE)


@pytest.fixture
def suppressions(tmp_path):
    """Return a function: source, line and rule of a result -> its suppressions."""

    def ask(source, line=1, rule_id="R1", *, end=None, around=None, name=None, aliases=()):
        (tmp_path / "a.py").write_bytes(source if isinstance(source, bytes) else source.encode())
        snapshot = Snapshot(root=tmp_path, files=(SnapshotFile("a.py", 1),))

        class Scanner:
            ignores = (LINE, BLOCK, FILE)

        place = {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": line}}
        if end:
            place["region"]["endLine"] = end
        if around:
            place["contextRegion"] = dict(zip(("startLine", "endLine"), around, strict=True))
        result = {
            "ruleId": rule_id,
            "locations": [{"physicalLocation": place}],
            "properties": {"aliases": list(aliases)},
        }
        done = IgnoreComments(Scanner(), snapshot, TODAY).mark(result, {"name": name})
        return done.get("suppressions")

    return ask


def test_a_comment_becomes_a_suppression_in_the_source_with_its_reason(suppressions):
    assert suppressions("x = 1  # quiet:R1 - reviewed by the team") == [
        {"kind": "inSource", "justification": "reviewed by the team"}
    ]


def test_a_comment_without_a_reason_says_where_it_stands(suppressions):
    (found,) = suppressions("a\nb # quiet\n", line=2)

    assert found["justification"] == "ignore comment on line 2"


@pytest.mark.parametrize(
    ("comment", "marked"),
    [
        ("# quiet", True),
        ("# quiet:R1", True),
        ("# quiet:r1", True),
        ("# quiet:R2", False),
        ("# quiet:R2,R1", True),
        ("# quiet:R*", True),
        ("# quiet:*", True),
        ("# quiet:CVE20201", True),
        ("# quiet:bad_call", True),
        ("# quiet:none", False),
        ("# quiet:,", False),
        ("# loud", False),
        ("# quiet@2026-06-02", True),
        ("# quiet@2026-06-01", False),
        ("# quiet@tomorrow", False),
    ],
)
def test_only_a_comment_that_names_the_rule_and_still_counts_is_one(suppressions, comment, marked):
    found = suppressions(f"x {comment}", name="BadCall", aliases=["CVE-2020-1"])

    assert (found is not None) is marked


@pytest.mark.parametrize(
    ("line", "end", "around", "marked"),
    [(1, None, None, False), (2, 3, None, True), (3, None, None, True), (2, None, (1, 3), True)],
)
def test_a_comment_is_about_the_lines_of_its_statement(suppressions, line, end, around, marked):
    found = suppressions("call(\n x,\n)  # quiet\nother()\n", line, end=end, around=around)

    assert (found is not None) is marked


TREE = """\
# hush:R1 the lot
# hush:R3
thing "a" {
  one = 1

  two = 2
}
thing "b" { # hush:R2
  # hush:R4
  one = 1
  two = 2
}
"""


@pytest.mark.parametrize(
    ("line", "rule_id", "marked"),
    [
        (3, "R1", True),
        (3, "R3", True),
        (6, "R1", True),
        (8, "R1", False),
        (8, "R2", True),
        (11, "R2", True),
        (3, "R2", False),
        (10, "R4", True),
        (11, "R4", False),
        (8, "R4", False),
    ],
)
def test_a_comment_at_its_head_is_about_the_block(suppressions, line, rule_id, marked):
    assert (suppressions(TREE, line, rule_id, end=12) is not None) is marked


def test_a_comment_for_the_file_is_about_all_of_it(suppressions):
    source = "# file-quiet: R1\n" + "x\n" * 50

    assert suppressions(source, 40)
    assert not suppressions(source, 40, "R2")


def test_a_suppression_that_the_converter_gave_is_kept(tmp_path):
    given = {"ruleId": "R", "suppressions": [{"kind": "external"}]}

    class Scanner:
        ignores = (LINE,)

    assert IgnoreComments(Scanner(), Snapshot(root=tmp_path), TODAY).mark(given, None) == given


@pytest.mark.parametrize(
    "source",
    [b"", b"\xff\xfe# \x00q", b"x" * 9000 + b"# quiet", b"\n" * 3],
    ids=["empty", "utf-16", "long-line", "blank"],
)
def test_what_can_not_be_read_marks_nothing(suppressions, source):
    assert suppressions(source, 1) is None


def test_a_link_is_not_followed(suppressions, tmp_path):
    (tmp_path / "secret").write_text("x # quiet")
    (tmp_path / "a.py").symlink_to(tmp_path / "secret")
    snapshot = Snapshot(root=tmp_path, files=(SnapshotFile("a.py", 1),))

    class Scanner:
        ignores = (LINE,)

    place = {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 1}}
    result = {"ruleId": "R1", "locations": [{"physicalLocation": place}]}
    assert IgnoreComments(Scanner(), snapshot, TODAY).mark(result, None) == result
