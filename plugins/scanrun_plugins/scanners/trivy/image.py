"""Trivy on a container image, read from an archive: Trivy is given no engine and no registry."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
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
    Role,
    Rule,
    Step,
    Target,
)
from scanrun_plugins.scanners.trivy import comments, layers, proof
from scanrun_plugins.scanners.trivy.archive import canary_archive, proven
from scanrun_plugins.scanners.trivy.command import (
    DATABASE_FOLDER,
    DRIVER,
    JAVA_FOLDER,
    OUT_FOLDER,
    OWN_FOLDER,
    REPORT,
    ImageOptions,
    common_arguments,
    scan_step,
)
from scanrun_plugins.scanners.trivy.convert import convert_report
from scanrun_plugins.scanners.trivy.databases import (
    JAVA,
    VULNERABILITIES,
    java_database,
    vulnerability_database,
)
from scanrun_plugins.scanners.trivy.report import Report, Section, read_report, read_version

CANARY_REPORT = f"{OUT_FOLDER}/canary.json"
_IMAGE = f"{OWN_FOLDER}/image.tar"
_CANARY_IMAGE = f"{OWN_FOLDER}/canary.tar"
_LIMITS = Limits(memory_mb=3072, scratch_mb=1024)


class TrivyImage:
    """Packages of the system and of languages, and secrets, in all layers of an image."""

    name = "trivy-image"
    category = Category.CONTAINER
    driver = DRIVER
    options = ImageOptions
    signs = (*proof.SIGNS, comments.HEEDED)
    variables = comments.VARIABLES

    def applies(self, target: Target) -> Applies:
        """Only where an image is named: building one would run the tree's code."""
        if target.image is None:
            return Applies.no("no image is named (--image)")
        java = ImageOptions(**target.options).java
        return Applies(
            yes=True,
            reason=f"image {target.image}"
            + ("" if java else "; one with jars needs `java = true`"),
        )

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Return a step for an image made for the purpose, and one for the image itself."""
        image = {_IMAGE: target.archive} if target.archive else {}
        # where no image is named, only the canary is asked for: it stands for the image, too
        java = ImageOptions(**target.options).java
        standing_in = {_IMAGE: canary_archive(java=java)} if target.image is None else {}
        canary = _canary_files(java=java)
        probe = _step("canary", target, CANARY_REPORT, _CANARY_IMAGE, files=canary)
        return (
            replace(probe, role=Role.PROBE),
            _step(
                "scan",
                target,
                REPORT,
                _IMAGE,
                "--debug",
                *target.args,
                files=standing_in,
                host_files=image,
            ),
        )

    def databases(self, target: Target) -> tuple[Database, ...]:
        """Return the vulnerability database, and the Java one where it is asked for."""
        options = ImageOptions(**target.options)
        found = (vulnerability_database(options.model_dump()),)
        java = (java_database(options.model_dump()),) if options.java else ()
        return (*found, *java) if "vuln" in options.scanners else ()

    def canary(self) -> Canary:
        """Name the result that stands for the canary. What has to be found lies in an image."""
        return Canary({}, proof.canary_rule(self.name))

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what was found in the image, and what was not looked at."""
        report = read_report(outputs[REPORT])
        yield from convert_report(report, self.category, set())
        yield from _of_system(report)
        yield from proof.silence(outputs.log)
        yield from proof.unknown_jars(outputs.log, report)
        verdict = self._canary_verdict(report, outputs)
        yield from (item for item in verdict if isinstance(item, Notification))

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return the layers of an archive that was named: nobody has compared them with anything.

        In one that an engine writes, they come from its own store.
        """
        return layers.layers(target.archive) if target.archive else ()

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return the layers that Trivy says it has looked at, by what they should hold."""
        metadata = read_report(outputs[REPORT]).metadata
        found = (metadata.diff_ids if metadata else None) or ()
        return frozenset(layers.named(digest) for digest in found)

    def proven(self, outputs: Outputs) -> frozenset[str]:
        """Return the canary's rule. Of no place in the image: it could hold a file there."""
        verdict = self._canary_verdict(read_report(outputs[REPORT]), outputs)
        return frozenset(item.rule_id for item in verdict if isinstance(item, Result))

    def _canary_verdict(
        self, report: Report, outputs: Outputs
    ) -> Iterator[Rule | Result | Notification]:
        if CANARY_REPORT in outputs:
            seen = frozenset(proof.found_anywhere(read_report(outputs[CANARY_REPORT])))
            options = ImageOptions(**outputs.options)
            types = proof.package_types(report) & proven(java=options.java)
            yield from proof.canary_verdict(seen, options.scanners, self.name, types)

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return read_version(outputs[REPORT])


def _canary_files(*, java: bool) -> Mapping[str, bytes]:
    return {_CANARY_IMAGE: canary_archive(java=java)}


def _step(
    name: str,
    target: Target,
    report: str,
    archive: str,
    *more: str,
    files: Mapping[str, bytes] | None = None,
    host_files: Mapping[str, Path] | None = None,
) -> Step:
    options, caches = ImageOptions(**target.options), {}
    if "vuln" in options.scanners:
        caches[DATABASE_FOLDER] = VULNERABILITIES
        if options.java:
            caches[JAVA_FOLDER] = JAVA
    argv = ("image", *common_arguments(options.scanners, report), *more, "--input", archive)
    return scan_step(
        name,
        argv,
        report,
        _LIMITS.with_memory(target.memory_mb),
        more_files=files or {},
        source=None,
        caches=caches,
        host_files=host_files or {},
    )


def _of_system(report: Report) -> Iterator[Notification]:
    """Yield what the report says of the operating system, on which the packages hang."""
    if report.artifact_type != "container_image":
        return
    system = report.metadata.os if report.metadata else None
    if system is None or not system.family or system.family == "none":
        nothing = not any(section.packages for section, _ in report.sections)
        yield Notification(
            "no operating system was recognised in the image: its packages were not checked"
            + (", and nothing else was found to check" if nothing else ""),
            "error" if nothing else "warning",
        )
    elif system.eosl:
        yield Notification(
            f"{system.family} {system.name} is past its end of life:"
            " what is found in it now is recorded nowhere"
        )
    elif not any(section.vulnerabilities for section in _system_sections(report)):
        yield Notification(
            f"no vulnerability is known in any package of {system.family} {system.name}:"
            " the database may know nothing of that release"
        )
    config = report.metadata.image_config if report.metadata else None
    if config and config.architecture:
        yield Notification(f"the image is for {config.architecture}", "note")
    yield Notification(
        "of an image's languages, installed packages are checked, lock files are not;"
        " secrets below tests, examples, documentation and system folders are not looked for",
        "note",
    )


def _system_sections(report: Report) -> Iterator[Section]:
    return (section for section, _ in report.sections if section.class_ == "os-pkgs")
