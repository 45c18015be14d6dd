import json
from pathlib import Path

import pytest

from scanrun.api import CANARY_DIR, ConversionError, Notification, Outputs, Result, Severity
from scanrun.model import Snapshot, SnapshotFile, Target
from scanrun.stages.evidence import weigh
from scanrun_plugins.scanners.trivy.command import REPORT, TreeOptions
from scanrun_plugins.scanners.trivy.tree import SECRETS, Trivy

DATA = Path(__file__).parents[1] / "data" / "trivy"
BOTH = {REPORT: DATA / "tree.json", SECRETS: DATA / "tree-secrets.json"}
RULE = "trivy-canary"


def snapshot(*names, root=Path()):
    return Snapshot(root=root, files=tuple(SnapshotFile(name, 1) for name in names))


def target(*names, root=Path(), **options):
    return Target(snapshot=snapshot(*names, root=root), options=TreeOptions(**options).model_dump())


def step(name, **options):
    (found,) = (each for each in Trivy().steps(target(**options)) if each.name == name)
    return found


def after(argv, option):
    return argv[argv.index(option) + 1]


def converted(paths, **options):
    given = Outputs(paths, options=TreeOptions(**options).model_dump())
    return list(Trivy().convert(given))


def notes(items):
    """Return what is more than a note."""
    found = (item for item in items if isinstance(item, Notification))
    return [(item.level, item.text) for item in found if item.level != "note"]


def canary_found(items):
    return any(isinstance(item, Result) and item.rule_id == RULE for item in items)


def without(paths, tmp_path, kind):
    """Return reports in which the lists of `kind` are empty."""
    changed = {}
    for name, path in paths.items():
        report = json.loads(path.read_text())
        for section in report["Results"]:
            section.pop(kind, None)
        changed[name] = tmp_path / path.name
        changed[name].write_text(json.dumps(report))
    return changed


def test_findings_of_all_four_kinds_have_their_place_and_severity(check_scanner):
    findings = check_scanner(Trivy(), BOTH)

    assert [(f.rule_id, f.path, f.line, f.severity.value, f.category) for f in findings] == [
        ("CVE-2023-45857", "package-lock.json", 15, "medium", "sca"),
        ("CVE-2021-44906", "package-lock.json", 18, "critical", "sca"),
        ("CVE-2018-18074", "requirements.txt", 1, "high", "sca"),
        ("DS-0001", "dev/Dockerfile", 1, "medium", "iac"),
        ("DS-0002", "dev/Dockerfile", 1, "high", "iac"),
        ("DS-0026", "dev/Dockerfile", 1, "low", "iac"),
        ("DS-0031", "dev/Dockerfile", 2, "critical", "iac"),
        ("license-GPL-3.0-only", "composer.lock", 1, "high", "sca"),
        ("github-pat", "deploy.sh", 2, "critical", "secret"),
        (RULE, f"{CANARY_DIR}/trivy/package-lock.json", 1, "info", "sca"),
    ]


def test_a_vulnerability_tells_package_version_fix_and_score(check_scanner):
    found = next(f for f in check_scanner(Trivy(), BOTH) if f.rule_id == "CVE-2021-44906")

    assert found.message == "minimist 1.2.5: prototype pollution. Fixed in 1.2.6."
    assert found.component == "pkg:npm/minimist@1.2.5"
    assert found.fix == "update minimist to 1.2.6"
    assert found.score == 9.8


def test_the_identity_of_a_vulnerability_outlives_an_update():
    found = next(
        item
        for item in converted(BOTH)
        if isinstance(item, Result) and item.rule_id == "CVE-2021-44906"
    )

    assert found.partial_fingerprints == {
        "packageIdentity/v1": "pkg:npm/minimist package-lock.json"
    }


def test_text_beside_a_secret_is_nowhere_in_what_is_converted():
    assert "Hunter2Neighbour" in BOTH[SECRETS].read_text()

    assert "Hunter2Neighbour" not in repr(converted(BOTH))


def test_the_canaries_leave_neither_rules_nor_results_of_their_own():
    items = converted(BOTH)

    rules = [item.id for item in items if not isinstance(item, Result | Notification)]
    assert "scanrun-canary" not in rules
    assert len(rules) == len(set(rules))


