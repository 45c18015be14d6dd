"""What the XML reader takes, and what it refuses."""

import pytest
from dependency_check_reports import DATA, NAMESPACE, NOWHERE, notes, results

from scanrun.api import Category, ConversionError
from scanrun_plugins.scanners.dependency_check.convert import convert_report
from scanrun_plugins.scanners.dependency_check.report import read_report

DEPENDENCY = "<dependency><fileName>a.jar</fileName><filePath>/src/a.jar</filePath>{}</dependency>"
FOUND = (
    '<vulnerabilities><vulnerability source="NVD"><name>CVE-2020-0001</name>{}'
    "</vulnerability></vulnerabilities>"
)


def analysis(*dependencies, info="", namespace=NAMESPACE, head="<?xml version='1.0'?>"):
    return (
        f'{head}<analysis xmlns="{namespace}"><scanInfo>{info}</scanInfo>'
        f"<dependencies>{''.join(dependencies)}</dependencies></analysis>"
    )


def read(tmp_path, text):
    path = tmp_path / "report.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_report(path)


def converted(tmp_path, text):
    return list(convert_report(read(tmp_path, text), NOWHERE, Category.SCA))


@pytest.mark.parametrize("schema", ["1.3", "1.8", "2.5", "4.0", "4.1"])
@pytest.mark.parametrize("host", ["jeremylong.github.io", "dependency-check.github.io"])
def test_all_known_namespaces_are_read(tmp_path, schema, host):
    namespace = f"https://{host}/DependencyCheck/dependency-check.{schema}.xsd"
    text = analysis(DEPENDENCY.format(FOUND.format("")), namespace=namespace)

    assert [item.rule_id for item in results(converted(tmp_path, text))] == ["CVE-2020-0001"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<",
        "<analysis><dependencies/></analysis>",
        analysis(namespace="https://example.com/DependencyCheck/dependency-suppression.1.3.xsd"),
        analysis(namespace=NAMESPACE.replace("4.1", "5.0")),
        f'<suppressions xmlns="{NAMESPACE}"><dependencies/></suppressions>',
        f'<analysis xmlns="{NAMESPACE}"><scanInfo/></analysis>',
        analysis(DEPENDENCY.format(""))[:-12],
        analysis() + "tail",
        analysis(DEPENDENCY.format("&undefined;")),
        analysis("<dependency><filePath>/src/a</filePath></dependency>"),
        analysis("<finding/>"),
        analysis(DEPENDENCY.format("<vulnerabilities><weakness/></vulnerabilities>")),
        analysis(DEPENDENCY.format("<vulnerabilities><vulnerability/></vulnerabilities>")),
        analysis(DEPENDENCY.format(FOUND.format("<cvssV3><baseScore>x</baseScore></cvssV3>"))),
        analysis(head="<?xml version='1.0' encoding='no-such-code'?>"),
        analysis("<a>" * 100 + "</a>" * 100),
    ],
    ids=[
        "empty", "nothing", "no namespace", "suppressions", "newer", "root", "no list", "cut off",
        "tail", "entity", "no name", "unknown entry", "unknown finding", "unnamed", "score", "code",
        "deep",
    ],
)  # fmt: skip
def test_what_is_no_whole_report_of_a_known_form_is_refused(tmp_path, text):
    with pytest.raises(ConversionError):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE analysis>",
        "<!DOCTYPE analysis SYSTEM 'file:///etc/passwd'>",
        "<!DOCTYPE analysis [<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;&a;'>]>",
        "<!DOCTYPE analysis [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
    ],
)
def test_a_document_type_is_refused(tmp_path, doctype):
    with pytest.raises(ConversionError, match="document type"):
        read(tmp_path, analysis(DEPENDENCY.format(""), head=doctype))


def test_exceptions_are_read_with_their_cause(tmp_path):
    thrown = (
        "<analysisExceptions><exception><message>a.b.Outer: no</message>"
        "<stackTrace><trace>x</trace></stackTrace><cause><message>a.b.Middle: no</message>"
        "<cause><message>java.io.IOException: full</message></cause></cause></exception>"
        "</analysisExceptions>"
    )

    items = converted(tmp_path, analysis(DEPENDENCY.format(""), info=thrown))

    (note,) = notes(items)
    assert note.level == "error"
    assert note.text.endswith(": Outer: no (because of IOException: full)")


def test_an_exception_of_another_form_is_an_error_all_the_same(tmp_path):
    text = analysis(DEPENDENCY.format(""), info="<analysisExceptions><odd/></analysisExceptions>")

    assert [note.level for note in notes(converted(tmp_path, text))] == ["error"]


def test_the_score_and_the_identifiers_of_old_reports_are_read(tmp_path):
    old = (
        "<identifiers><identifier type='maven'><name>(g:a:1.0)</name></identifier></identifiers>"
        + FOUND.format("<cvssScore>9.3</cvssScore><severity>High</severity><cwe>CWE-79 XSS</cwe>")
    )

    (item,) = results(converted(tmp_path, analysis(DEPENDENCY.format(old))))

    assert item.properties["severity"] == "high"
    assert item.properties["purl"] == "pkg:maven/g/a@1.0"


@pytest.mark.parametrize("attribute", ["matched", "vulnerabilityIdMatched"])
def test_the_fix_of_a_suppressed_finding_is_known_by_either_attribute(tmp_path, attribute):
    software = (
        "<vulnerableSoftware><software versionEndExcluding='1'>cpe:2.3:a:v:p</software>"
        f"<software {attribute}='true' versionEndExcluding='2'>cpe:2.3:a:v:p</software>"
        "</vulnerableSoftware>"
    )
    gone = FOUND.format(software).replace("vulnerability ", "suppressedVulnerability ")
    gone = gone.replace("</vulnerability>", "</suppressedVulnerability>")

    (item,) = results(converted(tmp_path, analysis(DEPENDENCY.format(gone))))

    assert item.suppressions
    assert item.properties["fixedVersion"] == "2"


def test_a_byte_order_mark_is_no_hindrance(tmp_path):
    text = (DATA / "subset-9.2.0.xml").read_bytes()

    assert len(results(converted(tmp_path, b"\xef\xbb\xbf" + text))) == 7
