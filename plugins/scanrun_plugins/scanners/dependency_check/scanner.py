"""Dependency-Check on a tree of files."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scanrun.api import (
    CANARY_DIR,
    Applies,
    Canary,
    Category,
    Database,
    Input,
    Limits,
    Need,
    Notification,
    Outputs,
    Result,
    Rule,
    ScanError,
    Step,
    Target,
)
from scanrun_plugins.scanners.dependency_check import canary, failures, inputs, proof, properties
from scanrun_plugins.scanners.dependency_check.codeless import codeless_jars
from scanrun_plugins.scanners.dependency_check.command import (
    CACHE,
    DATA,
    DATABASE_FILE,
    DRIVER,
    HOME,
    IMAGE,
    LOCKS,
    OUT_FOLDER,
    PROPERTIES,
    REPORT,
    XML_REPORT,
    Options,
    offline_arguments,
)
from scanrun_plugins.scanners.dependency_check.convert import convert_report, files_read
from scanrun_plugins.scanners.dependency_check.databases import name_for, nvd_database
from scanrun_plugins.scanners.dependency_check.feeds import Feed, retirejs, suppressions
from scanrun_plugins.scanners.dependency_check.report import Report, read_report
from scanrun_plugins.scanners.dependency_check.rules import suppression_files
from scanrun_plugins.scanners.dependency_check.rules import told as rules_told
from scanrun_plugins.scanners.dependency_check.scan_info import engine_version
from scanrun_plugins.scanners.dependency_check.stubs import (
    COPY,
    lock_files,
    stub_files,
    stub_places,
)

_SOURCE = "/src"
_HEAP_MB = 1024
_DRIVER_JAR = f"{HOME}/driver.jar"


class DependencyCheck:
    """One step, on a copy of nothing: the database is read where it lies.

    Dependency-Check wants to write into its data folder. That is one of the step's own, in which
    links lead to the database; it copies what it opens to its temporary folder.
    """

    name = "dependency-check"
    category = Category.SCA
    driver = DRIVER
    options = Options
    signs = proof.SIGNS
    wanted = inputs.WANTED

    def applies(self, target: Target) -> Applies:
        """Say whether there is anything that it reads, or is asked to account for."""
        options = Options(**target.options)
        found = inputs.readable(target.snapshot, options)
        if found:
            return Applies(yes=True, reason=f"{len(found)} archives and lock files")
        passed = inputs.unread(target.snapshot, options)
        if asked := [each for each in passed if each.ecosystem in options.ecosystems]:
            return Applies(yes=True, reason=f"asked to look at {asked[0].ecosystem}")
        if passed:
            first = passed[0]
            return Applies.no(f"{first.files[0].path!r} is not read by it: {first.cure}")
        return Applies.no("no archives, and no lock files that it reads")

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return the scan."""
        options = Options(**target.options)
        rules = suppression_files(target, options)
        locks = lock_files(target.snapshot)
        own, kept, host_files = self._data(options)
        scratch = options.scratch
        limits = Limits(memory_mb=_HEAP_MB + scratch, scratch_mb=scratch)
        argv = (
            *self._scanned(target),
            *("--out", OUT_FOLDER, "--format", "JSON", "--format", "XML"),
            *offline_arguments(options),
            *own,
            *(word for path in rules for word in ("--suppression", path)),
            *target.args,
        )
        step = Step(
            image=IMAGE,
            argv=argv,
            source=_SOURCE,
            # with this much memory Java takes a collector that is slow on few processors
            env={"JAVA_TOOL_OPTIONS": "-XX:+UseSerialGC"},
            files={**stub_files(locks), **rules, f"{LOCKS}/.made": b"", f"{HOME}/.made": b""},
            host_files=host_files,
            links={f"{DATA}/{name}": f"{CACHE}/{name}" for name in kept},
            sealed={PROPERTIES: partial(properties.for_scan, options)},
            caches={} if options.central else {CACHE: name_for(target.configured_image)},
            outputs=(REPORT,),
            optional_outputs=(XML_REPORT,),
            ok_exit_codes=frozenset({0, proof.PARTIAL}),
            network=options.central,
            limits=limits.with_memory(target.memory_mb),
        )
        return (step,)

    def _scanned(self, target: Target) -> Iterator[str]:
        """Yield what is looked at: of the canaries its own, of npm's lock files the copies.

        A pattern is compared with what lies below each folder that is named.
        """
        for folder in (_SOURCE, f"{_SOURCE}/{CANARY_DIR}/{self.name}", LOCKS):
            yield from ("--scan", folder)
        alike = (file.path for file in target.match(COPY))
        for pattern in (f"{CANARY_DIR}/**", "**/package-lock.json", *alike):
            yield from ("--exclude", pattern)

    def _data(self, options: Options) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Path]]:
        """Return arguments, names of files in the data folder, and files of this host."""
        if options.central:
            path = Path(options.db_driver_path) if options.db_driver_path else None
            driver = ("--dbDriverPath", _DRIVER_JAR) if path else ()
            host_files = {_DRIVER_JAR: path} if path else {}
            return ("--disableRetireJS", *driver), (), host_files
        lists: tuple[Feed, ...] = (retirejs(options), suppressions(options))
        words = tuple(word for each in lists for word in each.arguments)
        return words, (DATABASE_FILE, *(each.kept_as for each in lists if each.kept_as)), {}

    def databases(self, target: Target) -> tuple[Database, ...]:
        """Return the NVD database, unless a central one is named."""
        options = Options(**target.options)
        return () if options.central else (nvd_database(options, target.configured_image),)

    def secrets(self, target: Target) -> tuple[Need, ...]:
        """Return the key for the NVD, and passwords."""
        return properties.needs(Options(**target.options))

    def canary(self) -> Canary:
        """Return a jar with a known vulnerability."""
        return Canary({canary.NAME: canary.jar()}, canary.RULE_ID)

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what the report holds, and what is to be said of files it did not look at."""
        report, locks = _report(outputs), lock_files(outputs.snapshot)
        yield from convert_report(report, outputs.snapshot, self.category, stub_places(locks))
        yield from proof.told(report, outputs, locks)
        yield from rules_told(outputs.snapshot.root, Options(**outputs.options))

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return archives, lock files and project files."""
        return inputs.readable(target.snapshot, Options(**target.options))

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return what is in the report; of npm's lock files those with all their packages.

        Python lists without a version, and jars without code, have nothing to be in it.
        """
        report, locks = _report(outputs), lock_files(outputs.snapshot)
        read = files_read(report, outputs.snapshot, stub_places(locks))
        return frozenset(
            (
                *(read - {lock.path for lock in locks}),
                *proof.accounted_locks(report, locks),
                *proof.names_nothing(outputs.snapshot),
                *codeless_jars(outputs.snapshot),
            )
        )

    def failure(self, step: Step, exit_code: int, log: Path) -> ScanError | None:
        """Return what an exit code means."""
        return failures.failure(step, exit_code, log)

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return engine_version(_report(outputs))


def _report(outputs: Outputs) -> Report:
    return read_report(outputs[REPORT], outputs.get(XML_REPORT))