def test_the_canary_is_found_when_every_kind_has_found_its_own():
    items = converted(BOTH)

    assert canary_found(items)
    assert notes(items) == []


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("Vulnerabilities", "its database"),
        ("Misconfigurations", "its checks"),
        ("Secrets", "its secret scanner"),
    ],
)
def test_a_canary_that_is_not_found_is_an_error_that_says_what_is_wrong(tmp_path, kind, what):
    items = converted(without(BOTH, tmp_path, kind))

    assert not canary_found(items)
    assert {level for level, _ in notes(items)} == {"error"}
    assert all(text.startswith(what) for _, text in notes(items))


def test_only_the_canaries_of_what_is_switched_on_are_owed(tmp_path):
    reports = without({REPORT: BOTH[REPORT]}, tmp_path, "Vulnerabilities")

    assert canary_found(converted(reports, scanners=("misconfig", "license")))
    assert not canary_found(converted(reports, scanners=("misconfig", "vuln")))


def test_a_lost_secrets_report_is_no_clean_secrets_report():
    assert not canary_found(converted({REPORT: BOTH[REPORT]}))


def test_without_any_report_there_is_no_answer():
    with pytest.raises(KeyError):
        converted({})


def test_a_scan_reads_only_what_it_is_given():
    scan = step("scan")

    assert scan.workdir == "/"
    assert scan.source == "/src/tree"
    assert scan.argv[0] == "filesystem"
    assert scan.argv[-1] == "/src"
    for option in ("--config", "--ignorefile", "--secret-config"):
        assert after(scan.argv, option) in scan.files
    assert not scan.network
    assert scan.ok_exit_codes == {0}
    assert scan.env["GOMEMLIMIT"] == "1536MiB"


def test_nothing_is_fetched_while_scanning():
    assert {
        "--skip-db-update",
        "--skip-java-db-update",
        "--skip-check-update",
        "--skip-vex-repo-update",
        "--skip-version-check",
        "--disable-telemetry",
        "--offline-scan",
    } <= {*step("scan").argv} & {*step("secrets").argv}


def test_secrets_are_a_step_of_their_own_because_debug_would_write_a_page_for_each_file():
    assert "--debug" in step("scan").argv
    assert "--debug" not in step("secrets").argv
    assert after(step("scan").argv, "--scanners") == "vuln,misconfig,license"
    assert after(step("secrets").argv, "--scanners") == "secret"


@pytest.mark.parametrize(
    ("scanners", "steps", "caches"),
    [
        (("secret",), ["secrets"], {}),
        (("vuln",), ["scan"], {"/cache/db": "trivy-db-2"}),
        (("misconfig", "license"), ["scan"], {}),
    ],
)
def test_only_what_is_wanted_is_run_and_had(scanners, steps, caches):
    trivy, wanted = Trivy(), target(scanners=scanners)

    assert [each.name for each in trivy.steps(wanted)] == steps
    assert trivy.steps(wanted)[0].caches == caches
    assert [each.name for each in trivy.databases(wanted)] == [*caches.values()]


def test_options_become_arguments():
    assert "--include-dev-deps" in step("scan", include_dev_deps=True).argv
    assert "--include-dev-deps" not in step("scan").argv
    (database,) = Trivy().databases(target(db_repository="mirror.example/db:2"))
    assert after(database.update.argv, "--db-repository") == "mirror.example/db:2"
    assert database.update.network


@pytest.mark.parametrize("name", ["--exit-code=0", "a b"])
def test_a_repository_is_no_place_to_hide_an_option(name):
    with pytest.raises(ValueError, match="db_repository"):
        TreeOptions(db_repository=name)


def test_dependency_and_build_files_are_expected_where_trivy_reads_them():
    names = (
        "package-lock.json",
        "node_modules/a/package-lock.json",
        "dev/requirements.txt",
        "requirements-dev.txt",
        "vendor/a/composer.lock",
        "a/src/it/x/pom.xml",
        "pom.xml",
        "web/Dockerfile",
        "Dockerfile-old",
        "infra/main.tf",
        ".terraform/modules/x/main.tf",
        "deployment.yaml",
    )

    expected = {each.path: each.kind for each in Trivy().expects(target(*names))}

    assert expected == {
        "package-lock.json": "lock file",
        "dev/requirements.txt": "lock file",
        "pom.xml": "lock file",
        "web/Dockerfile": "Dockerfile",
        "infra/main.tf": "Terraform file",
    }


def test_only_what_is_looked_for_is_expected():
    names = ("package-lock.json", "Dockerfile")

    assert Trivy().expects(target(*names, scanners=("secret",))) == ()
    (lock,) = Trivy().expects(target(*names, scanners=("license",)))
    assert lock.path == "package-lock.json"


