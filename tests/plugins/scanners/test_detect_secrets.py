import json
import os
from pathlib import Path

import pytest
from local_scan import scan_locally

from scanrun.errors import ConversionError
from scanrun.model import Notification, Snapshot, SnapshotFile, Target
from scanrun.sarif.build import Result
from scanrun.sarif.codec import to_json
from scanrun.testing import outputs
from scanrun_plugins.scanners.detect_secrets import ALL, IMAGE, REPORT, DetectSecrets

DATA = Path(__file__).parents[1] / "data" / "detect-secrets"
BOTH = {REPORT: DATA / "scan.json", ALL: DATA / "all.json"}
KEY = b"AKIA" + b"TESTKEY7" + b"Q2X4H9WZ"


def test_secrets_are_high_and_what_a_comment_allows_is_suppressed(check_scanner):
    findings = check_scanner(DetectSecrets(), BOTH)

    assert [(f.rule_id, f.path, f.line, f.severity.value, f.suppressed) for f in findings] == [
        ("private-key", "id.pem", 1, "high", False),
        ("aws-access-key", "keys.py", 1, "high", False),
        ("aws-access-key", "keys.py", 2, "high", True),
        ("base64-high-entropy-string", "package-lock.json", 2, "info", False),
        ("secret-keyword", "sub/conf.py", 8, "high", False),
    ]


def test_hash_of_the_secret_is_not_passed_on():
    items = list(DetectSecrets().convert(outputs(REPORT, DATA / "scan.json")))

    assert '"hashed_secret": "1010' in (DATA / "scan.json").read_text()
    assert not any("1010101010" in repr(item) for item in items)


def test_identity_is_kind_and_order_and_stays_when_lines_move():
    moved = (DATA / "scan.json").read_bytes().replace(b'"line_number": 1', b'"line_number": 41')

    before, after = (
        [
            to_json(item)["partialFingerprints"]
            for item in DetectSecrets().convert(outputs(REPORT, data))
            if isinstance(item, Result)
        ]
        for data in (DATA / "scan.json", moved)
    )

    assert before == after
    assert before[0] == {"secretOrdinal/v1": "private-key:1"}


def test_secret_that_a_comment_allows_in_one_place_only_is_not_allowed(check_scanner):
    """One secret on two lines is one entry, of its first line: in `all` the allowed one."""
    report = json.loads((DATA / "scan.json").read_text())
    report["results"]["keys.py"][0]["line_number"] = 9
    reports = {REPORT: json.dumps(report).encode(), ALL: DATA / "all.json"}

    findings = check_scanner(DetectSecrets(), reports)

    places = [(f.line, f.suppressed) for f in findings if f.path == "keys.py"]
    assert places == [(2, True), (9, False)]


def test_image_of_ours_holds_the_version_that_its_tag_says():
    folder = Path(__file__).parents[3] / "images" / "detect-secrets"
    version = IMAGE.rpartition(":")[2]

    assert f"detect-secrets=={version}" in (folder / "requirements.txt").read_text().splitlines()
    assert f"docker build -t {IMAGE} " in (folder / "Dockerfile").read_text()


def test_report_without_detectors_is_refused():
    data = b'{"version": "1.5.0", "plugins_used": [], "results": {}}'

    with pytest.raises(ConversionError, match="no detector"):
        list(DetectSecrets().convert(outputs(REPORT, data)))


def test_files_that_were_not_searched_are_told(tmp_path):
    contents = {
        "latin.txt": b"caf\xe9",
        "pic.png": b"\x89PNG\0\xff",
        "yarn.lock": b"x",
        "ok.py": b"x = 1\n",
        "gone.txt": None,
    }
    for name, content in contents.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    files = tuple(SnapshotFile(name, 1) for name in (*contents, "pipe"))
    given = outputs(REPORT, DATA / "scan.json", snapshot=Snapshot(root=tmp_path, files=files))

    notes = [n for n in DetectSecrets().convert(given) if isinstance(n, Notification)]

    assert [(n.level, n.text) for n in notes] == [
        ("note", "not searched: 1 binary files"),
        ("note", "not searched, for their suffix: 1 file (yarn.lock)"),
        ("warning", "not searched, for they are no UTF-8: 3 files (latin.txt, gone.txt, pipe)"),
    ]


def test_found_tokens_are_never_sent_anywhere():
    steps = DetectSecrets().steps(Target(snapshot=Snapshot(root=Path())))

    assert [step.name for step in steps] == ["scan", "all"]
    assert all("--no-verify" in step.argv and not step.network for step in steps)


def test_real_detect_secrets_finds_canary_secrets_and_allowed_ones(tmp_path):
    tree = {
        "settings.py": b"key = '" + KEY + b"'\n",
        "swagger/allowed.py": b"key = '" + KEY + b"'  # pragma: allowlist secret\n",
        "package-lock.json": b'{"key": "' + KEY + b'"}\n',
        ".secrets.baseline": b"{}\n",
        "empty.py": b"",
    }

    scan = scan_locally(DetectSecrets(), tree, tmp_path)

    assert scan.canary == {"aws-access-key"}
    assert {path for rule, path in scan.mine if rule == "aws-access-key"} == {
        "settings.py",
        "swagger/allowed.py",
        "package-lock.json",
    }
    assert scan.codes == [0, 0]


def _guess_in(path):
    kind = "Base64 High Entropy String"
    secret = {"type": kind, "filename": path, "hashed_secret": "0" * 40, "line_number": 1}
    used = [{"name": "Base64HighEntropyString"}]
    report = {"version": "1.5.0", "plugins_used": used, "results": {path: [secret]}}
    given = outputs(REPORT, json.dumps(report).encode())
    (found,) = (each for each in DetectSecrets().convert(given) if isinstance(each, Result))
    return found.properties["severity"]


@pytest.mark.parametrize(
    "path",
    [
        "src/file-lock.py",
        "redis-lock.js",
        "door-lock.env",
        "src/my-package-lock.json",
        "package-lock.json/settings.py",
        "secrets.lock",
    ],
)
def test_source_with_lock_in_its_name_is_no_file_of_checksums(path):
    assert _guess_in(path) == "high"


@pytest.mark.parametrize(
    "path", ["package-lock.json", "web/pnpm-lock.yaml", "uv.lock", "Cargo.lock", "go.sum"]
)
def test_guess_in_a_lock_file_of_a_package_manager_is_info(path):
    assert _guess_in(path) == "info"
