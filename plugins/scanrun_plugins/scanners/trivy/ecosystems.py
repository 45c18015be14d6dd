"""One package with a long known vulnerability for each ecosystem that the database is split into.

A database can hold npm and lack Go: Trivy lists the packages, matches nothing and says nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """What Trivy has to find in the canaries before "no match" is believed of its packages."""

    title: str
    types: frozenset[str]
    """Trivy's `Type` of the sections whose packages are looked up here."""
    file: str
    content: bytes
    known: str
    """The vulnerability that the canary's package has."""


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()


_NPM = {
    "name": "canary",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "canary", "version": "1.0.0", "dependencies": {"minimist": "1.2.5"}},
        "node_modules/minimist": {"version": "1.2.5"},
    },
}
_COMPOSER = {"packages": [{"name": "guzzlehttp/guzzle", "version": "7.4.0"}], "packages-dev": []}
_NUGET = {
    "version": 1,
    "dependencies": {"net6.0": {"Newtonsoft.Json": {"type": "Direct", "resolved": "12.0.3"}}},
}
_BUNDLER = b"GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (2.0.1)\n"
_CARGO = (
    b'version = 3\n\n[[package]]\nname = "smallvec"\nversion = "0.6.9"\n'
    b'source = "registry+https://github.com/rust-lang/crates.io-index"\n'
)

NPM = Ecosystem(
    "npm",
    frozenset({"npm", "yarn", "pnpm", "bun", "node-pkg"}),
    "package-lock.json",
    _json(_NPM),
    "CVE-2021-44906",
)
ECOSYSTEMS = (
    NPM,
    Ecosystem(
        "Python",
        frozenset({"pip", "pipenv", "poetry", "uv", "pylock", "python-pkg"}),
        "requirements.txt",
        b"requests==2.19.1\n",
        "CVE-2018-18074",
    ),
    Ecosystem(
        "Go",
        frozenset({"gomod", "gobinary"}),
        "go.mod",
        b"module canary\n\ngo 1.20\n\nrequire golang.org/x/text v0.3.0\n",
        "CVE-2020-14040",
    ),
    Ecosystem(
        "Java",
        frozenset({"pom", "gradle", "sbt", "jar"}),
        "gradle.lockfile",
        b"org.apache.logging.log4j:log4j-core:2.14.1=compileClasspath\nempty=\n",
        "CVE-2021-44228",
    ),
    Ecosystem("Rust", frozenset({"cargo", "rustbinary"}), "Cargo.lock", _CARGO, "CVE-2019-15551"),
    Ecosystem(
        "PHP",
        frozenset({"composer", "composer-vendor"}),
        "composer.lock",
        _json(_COMPOSER),
        "CVE-2022-29248",
    ),
    Ecosystem(
        "Ruby", frozenset({"bundler", "gemspec"}), "Gemfile.lock", _BUNDLER, "CVE-2018-16471"
    ),
    Ecosystem(
        ".NET",
        frozenset({"nuget", "dotnet-core", "packages-props"}),
        "packages.lock.json",
        _json(_NUGET),
        "CVE-2024-21907",
    ),
)
FILES: Mapping[str, bytes] = {each.file: each.content for each in ECOSYSTEMS}


def owed(types: frozenset[str]) -> Iterator[Ecosystem]:
    """Yield the ecosystems that sections of these types belong to, and always npm."""
    yield from (each for each in ECOSYSTEMS if each is NPM or each.types & types)


def unproven(types: frozenset[str]) -> frozenset[str]:
    """Return the types for which there is no canary."""
    return types.difference(*(each.types for each in ECOSYSTEMS))
