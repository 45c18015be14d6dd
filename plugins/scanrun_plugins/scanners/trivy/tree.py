"""Trivy on a tree of files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from scanrun.api import (
    Applies,
    Canary,
    Category,
    Database,
    Input,
    Limits,
    Notification,
    Outputs,
    Result,
    Rule,
    Step,
    Target,
)
from scanrun_plugins.scanners.trivy import comments, inputs, proof, unchecked
from scanrun_plugins.scanners.trivy.command import (
    DATABASE_FOLDER,
    DRIVER,
    OUT_FOLDER,
    REPORT,
    SECRET_RULES_FILE,
    Kind,
    TreeOptions,
    common_arguments,
    scan_step,
)
from scanrun_plugins.scanners.trivy.convert import convert_report
from scanrun_plugins.scanners.trivy.databases import VULNERABILITIES, vulnerability_database
from scanrun_plugins.scanners.trivy.emptiness import is_cut_off, names_nothing
from scanrun_plugins.scanners.trivy.places import TREE
from scanrun_plugins.scanners.trivy.report import Report, read_report, read_version
from scanrun_plugins.scanners.trivy.secrets import TREE_RULES, unsearched

SECRETS = f"{OUT_FOLDER}/secrets.json"
_ROOT = "/src"
_LIMITS = Limits(memory_mb=2048)


class Trivy:
    """Vulnerable packages, misconfiguration and licences in one step, secrets in another.

    Only the first runs with `--debug`, for the signs in its log: with the secret scanner that
    writes a page for each file.
    """

    name = "trivy"
    category = Category.SCA
    driver = DRIVER
    options = TreeOptions
    signs = (*proof.SIGNS, comments.NOT_REWRITTEN)
    tells = comments.TELLS
    variables = comments.VARIABLES
    ignores = comments.IGNORES
    rewrites = comments.REWRITES

    def applies(self, target: Target) -> Applies:
        """Any file may hold a secret or a misconfiguration."""
        return Applies.to(target.files)

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return a step for what is parsed and a step for secrets, as far as they are wanted."""
        options = TreeOptions(**target.options)
        parsed = tuple(kind for kind in options.scanners if kind != "secret")
        dev = ("--include-dev-deps",) if options.include_dev_deps else ()
        steps = []
        if parsed:
            caches = {DATABASE_FOLDER: VULNERABILITIES} if "vuln" in parsed else {}
            argv = _arguments(parsed, REPORT, "--debug", *dev, *target.args)
            steps.append(_step("scan", argv, REPORT, target, caches))
        if "secret" in options.scanners:
            argv = _arguments(("secret",), SECRETS, *target.args)
            steps.append(_step("secrets", argv, SECRETS, target, {}))
        return tuple(steps)

    def databases(self, target: Target) -> tuple[Database, ...]:
        """Return the vulnerability database where vulnerabilities are looked for."""
        wanted = "vuln" in TreeOptions(**target.options).scanners
        options = TreeOptions(**target.options).model_dump()
        return (vulnerability_database(options),) if wanted else ()

    def canary(self) -> Canary:
        """One file for each kind of scan; `convert` says whether those switched on found theirs."""
        return Canary(proof.CANARY_FILES, proof.canary_rule(self.name))

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what both reports hold, and what is to be said of files that were not checked."""
        options = TreeOptions(**outputs.options)
        ruled: set[str] = set()
        seen, types = frozenset[str](), frozenset[str]()
        for report in _reports(outputs):
            yield from convert_report(report, self.category, ruled)
            seen |= proof.canary_seen(report, self.name)
            types |= proof.package_types(report)
        del report  # it may be large, and is read again beside its log
        if seen:
            yield from proof.canary_verdict(seen, options.scanners, self.name, types)
        yield from _told(outputs, {*options.scanners})

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return lock files, and build files of which the name tells the kind."""
        kinds = {*TreeOptions(**target.options).scanners}
        locks = inputs.lock_files(target) if kinds & {"vuln", "license"} else ()
        builds = inputs.build_files(target) if "misconfig" in kinds else ()
        lost = inputs.out_of_reach(target.snapshot) if kinds - {"secret"} else ()
        return (*locks, *builds, *lost)

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return the files in the report, in the log, and those that plainly name no package."""
        if REPORT not in outputs:
            return frozenset()
        report = read_report(outputs[REPORT])
        read = {*proof.parsed_targets(report), *proof.parsed_terraform(outputs.log, report)}
        dev = TreeOptions(**outputs.options).include_dev_deps
        root = outputs.snapshot.root
        locks = {file.path for file in outputs.snapshot.match(*inputs.LOCK_FILES)}
        empty = {path for path in locks - read if names_nothing(root / path, dev=dev)}
        cut = {path for path in locks & read if is_cut_off(root / path)}
        return frozenset((read | empty) - cut - proof.troubles(outputs.log, report).keys())

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return read_version(_paths(outputs)[0])


def _reports(outputs: Outputs) -> Iterator[Report]:
    """Yield the reports there are. What a missing one should have shown, the canary misses."""
    yield from map(read_report, _paths(outputs))


def _paths(outputs: Outputs) -> list[Path]:
    return [outputs[name] for name in (REPORT, SECRETS) if name in outputs] or [outputs[REPORT]]


def _arguments(kinds: tuple[str, ...], report: str, *more: str) -> tuple[str, ...]:
    return ("filesystem", *common_arguments(kinds, report), *more, _ROOT)


def _step(
    name: str, argv: tuple[str, ...], report: str, target: Target, caches: Mapping[str, str]
) -> Step:
    limits = _LIMITS.with_memory(target.memory_mb)
    return scan_step(
        name,
        argv,
        report,
        limits,
        source=f"{_ROOT}/{TREE}",
        caches=caches,
        more_files={SECRET_RULES_FILE: TREE_RULES.encode()},
    )


def _told(outputs: Outputs, kinds: set[Kind]) -> Iterator[Notification]:
    """Yield what is to be said of files that were not, or not wholly, looked at."""
    if kinds & {"vuln", "license"}:
        yield from unchecked.unread(outputs.snapshot)
        yield from unchecked.unread_parts(outputs.snapshot)
    if "misconfig" in kinds:
        yield from unchecked.unread_builds(outputs.snapshot)
    if "secret" in kinds:
        yield from unsearched(outputs.snapshot)
    if REPORT in outputs:
        yield from proof.silence(outputs.log)
        if outputs.log is not None:
            yield from proof.trouble_told(outputs.log, read_report(outputs[REPORT]))
