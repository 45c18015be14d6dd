"""At which file and line a finding of Dependency-Check's is told."""

from pathlib import Path

import pytest
from dependency_check_reports import (
    converted,
    dependency,
    line,
    place,
    results,
    tree,
    vulnerability,
)

from scanrun.api import Snapshot, SnapshotFile


def told(tmp_path, path, *known):
    snapshot = Snapshot(root=Path(), files=tuple(SnapshotFile(each, 1) for each in known))
    (item,) = results(converted(tmp_path, dependency(path, vulnerability()), snapshot=snapshot))
    return place(item), item.properties.get("paths", [None])[0]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/src/java/a.jar", "java/a.jar"),
        ("/src/web/package-lock.json?/axios:0.26.1", "web/package-lock.json"),
        ("/src/web/package-lock.json?vite:4.3.3/postcss:^8.4.23", "web/package-lock.json"),
        ("/src/app.war/WEB-INF/lib/x.jar", "app.war"),
        ("/src/x.jar/META-INF/maven/g/a/pom.xml", "x.jar"),
        ("/src/py/requirements.txt:Django/1.11.29", "py/requirements.txt"),
        ("/home/me/.m2/repository/a/1/a-1.jar", "/home/me/.m2/repository/a/1/a-1.jar"),
        (r".m2\repository\a\1\a-1.jar", ".m2/repository/a/1/a-1.jar"),
        (r"C:\Users\me\a.jar", "C:/Users/me/a.jar"),
        ("/src/back\\slash/a.jar", "back\\slash/a.jar"),
    ],
)
def test_without_a_tree_the_file_is_known_by_its_looks(tmp_path, path, file):
    assert told(tmp_path, path)[0] == file


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/src/odd.jar/inner.zip/a.jar", "odd.jar/inner.zip"),
        ("/src/what?/lock.json?/axios:1", "what?/lock.json"),
        ("/src/a:b/requirements.txt:Django/1", "a:b/requirements.txt"),
        ("/src/bundle.xyz/lib/a.jar", "bundle.xyz"),
        ("/src/what?/lock.json", "what?/lock.json"),
    ],
)
def test_the_longest_beginning_that_is_a_file_of_the_tree_is_the_file(tmp_path, path, file):
    known = ("odd.jar/inner.zip", "what?/lock.json", "a:b/requirements.txt", "bundle.xyz")

    found, inside = told(tmp_path, path, *known)

    assert found == file
    assert inside == (None if path == f"/src/{file}" else path.removeprefix("/src/"))


NPM_3 = """{
  "packages": {
    "": {"dependencies": {"debug": "^2.6.9"}},
    "node_modules/debug": {
      "version": "2.6.9",
      "resolved": "r"
    },
    "node_modules/@babel/traverse": {
      "version": "7.21.5"
    },
    "node_modules/@babel/traverse/node_modules/debug": {
      "version": "4.4.3"
    }
  }
}
"""
NPM_1 = '{\n "dependencies": {\n  "debug": {\n   "version": "2.6.9"\n  }\n }\n}\n'
YARN = (
    '# yarn\n\n"@babel/traverse@^7.0.0":\n  version "7.21.5"\n\ndebug@2.6.9:\n  version "2.6.9"\n'
)
PNPM = "packages:\n\n  /debug@2.6.8:\n    x: y\n\n  /debug@2.6.9:\n    x: y\n"
POM = (
    "<project>\n<artifactId>other</artifactId>\n<dependency>\n<groupId>g</groupId>\n"
    "<artifactId>debug</artifactId>\n<version>1</version>\n</dependency>\n</project>\n"
)
GRADLE = "dependencies {\n  implementation 'g:debug-core:1'\n  implementation 'g:debug:1'\n}\n"


@pytest.mark.parametrize(
    ("file", "text", "purl", "wanted"),
    [
        ("package-lock.json", NPM_3, "pkg:npm/debug@2.6.9", 4),
        ("package-lock.json", NPM_3, "pkg:npm/debug@4.4.3", 11),
        ("package-lock.json", NPM_3, "pkg:npm/debug@9.9.9", 4),
        ("package-lock.json", NPM_3, "pkg:npm/%40babel%2Ftraverse@7.21.5", 8),
        ("package-lock.json", NPM_3, "pkg:npm/none@1.0", 1),
        ("package-lock.json", NPM_1, "pkg:npm/debug@2.6.9", 3),
        ("yarn.lock", YARN, "pkg:npm/debug@2.6.9", 6),
        ("yarn.lock", YARN, "pkg:npm/%40babel%2Ftraverse@7.21.5", 3),
        ("pnpm-lock.yaml", PNPM, "pkg:npm/debug@2.6.9", 6),
        ("package.json", '{\n"dependencies": {\n"debug": "1"}}', "pkg:npm/debug@1", 3),
        ("pom.xml", POM, "pkg:maven/g/debug@1", 5),
        ("build.gradle", GRADLE, "pkg:maven/g/debug@1", 3),
        ("requirements.txt", "# x\nflask-x==1\nFlask==1.0.2\n", "pkg:pypi/flask@1.0.2", 3),
        ("requirements.txt", "a\nZope.Interface==1\n", "pkg:pypi/zope-interface@1", 2),
        ("poetry.lock", '[[package]]\nname = "flask"\nversion = "1"\n', "pkg:pypi/flask@1", 2),
        ("go.mod", "module m\n\nrequire g.com/a/b v1.2.3\n", "pkg:golang/g.com%2Fa%2Fb@v1.2.3", 3),
        ("notes.md", "debug\ndebug 2.6.9\n", "pkg:npm/debug@2.6.9", 1),
    ],
)
def test_the_line_is_the_one_where_the_package_stands(tmp_path, file, text, purl, wanted):
    snapshot = tree(tmp_path / "tree", {file: text})
    head = dependency(f"/src/{file}", vulnerability(), purl=purl)

    (item,) = results(converted(tmp_path, head, snapshot=snapshot))

    assert (place(item), line(item)) == (file, wanted)


def test_no_file_is_read_that_is_not_of_the_tree(tmp_path):
    root = tmp_path / "tree"
    snapshot = tree(root, {"a/requirements.txt": ""})
    (tmp_path / "requirements.txt").write_text("x\ny\nflask==1\n")
    (root / "a" / "requirements.txt").unlink()
    (root / "a" / "requirements.txt").symlink_to(tmp_path / "requirements.txt")
    heads = [
        dependency(path, vulnerability(), purl="pkg:pypi/flask@1")
        for path in ("/src/../requirements.txt", "/src/a/requirements.txt")
    ]

    found = results(converted(tmp_path, *heads, snapshot=snapshot))

    assert [line(each) for each in found] == [1, 1]


def test_a_hostile_lock_file_costs_no_time(tmp_path):
    blanks = "\n" * 300_000 + " " * 300_000 + '"' + "node_modules/" * 20_000
    snapshot = tree(tmp_path / "tree", {"package-lock.json": blanks, "pom.xml": blanks})
    heads = [
        dependency(f"/src/{path}", vulnerability(), purl="pkg:npm/node_modules@1")
        for path in ("package-lock.json", "pom.xml")
    ]

    found = results(converted(tmp_path, *heads, snapshot=snapshot))

    assert [line(each) for each in found] == [1, 1]
