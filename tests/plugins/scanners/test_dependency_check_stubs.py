"""Lock files of npm's, and the empty packages that are made of them."""

import json

import pytest
from dependency_check_reports import tree

from scanrun_plugins.scanners.dependency_check.stubs import lock_files, stub_files, stub_places

PLACE = "/odc/locks/scanrun-copy-0"


def read(tmp_path, content, name="package-lock.json"):
    text = content if isinstance(content, str) else json.dumps(content)
    (found,) = lock_files(tree(tmp_path, {name: text}))
    return found


def folders(found):
    return {
        path.removeprefix(f"{PLACE}/").removesuffix("/package.json"): json.loads(content)
        for path, content in stub_files([found]).items()
        if path.endswith("/package.json")
    }


def test_version_1_names_packages_within_packages(tmp_path):
    inner = {"b": {"version": "2.0.0"}}
    found = read(
        tmp_path,
        {"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0", "dependencies": inner}}},
    )

    assert folders(found) == {
        "node_modules/a": {"name": "a", "version": "1.0.0"},
        "node_modules/a/node_modules/b": {"name": "b", "version": "2.0.0"},
    }
    assert found.labels == {"a:1.0.0", "b:2.0.0"}


@pytest.mark.parametrize("version", [2, 3])
def test_later_versions_name_folders_and_only_what_comes_from_elsewhere(tmp_path, version):
    packages = {
        "": {"name": "app", "version": "1.0.0"},
        "packages/own": {"name": "own", "version": "1.0.0"},
        "node_modules/own": {"resolved": "packages/own", "link": True},
        "node_modules/alias": {"name": "real", "version": "1.0.0"},
        "node_modules/@scope/a": {"version": "1.0.0-rc.1"},
        "packages/own/node_modules/b": {"version": "2.0.0"},
    }
    found = read(tmp_path, {"lockfileVersion": version, "packages": packages})

    assert folders(found) == {
        "node_modules/alias": {"name": "real", "version": "1.0.0"},
        "node_modules/@scope/a": {"name": "@scope/a", "version": "1.0.0-rc.1"},
        "packages/own/node_modules/b": {"name": "b", "version": "2.0.0"},
    }
    assert found.labels == {"alias:1.0.0", "@scope/a:1.0.0-rc.1", "b:2.0.0"}


def test_the_lock_file_itself_goes_along_as_it_is(tmp_path):
    text = '{"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": {}}'
    found = read(tmp_path, text)

    assert stub_files([found])[f"{PLACE}/npm-shrinkwrap.json"] == text.encode()
    assert stub_places([found]) == {f"{PLACE}/npm-shrinkwrap.json": "package-lock.json"}


def test_a_lock_file_without_a_name_is_given_one(tmp_path):
    found = read(tmp_path, '{"lockfileVersion": 3, "packages": {}, "more": "kept"}')

    assert json.loads(found.content) == {
        "lockfileVersion": 3,
        "packages": {},
        "more": "kept",
        "name": "unnamed",
        "version": "0.0.0",
    }


def test_packages_from_git_and_folders_are_counted(tmp_path):
    packages = {"node_modules/a": {"version": "git+ssh://x/y.git"}, "node_modules/b": {}}

    found = read(tmp_path, {"lockfileVersion": 3, "packages": packages})

    assert found.odd == 2
    assert folders(found) == {}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        "[]",
        '{"lockfileVersion": 3}',
        "\ufeff" + json.dumps({"lockfileVersion": 3, "packages": {}}),
        '{"lockfileVersion": 1, "dependencies": ' + '{"a": {"dependencies": ' * 3000 + "{}",
    ],
)
def test_what_is_no_lock_file_has_a_problem_and_no_copy(tmp_path, content):
    found = read(tmp_path, content)

    assert found.problem
    assert stub_files([found]) == {}


@pytest.mark.parametrize(
    "folder",
    [
        "node_modules/../../../etc",
        "../node_modules/a",
        "/node_modules/a",
        "node_modules/a/..",
        "node_modules//a",
        "node_modules/a\x00b",
        "node_modules/a\nb",
        "node_modules/" + "a" * 256,
        "node_modules/" + "a/node_modules/" * 100 + "a",
    ],
)
def test_a_name_that_leads_elsewhere_is_never_made_a_file(tmp_path, folder):
    found = read(tmp_path, {"lockfileVersion": 3, "packages": {folder: {"version": "1.0.0"}}})

    assert "names a package" in found.problem
    assert stub_files([found]) == {}


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path):
    snapshot = tree(tmp_path, {"package-lock.json": ""})
    (tmp_path / "package-lock.json").unlink()
    (tmp_path / "package-lock.json").symlink_to("/etc/passwd")

    (found,) = lock_files(snapshot)

    assert "no regular file" in found.problem


def test_installed_packages_own_lock_files_are_passed_by(tmp_path):
    assert lock_files(tree(tmp_path, {"node_modules/a/package-lock.json": "{}"})) == ()