def test_files_in_the_report_are_accounted_for_and_others_are_not(tmp_path):
    names = ("package-lock.json", "requirements.txt", "yarn.lock", "dev/Dockerfile", "Dockerfile")
    (tmp_path / "yarn.lock").write_text("garbage\n")
    wanted = target(*names, root=tmp_path)

    given = Outputs(BOTH, snapshot=wanted.snapshot, options=wanted.options)
    evidence = weigh(Trivy(), wanted, given, canary_found=frozenset({RULE}))

    assert evidence.missing == ("yarn.lock", "Dockerfile")
    assert evidence.problems == ("not analysed: 'yarn.lock', 'Dockerfile'",)
    assert evidence.kinds == {"Dockerfile": 1, "lock file": 2}


ADDED = '2026-01-01T00:00:00Z\tDEBUG\t[terraform parser] Added file\tmodule="root" file_path="{}"\n'


def test_a_clean_terraform_file_is_accounted_for_by_the_log(tmp_path):
    log = tmp_path / "log"
    log.write_text(ADDED.format("tree/infra/a.tf") + ADDED.format("elsewhere/b.tf"))

    read = Trivy().accounted(Outputs(BOTH, log=log))

    assert "infra/a.tf" in read
    assert not {path for path in read if path.endswith("b.tf")}


@pytest.mark.parametrize(
    ("line", "incomplete"),
    [
        ('DEBUG\tWalk error\tfile_path="a/yarn.lock" err="parse error"', True),
        ('DEBUG\t[analyzer] Analysis error\terr="unable to parse Pipfile.lock"', True),
        ('ERROR\t[terraform parser] Error parsing file\tfile_path="a.tf"', True),
        ('ERROR\t[dockerfile scanner] Failed to parse file\tfile_path="Dockerfile"', True),
        ('WARN\t[helm scanner] Skipping chart\terr="parse chart"', True),
        ('ERROR\t[terraform evaluator] Failed to load module.\tmodule="x"', False),
        ('WARN\tVersion matching error\terr="npm version error (v8.4.0)"', False),
    ],
)
def test_signs_in_the_log_are_told(tmp_path, line, incomplete):
    log = tmp_path / "log"
    log.write_text(f"2026-01-01T00:00:00Z\t{line}\n")

    evidence = weigh(Trivy(), target(), Outputs(BOTH, log=log), canary_found=frozenset({RULE}))

    assert len(evidence.signs) == 1
    assert bool(evidence.problems) is incomplete


def test_what_every_offline_run_logs_is_no_sign(tmp_path):
    log = tmp_path / "log"
    log.write_text("2026-01-01T00:00:00Z\tERROR\t[misconfig] Falling back to embedded checks\t\n")

    evidence = weigh(Trivy(), target(), Outputs(BOTH, log=log), canary_found=frozenset({RULE}))

    assert evidence.signs == ()


def test_what_is_not_read_is_told(tmp_path):
    (tmp_path / "requirements.txt").write_text("requests>=2\n")
    names = ("npm-shrinkwrap.json", "requirements-dev.txt", "bun.lockb", "a/package.json",
             "b/package.json", "b/yarn.lock", "requirements.txt")  # fmt: skip
    given = Outputs(BOTH, snapshot=snapshot(*names, root=tmp_path))

    items = [item for item in Trivy().convert(given) if isinstance(item, Notification)]

    assert sorted(item.path for item in items if item.level == "warning") == [
        "a/package.json", "bun.lockb", "npm-shrinkwrap.json", "requirements-dev.txt",
        "requirements.txt",
    ]  # fmt: skip


def test_the_version_is_the_reports():
    assert Trivy().version(Outputs(BOTH)) == "0.76.0"


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "report.json"
    path.write_text('{"SchemaVersion": 3, "ArtifactName": "x", "Results": []}')

    with pytest.raises(ConversionError, match="schema 3"):
        converted({REPORT: path})


def test_unknown_severity_stays_unknown(tmp_path):
    report = json.loads(BOTH[REPORT].read_text())
    for section in report["Results"]:
        for item in section.get("Vulnerabilities", ()):
            item["Severity"] = "UNKNOWN"
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))

    results = [item for item in converted({REPORT: path}) if isinstance(item, Result)]

    found = {item.rule_id: item.properties["severity"] for item in results}
    assert found["CVE-2021-44906"] == Severity.UNKNOWN.value
    assert found["DS-0026"] == Severity.LOW.value
