"""Where in its container may a step write, and what lies there when it starts?"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from scanrun.api import Step, StepError, container_parent
from scanrun_plugins.engines.docker.hardening import SCRATCH


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of a step that become volumes, outermost only."""

    folders: tuple[str, ...]
    inner: tuple[str, ...]
    """Folders below those, to be made as well."""
    given: bool
    with_image_content: frozenset[str]
    """Folders that hold files made for the step; what the image has there must stay.

    A folder for outputs starts empty: a report that the image was built with is no answer.
    """

    @property
    def blank(self) -> bool:
        """Say whether they are empty when the step starts."""
        return not self.given and not self.inner

    def holder(self, path: str) -> str:
        """Return the volume's folder that a path lies in."""
        return next(folder for folder in self.folders if within(path, folder))


def declared_outputs(step: Step) -> tuple[str, ...]:
    """Return what is to be fetched; what the step prints is not."""
    every = dict.fromkeys((*step.outputs, *step.optional_outputs))
    return tuple(output for output in every if output != step.stdout)


def layout_of(step: Step) -> Layout:
    """Return the layout.

    Raises:
        StepError: the scanner declares a path that can't be one.
    """
    written = {container_parent(path) for path in declared_outputs(step)}
    given = {container_parent(path) for path in (*step.files, *step.host_files, *step.links)}
    for folder in written | given:
        _check(folder, step)
    if step.stdout and (not step.stdout.startswith("/") or ".." in step.stdout.split("/")):
        raise StepError(f"step {step.name!r} can't have what it prints as {step.stdout!r}")
    every = sorted(written | given)
    outermost = tuple(
        one for one in every if not any(within(one, other) and one != other for other in every)
    )
    kept = frozenset(one for one in outermost if not any(within(each, one) for each in written))
    return Layout(outermost, tuple(sorted(set(every) - set(outermost))), bool(given), kept)


def within(path: str, folder: str) -> bool:
    """Say whether a path is the folder or lies below it."""
    return PurePosixPath(path).is_relative_to(folder)


def _check(folder: str, step: Step) -> None:
    path = PurePosixPath(folder)
    if not path.is_absolute() or ".." in path.parts or folder in ("", "/", SCRATCH):
        raise StepError(f"step {step.name!r} can't have files in {folder or '/'!r}")
    for taken in _read_only(step):
        if within(folder, taken) or within(taken, folder):
            raise StepError(
                f"step {step.name!r} can't have files in {folder!r}: {taken!r} is there"
            )


def _read_only(step: Step) -> Iterable[str]:
    return (*((step.source,) if step.source else ()), *(path.rstrip("/") for path in step.caches))
