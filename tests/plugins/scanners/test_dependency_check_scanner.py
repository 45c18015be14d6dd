"""What Dependency-Check is told to do, on made-up trees: the real one is in tests/false_cleans."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from dependency_check_reports import DATA, dependency, related, report, tree, vulnerability

from scanrun.api import ConversionError, Outputs, Proof, Role, Step, StepError, Target
from scanrun_plugins.scanners.dependency_check import canary, databases, failures
from scanrun_plugins.scanners.dependency_check.command import (
    JAVA_OPTIONS,
    PROPERTIES,
    REPORT,
    Options,
)
from scanrun_plugins.scanners.dependency_check.scanner import DependencyCheck

KEY = "made-up-" + "key-for-the-nvd"
PROXY = {"HTTPS_PROXY": "http://me:a%40b\\ü@proxy.example:3128"}
SCANNER = DependencyCheck()


def lock(**packages):
    named = {f"node_modules/{name}": {"version": version} for name, version in packages.items()}
    return json.dumps({"lockfileVersion": 3, "packages": {"": {}, **named}})


def target(snapshot, image="", **options):
    return Target(
        snapshot=snapshot, options=Options(**options).model_dump(), configured_image=image
    )


def scan_step(snapshot, **options):
    (step,) = SCANNER.steps(target(snapshot, **options))
    return step


def update_step(snapshot, **options):
    (database,) = SCANNER.databases(target(snapshot, **options))
    return database.update


def outputs(tmp_path, snapshot, made, exit_code=0, **options):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(made))
    return Outputs(
        {REPORT: path},
        exit_code=exit_code,
        snapshot=snapshot,
        options=Options(**options).model_dump(),
    )


def told(tmp_path, made, snapshot, exit_code=0, **options):
    items = SCANNER.convert(outputs(tmp_path, snapshot, made, exit_code, **options))
    return [each for each in items if hasattr(each, "proof")]


def dated(**days):
    """Return the dates of a report: so many days ago."""
    now = datetime.now(UTC)
    return [
        {
            "name": f"NVD API Last {name.capitalize()}",
            "timestamp": (now - timedelta(days=ago)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for name, ago in days.items()
    ]


def test_it_conforms_on_a_recorded_report(check_scanner):
    findings = check_scanner(SCANNER, DATA / "subset-12.2.2.json")

    assert {each.rule_id for each in findings} > {"CVE-2014-0050", "CVE-2021-44228"}


def test_scan_has_no_network_fetches_nothing_and_judges_nothing(tmp_path):
    step = scan_step(tree(tmp_path, {"a.jar": ""}))

    assert not step.network
    assert "--noupdate" in step.argv
    assert {"--disableCentral", "--disableOssIndex", "--disableNodeAudit"} <= set(step.argv)
    assert "--failOnCVSS" not in step.argv
    assert step.ok_exit_codes == {0, 14}


def test_scan_reads_the_database_where_it_lies(tmp_path):
    step = scan_step(tree(tmp_path, {"a.jar": ""}))

    assert step.links["/odc/data/odc.mv.db"] == "/cache/odc/odc.mv.db"
    assert step.caches == {"/cache/odc": "dependency-check-db-5.6"}
    assert step.limits.memory_mb > step.limits.scratch_mb


def test_scan_names_the_tree_its_canary_and_the_copies(tmp_path):
    argv = scan_step(tree(tmp_path, {"a.jar": "", "b/npm-shrinkwrap.json": lock()})).argv
    named = [argv[at + 1] for at, word in enumerate(argv) if word == "--scan"]
    passed = [argv[at + 1] for at, word in enumerate(argv) if word == "--exclude"]

    assert named == ["/src", "/src/.scanrun-canary/dependency-check", "/odc/locks"]
    assert passed == [".scanrun-canary/**", "**/package-lock.json", "b/npm-shrinkwrap.json"]


def test_a_report_of_no_bytes_is_unreadable(tmp_path):
    (tmp_path / "report.json").touch()
    found = Outputs({REPORT: tmp_path / "report.json"}, snapshot=tree(tmp_path, {}))

    with pytest.raises(ConversionError):
        [*SCANNER.convert(found)]


def test_what_is_switched_off_is_neither_fetched_nor_linked(tmp_path):
    off = {"retirejs_url": "off", "hosted_suppressions_url": "off", "kev_url": "off"}

    step = scan_step(tree(tmp_path, {"a.jar": ""}), **off)

    assert [*step.links] == ["/odc/data/odc.mv.db"]
    assert "--disableRetireJS" in step.argv
    assert "--disableKnownExploited" in update_step(tree(tmp_path, {}), **off).argv


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("", "dependency-check-db-5.6"),
        ("owasp/dependency-check:13.0.0", "dependency-check-db-5.6"),
        ("mirror.example:5000/owasp/dependency-check:9.2.0", "dependency-check-db-of-9"),
        ("owasp/dependency-check:12.2.2@sha256:" + "0" * 64, "dependency-check-db-5.6"),
    ],
)
def test_each_format_of_the_database_is_one_of_its_own(tmp_path, image, name):
    (database,) = SCANNER.databases(target(tree(tmp_path, {}), image))

    assert database.name == name


def test_an_image_without_a_version_has_a_database_of_its_own():
    names = {databases.name_for(image) for image in ("a/b:latest", "a/c:latest", "")}

    assert len(names) == 3


def test_the_key_is_in_a_sealed_file_and_nowhere_else(tmp_path):
    step = update_step(tree(tmp_path, {}))
    (path,) = step.sealed
    content = step.sealed[path]({"NVD_API_KEY": KEY})

    assert f"nvd.api.key={KEY}\n".encode() in content
    assert path in step.entrypoint[2]
    assert KEY not in repr(step)


def test_a_key_is_not_sent_to_a_mirror(tmp_path):
    step = update_step(tree(tmp_path, {}), nvd_datafeed="https://m.example/nvdcve-{0}.json.gz")
    (make,) = step.sealed.values()

    assert KEY.encode() not in make({"NVD_API_KEY": KEY})


def test_an_update_fetches_whenever_it_is_told_to(tmp_path):
    written = update_step(tree(tmp_path, {})).sealed[PROPERTIES]({}).decode()

    assert "nvd.api.check.validforhours=0\nkev.check.validforhours=0\n" in written
    assert "retirejs.forceupdate=true\nhosted.suppressions.forceupdate=true\n" in written


def test_the_secrets_that_are_needed_follow_the_options(tmp_path):
    snapshot = tree(tmp_path, {})
    usual = SCANNER.secrets(target(snapshot))
    central = SCANNER.secrets(
        target(snapshot, connection_string="jdbc:postgresql://db/odc", db_password="ODC_PASSWORD")
    )

    assert [(each.name, each.optional) for each in usual] == [("NVD_API_KEY", True)]
    assert [(each.name, each.optional) for each in central] == [("ODC_PASSWORD", False)]


def test_a_proxy_s_password_is_read_from_its_address(tmp_path):
    step = update_step(tree(tmp_path, {}), proxy="HTTPS_PROXY")

    written = step.sealed[PROPERTIES](PROXY).decode()

    assert "proxy.server=proxy.example\nproxy.port=3128\nproxy.username=me\n" in written
    assert r"proxy.password=a@b\\\u00fc" in written


def test_java_itself_is_told_of_the_proxy_by_a_sealed_file(tmp_path):
    step = update_step(tree(tmp_path, {}), proxy="HTTPS_PROXY")

    written = step.sealed[JAVA_OPTIONS](PROXY).decode()

    assert step.env["JDK_JAVA_OPTIONS"] == f"@{JAVA_OPTIONS}"
    assert '"-Dhttps.proxyHost=proxy.example"\n"-Dhttps.proxyPort=3128"\n' in written
    assert '"-Dhttps.proxyPassword=a@b\\\\ü"\n' in written


def test_a_proxy_that_is_no_address_is_not_repeated(tmp_path):
    step = update_step(tree(tmp_path, {}), proxy="HTTPS_PROXY")
    make = step.sealed[PROPERTIES]

    with pytest.raises(StepError) as caught:
        make({"HTTPS_PROXY": "http://me:secret@[:3128"})

    assert "secret" not in str(caught.value)


def test_a_central_database_is_reached_by_network_and_nothing_is_updated(tmp_path):
    settings = {"connection_string": "jdbc:postgresql://db/odc", "db_password": "ODC_PASSWORD"}
    step = scan_step(tree(tmp_path, {"a.jar": ""}), **settings)
    (make,) = step.sealed.values()

    assert step.network
    assert step.caches == {}
    assert SCANNER.databases(target(tree(tmp_path, {}), **settings)) == ()
    assert b"data.password=word\n" in make({"ODC_PASSWORD": "word"})


def test_a_central_database_that_is_old_is_incomplete(tmp_path):
    made = report(dependency(), dataSource=dated(checked=9, modified=10))
    snapshot = tree(tmp_path, {})

    notes = told(tmp_path, made, snapshot, connection_string="jdbc:x://db")

    assert [each.proof for each in notes if each.level == "error"] == [Proof.AGE]


def test_a_report_that_tells_no_age_is_incomplete(tmp_path):
    notes = told(tmp_path, report(dependency()), tree(tmp_path, {}))

    assert "how old its data is" in notes[0].text
    assert notes[0].level == "error"


def test_14_without_a_reason_is_an_error(tmp_path):
    made = report(dependency(), dataSource=dated(checked=0))

    notes = told(tmp_path, made, tree(tmp_path, {}), exit_code=14)

    assert [each.level for each in notes] == ["error"]


def test_data_from_files_of_this_host_needs_no_network(tmp_path):
    feed = tmp_path / "feed"
    feed.mkdir()
    for name in ("nvdcve-2024.json.gz", "cache.properties", "kev.json", "other"):
        (feed / name).write_text("x")
    settings = {
        "nvd_datafeed": str(feed),
        "kev_url": f"file://{feed}/kev.json",
        "retirejs_url": "off",
        "hosted_suppressions_url": "off",
    }

    step = update_step(tree(tmp_path, {}), **settings)

    assert not step.network
    assert step.host_files == {
        "/odc/feed/cache.properties": feed / "cache.properties",
        "/odc/feed/nvdcve-2024.json.gz": feed / "nvdcve-2024.json.gz",
        "/odc/feed/kev.json": feed / "kev.json",
    }
    assert "file:///odc/feed/nvdcve-{0}.json.gz" in step.argv


def test_a_mirror_on_this_host_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StepError, match="no-such"):
        update_step(tree(tmp_path, {}), nvd_datafeed=f"file://{tmp_path}/no-such")


@pytest.mark.parametrize("url", ["https://me:word@host/x.json", "ftp://host/x.json", "x.json"])
def test_an_address_with_a_password_or_of_another_kind_is_refused(url):
    with pytest.raises(ValueError, match="kev_url"):
        Options(kev_url=url)


def test_what_is_there_from_a_build_is_wanted_though_git_ignores_it(tmp_path):
    built = tree(tmp_path, {"target/a.jar": "", "app/build/libs/b.war": "", "cache/c.jar": ""})

    assert [file.path for file in built.match(*SCANNER.wanted)] == [
        "target/a.jar",
        "app/build/libs/b.war",
    ]


def test_a_build_beside_its_pom_speaks_for_it(tmp_path):
    snapshot = tree(tmp_path, {"a/pom.xml": "", "a/target/a.jar": "", "b/pom.xml": ""})
    made = report(dependency("/src/a/target/a.jar"), dataSource=dated(checked=0))

    notes = told(tmp_path, made, snapshot)

    assert [each.text for each in notes] == [
        "not looked at (java): 'b/pom.xml': it reads built archives, so build before the scan"
    ]


def test_what_the_user_asked_for_is_an_error(tmp_path):
    made = report(dependency(), dataSource=dated(checked=0))

    notes = told(tmp_path, made, tree(tmp_path, {"pom.xml": ""}), ecosystems=("java",))

    assert [(each.level, each.proof) for each in notes] == [("error", Proof.INPUTS)]


@pytest.mark.parametrize(
    ("files", "options", "applies"),
    [
        ({"a.jar": ""}, {}, True),
        ({"package-lock.json": lock()}, {}, True),
        ({"node_modules/a/package-lock.json": lock()}, {}, False),
        ({"requirements.txt": ""}, {}, False),
        ({"requirements.txt": ""}, {"experimental": True}, True),
        ({"pom.xml": ""}, {"ecosystems": ("java",)}, True),
        ({"main.py": ""}, {}, False),
    ],
)
def test_it_applies_to_what_it_reads_or_is_asked_for(tmp_path, files, options, applies):
    assert SCANNER.applies(target(tree(tmp_path, files), **options)).yes is applies


def test_a_lock_file_with_a_package_that_is_not_in_the_report_is_missing(tmp_path):
    snapshot = tree(
        tmp_path, {"package-lock.json": lock(a="1.0.0", b="2.0.0"), "c/package-lock.json": lock()}
    )
    place = "/odc/locks/scanrun-copy-{}/npm-shrinkwrap.json"
    first, second = place.format(0), place.format(1)
    half = [dependency(f"{first}?/a:1.0.0", fileName="a:1.0.0"), dependency(second)]
    rest = related(f"{first}?a:1/b:2", fileName="b:2.0.0")

    missing = SCANNER.accounted(outputs(tmp_path, snapshot, report(*half)))
    half[0]["relatedDependencies"] = [rest]
    whole = SCANNER.accounted(outputs(tmp_path, snapshot, report(*half)))

    files = [file.path for file in snapshot.files]
    assert missing.intersection(files) == whole.intersection(files) - {files[0]}
    assert whole.issuperset(files)


def jar(*names):
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return written.getvalue()


def accounted(tmp_path, name, content):
    snapshot = tree(tmp_path, {name: ""})
    (tmp_path / name).write_bytes(content)
    assert [each.path for each in SCANNER.expects(target(snapshot))] == [name]
    return name in SCANNER.accounted(outputs(tmp_path, snapshot, report(dependency("/src/b.jar"))))


@pytest.mark.parametrize("end", ["-sources.jar", "-javadoc.jar", "-src.jar", "-doc.jar"])
def test_a_jar_of_sources_has_nothing_to_be_in_the_report(tmp_path, end):
    assert accounted(tmp_path, f"lib/a{end}", jar("META-INF/MANIFEST.MF", "a/A.java"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a-sources.jar", jar("a/A.java", "a/A.CLASS")),
        ("a-sources.jar", jar("lib/log4j-core.jar")),
        ("a.jar", jar("a/A.java")),
        ("a-sources.jar", b""),
        ("a-sources.jar", b"PK no archive"),
        ("a-sources.jar", jar("a/A.java")[:-9]),
        ("a-sources.jar", jar(*(f"{'a' * 250}{number}" for number in range(16_000)))),
    ],
    ids=["class", "jar-within", "other-name", "empty", "none", "cut-off", "endless-list"],
)
def test_a_jar_that_may_hold_code_or_can_not_be_read_stays_missing(tmp_path, name, content):
    assert not accounted(tmp_path, name, content)


def test_pipfile_lock_is_told_as_unread_though_experimental_is_set(tmp_path):
    made = report(dependency(), dataSource=dated(checked=0))
    snapshot = tree(tmp_path, {"Pipfile.lock": "{}"})

    (note,) = told(tmp_path, made, snapshot, experimental=True, ecosystems=("python",))

    assert (note.level, note.proof) == ("error", Proof.INPUTS)
    assert "none of `default`" in note.text


def test_lists_of_others_are_tried_before_a_first_import_and_those_of_this_host_are_not(tmp_path):
    names = ("kev_url", "retirejs_url", "hosted_suppressions_url")
    remote = update_step(tree(tmp_path, {})).entrypoint[2]
    off = update_step(tree(tmp_path, {}), **dict.fromkeys(names, "off")).entrypoint[2]

    tried = "updater.nvdcve.enabled=false"
    assert tried in remote.partition("bring()")[0]
    assert "in jsrepository.json publishedSuppressions.xml; do" in remote
    assert tried not in off


def test_an_update_has_room_for_a_database_of_many_gigabytes(tmp_path):
    assert update_step(tree(tmp_path, {})).limits.output_mb >= 16_384


def write_database(folder, made, head=b"H:2,"):
    (folder / "odc.mv.db").write_bytes(head + bytes(16384 - len(head)))
    (folder / databases.EDITION).write_text(json.dumps(made))
    return folder


FOUND = dependency("/odc/canary/x.jar", vulnerability(name=canary.RULE_ID))


def test_the_age_of_the_database_is_the_older_one_that_it_tells(tmp_path):
    folder = write_database(tmp_path, report(FOUND, dataSource=dated(checked=0, modified=40)))

    edition = databases.read_edition(folder)

    assert (datetime.now(UTC) - edition.updated).days == 40
    assert edition.version == "by 12.2.2"


@pytest.mark.parametrize(
    ("made", "head", "files", "why"),
    [
        (report(dependency(), dataSource=dated(checked=0)), b"H:2,", (), "does not know CVE"),
        (report(FOUND), b"H:2,", (), "how old"),
        (report(FOUND, dataSource=dated(checked=0)), b"text", (), "no database"),
        (report(FOUND, dataSource=dated(checked=0)), b"H:2,", ("a.json",), "not there"),
    ],
)
def test_a_database_that_is_none_is_not_taken(tmp_path, made, head, files, why):
    with pytest.raises(ConversionError, match=why):
        databases.read_edition(write_database(tmp_path, made, head), files)


def test_a_list_that_was_not_fetched_is_told_with_what_to_set(tmp_path):
    folder = write_database(tmp_path, report(FOUND, dataSource=dated(checked=0)))

    with pytest.raises(ConversionError, match="is not there") as caught:
        databases.read_edition(folder, ("publishedSuppressions.xml",))

    assert "hosted_suppressions_url" in caught.value.hint


REFUSED = (
    "[ERROR] Download failed, unable to retrieve and parse 'https://{}.json'; "
    "https://{0}.json - Server status: 403 - Server reason: Forbidden"
).replace("{}", "{0}")


@pytest.mark.parametrize(
    ("code", "log", "meaning", "cure"),
    [
        (13, "[ERROR] Incompatible or corrupt database found", "another version", "cache update"),
        (13, "[ERROR] Unable to connect to the database - x", "can't open", "scratch"),
        (13, "[ERROR] Autoupdate is disabled and the database does not exist", "no database", ""),
        (8, "the NVD returned a 403 or 404 error", "refused", "nvd_api_key"),
        (8, REFUSED.format("cisa.gov/known_exploited_vulnerabilities"), "CISA's list", "kev_url"),
        (8, REFUSED.format("mirror.example/jsrepository"), "RetireJS's list", "retirejs_url"),
        (8, REFUSED.format("mirror.example/nvdcve-2024"), "the NVD, or its", "nvd_datafeed"),
        (8, "[ERROR] a.xml was not fetched", "one of its lists", "hosted_suppressions_url"),
        (8, "", "brought up to date", "nvd_datafeed"),
        (2, "[ERROR] Unrecognized option: --x", "Unrecognized option: --x", "args"),
        (15, "", "failOnCVSS", "args"),
        (1, "java.lang.OutOfMemoryError: Java heap space", "memory", "memory"),
    ],
)
def test_an_exit_code_says_what_broke_and_what_to_do(tmp_path, code, log, meaning, cure):
    (tmp_path / "log").write_text(log)

    error = failures.failure(scan_step(tree(tmp_path, {})), code, tmp_path / "log")

    assert meaning in str(error)
    assert cure in error.hint


def test_an_exit_code_that_nobody_knows_has_no_meaning(tmp_path):
    (tmp_path / "log").write_text("")

    assert failures.failure(scan_step(tree(tmp_path, {})), 137, tmp_path / "log") is None


def test_the_canary_is_the_same_bytes_each_time():
    assert canary.jar() == canary.jar()
    assert canary.jar().startswith(b"PK")


@pytest.mark.parametrize(
    ("line", "busy"),
    [
        ("[ERROR] the service returned a 429", True),
        ("[WARN] NVD returned status code: 503", True),
        ("[WARN] Retrying request after 10 s", True),
        ("[INFO] Processing Complete (1429 ms); [ERROR] Premature end of stream", False),
        ("[INFO] asked at port 42900", False),
    ],
)
def test_only_a_status_says_that_the_nvd_is_busy(tmp_path, line, busy):
    log = tmp_path / "log"
    log.write_text(line + "\n")

    said = failures.failure(Step(role=Role.UPDATE), 8, log)

    assert ("busy" in str(said)) is busy
