"""What is an image built from? Its Dockerfile, and the folder that goes with it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath

from scanrun.api import Build, StepError
from scanrun_plugins.engines.docker.dockerfile import Stage, fetches_of, images_of, stages_of
from scanrun_plugins.engines.docker.packing import open_below

_MOST = 1 << 20
_FRONTEND = "BUILDKIT_"
"""Arguments that are for the builder itself: another one may be named by them."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A Dockerfile and the folder that goes with it, both inside of the scanned tree."""

    build: Build
    context: Path
    """Links resolved."""
    file: Path
    """Links resolved."""
    content: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Return the Dockerfile's path below the context, as the builder is told it."""
        return normpath(self.build.dockerfile)

    def images(self, platform: str) -> tuple[str, ...]:
        """Return the images that the build begins with, as far as they can be told.

        `platform` is the engine's own.
        """
        return images_of(self._stages(platform))

    def check_closed(self, platform: str) -> None:
        """Refuse what the builder itself would fetch: that a build has no network does not hold it.

        Raises:
            StepError: the Dockerfile says so, or may say so to a reader of its own.
        """
        self._refuse(self.build.dockerfile, self._fetched(platform))

    def check_triggers(self, image: str, triggers: Iterable[str]) -> None:
        """Refuse an image whose own instructions (`ONBUILD`) have the builder fetch something.

        Raises:
            StepError: it has such ones.
        """
        self._refuse(image, (line for each in triggers for line in fetches_of(each)))

    def _refuse(self, name: str, fetches: Iterable[str]) -> None:
        if found := next(iter(fetches), ""):
            hint = "the scanned tree alone names it: read it, then --trust-config"
            offline = "offline, a builder fetches nothing: use COPY, and the engine's own platform"
            raise StepError(
                f"the build has no network, and {name!r} has {found[:200]!r}",
                hint=offline if self.build.network else hint,
            )

    def _fetched(self, platform: str) -> Iterator[str]:
        yield from fetches_of(self._text)
        yield from (name for name in self.build.args if name.upper().startswith(_FRONTEND))
        trusted = self.build.network
        for stage in self._stages(platform):
            if stage.foreign or (stage.untold and not trusted):
                yield stage.line

    def _stages(self, platform: str) -> tuple[Stage, ...]:
        build = self.build
        return stages_of(
            self._text,
            target=build.target,
            args=build.args,
            platform=platform,
            # what nobody has read, a builder may begin with any of
            every=not build.network,
        )

    @property
    def _text(self) -> str:
        text = self.content.decode("utf-8", "replace").removeprefix("\ufeff")
        return text.replace("\r\n", "\n")


def read_recipe(build: Build) -> Recipe:
    """Return what there is to build.

    Raises:
        StepError: it is not there, or lies outside of the scanned tree.
    """
    root = build.root.resolve()
    context = build.context.resolve()
    file = (context / build.dockerfile).resolve()
    for place, option in ((context, "context"), (file, "dockerfile")):
        if not place.is_relative_to(root):
            raise StepError(
                f"`{option}` leads out of the scanned folder, to {str(place)!r}",
                hint="images are built of what is scanned",
            )
    if not context.is_dir():
        raise StepError(f"`context` is no folder: {str(build.context)!r}", hint="mend it in [app]")
    return Recipe(build, context, file, _content(root, file, build.dockerfile))


def _content(root: Path, file: Path, name: str) -> bytes:
    stream = open_below(root, file.relative_to(root).as_posix())
    if stream is None:
        raise StepError(
            f"there is no Dockerfile {name!r} in `context`",
            hint="mend `dockerfile` and `context` in [app]",
        )
    with stream:
        content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        raise StepError(f"{name!r} is larger than any Dockerfile")
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One image that is to be built."""

    recipe: Recipe
    tag: str
    labels: Mapping[str, str]
    proxies: Mapping[str, str] = field(repr=False)
    """Variables of the build that no image keeps."""
    network: bool
    log: Path
    """What is printed is appended there."""
