"""How does the image of an application come about that is built from a Dockerfile?

By the docker program where there is one that speaks to this very engine, for it knows all that
Dockerfiles may say today; else by the engine's own builder. Layers stay in the engine's cache; the
image itself carries the run's labels, and goes with the run.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from docker.errors import DockerException, ImageNotFound

from scanrun.api import (
    Build,
    DeadlineError,
    EngineLostError,
    EngineSettings,
    MissingToolError,
    StepError,
)
from scanrun_plugins.engines.docker.connection import Connection
from scanrun_plugins.engines.docker.containers import unique_name
from scanrun_plugins.engines.docker.engine_builder import EngineBuilder
from scanrun_plugins.engines.docker.failures import (
    LOST,
    TRANSPORT_ERRORS,
    engine_errors,
    plain,
    telling_line,
)
from scanrun_plugins.engines.docker.hardening import proxies_of
from scanrun_plugins.engines.docker.images import Images
from scanrun_plugins.engines.docker.once import check_cancelled
from scanrun_plugins.engines.docker.owner import built_label
from scanrun_plugins.engines.docker.program_builder import ProgramBuilder
from scanrun_plugins.engines.docker.recipe import Job, Recipe, read_recipe
from scanrun_plugins.engines.docker.reference import Reference

BUILD_S = 900.0
"""How long a build may take."""
LOG_LIMIT = 64 << 20
_POLL_S = 0.2
_TAIL = 1 << 16
_NOT_HAD = re.compile(
    r"(?i)pull access denied|manifest unknown|manifest for .* not found|failed to resolve|"
    r"repository does not exist|no such host|failed to do request|dial tcp|image not known"
)
_BUILDERS_OWN = re.compile(
    rb"\s*(?:Step \d+/\d+ :|---> |Removing intermediate|Sending build context|DEPRECATED"
    rb"|Install the buildx|https://docs\.docker\.com/|#\d+ \[|-{4}|\S+:\d+$|\d+ \| |> \[)"
)
"""What the builders say, not what they run."""
_TOO_NEW = re.compile(
    r"(?i)requires BuildKit|Unknown (?:flag|instruction)|unknown instruction"
    r"|failed to parse platform : \"\""  # of $BUILDPLATFORM, which it does not set
)


class Building(Protocol):
    """A build that goes on."""

    def ended(self, wait_s: float) -> bool:
        """Wait a moment; say whether it has ended."""
        ...

    def good(self) -> bool:
        """Say whether it ended well; its log says what, where it did not."""
        ...

    def leave(self) -> None:
        """End it, if it goes on. Never raises."""
        ...


class Builds:
    """Builds the images of one run."""

    def __init__(
        self,
        connection: Connection,
        settings: EngineSettings,
        images: Images,
        labels: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._api: Any = connection.api  # partly untyped
        self._settings = settings
        self._images = images
        self._labels = built_label(labels)

    def image(
        self,
        build: Build,
        *,
        name: str,
        log: Path,
        cancel: threading.Event,
        say: Callable[[str], None],
    ) -> str:
        """Build the image of a service, and return its id. What is printed is appended to `log`.

        Raises:
            StepError: it can't be built.
            MissingToolError: an image that it begins with can't be had.
        """
        recipe = read_recipe(build)
        network = build.network and not self._settings.offline
        if not network:
            recipe.check_closed(self._connection.platform)
        job = Job(
            recipe=recipe,
            tag=f"{unique_name(name).lower()}:run",
            labels=self._labels,
            proxies=proxies_of(self._settings.environment) if network else {},
            network=network,
            log=log,
        )
        with self._bases(recipe, cancel, say, closed=not network):
            builder = self._builder()
            say(f"building {build.dockerfile} with {builder.title}")
            self._build(builder.begin(job), job, name, cancel)
        return self._built(job, name)

    def _builder(self) -> ProgramBuilder | EngineBuilder:
        program = ProgramBuilder.find(self._connection, self._settings.environment)
        return program or EngineBuilder(self._connection)

    @contextmanager
    def _bases(
        self,
        recipe: Recipe,
        cancel: threading.Event,
        say: Callable[[str], None],
        *,
        closed: bool,
    ) -> Iterator[None]:
        """Have the images that it begins with, by the policy that holds for all images.

        One that came from a mirror bears the name that the Dockerfile knows it by, for so long.
        """
        lent = []
        try:
            for name in recipe.images(self._connection.platform):
                if self._images.locate(name).to_pull:
                    say(f"pulling {name}")
                image = self._base(recipe, name, cancel)
                if image and not self._there(name):
                    lent.append(name)
                    self._lend(name, image)
                if closed:
                    self._check_triggers(recipe, name, image)
            yield
        finally:
            for name in lent:
                with suppress(DockerException, *TRANSPORT_ERRORS):
                    self._api.remove_image(name, noprune=True)

    def _base(self, recipe: Recipe, name: str, cancel: threading.Event) -> str:
        try:
            return self._images.prepare(name, cancel)[1].id
        except MissingToolError as error:
            raise MissingToolError(
                f"{recipe.build.dockerfile} begins with an image that can't be had: {error}",
                hint=error.hint,
            ) from error

    def _check_triggers(self, recipe: Recipe, name: str, image: str) -> None:
        """See that an image has nothing fetched, by what it says to builders."""
        # by its name, as the builder finds it; one that is known by its digest alone is the same
        found = self._inspected(name) or self._inspected(image)
        if found is None:
            raise EngineLostError(f"image {name!r} was there, and is not any more", hint=LOST)
        untold = self._untold(found)
        if untold and not recipe.build.network:
            raise StepError(
                f"the build has no network, and {name!r} can't be judged: {untold}",
                hint="the scanned tree alone names it: read it, then --trust-config",
            )
        recipe.check_triggers(name, (found.get("Config") or {}).get("OnBuild") or ())

    def _untold(self, found: Mapping[str, Any]) -> str:
        """Return why it is not known what an image has builders do; empty: it is."""
        if self._connection.podman:
            return "Podman does not tell of its `ONBUILD`"
        platform = f"{found.get('Os', '?')}/{found.get('Architecture', '?')}"
        if platform != self._connection.platform:
            return f"it is for {platform}, so a builder may fetch another one"
        return ""

    def _there(self, name: str) -> bool:
        return self._inspected(name) is not None

    def _inspected(self, name: str) -> dict[str, Any] | None:
        with engine_errors(f"looking for image {name!r}"):
            try:
                found: dict[str, Any] = self._api.inspect_image(name)
            except ImageNotFound:
                return None
        return found

    def _lend(self, name: str, image: str) -> None:
        reference = Reference.parse(name)
        if reference.digest:
            return
        with engine_errors(f"naming image {name!r}"):
            self._api.tag(image, reference.repository, reference.tag or "latest", force=False)

    def _build(self, building: Building, job: Job, name: str, cancel: threading.Event) -> None:
        try:
            _watch(building, job, name, cancel)
            good = building.good()
        finally:
            building.leave()
        if not good:
            raise _failure(job, name)

    def _built(self, job: Job, name: str) -> str:
        with engine_errors(f"looking at the image of {name!r}"):
            try:
                found = self._api.inspect_image(job.tag)
            except ImageNotFound:
                raise EngineLostError(
                    f"the image of {name!r} was built, and is not on the engine", hint=LOST
                ) from None
        return str(found["Id"])


def _watch(building: Building, job: Job, name: str, cancel: threading.Event) -> None:
    """Return when it has ended; raise when it has to."""
    deadline = time.monotonic() + BUILD_S
    while not building.ended(_POLL_S):
        check_cancelled(cancel)
        if time.monotonic() > deadline:
            raise DeadlineError(
                f"the build of {name!r} was stopped: it ran longer than {BUILD_S:g} s"
                + _said(_tail(job.log)),
                hint="build the image beforehand, and name it in `image`",
            )
        if job.log.stat().st_size > LOG_LIMIT:
            raise StepError(f"the build of {name!r} printed more than {LOG_LIMIT >> 20} MB")


def _failure(job: Job, name: str) -> StepError | MissingToolError:
    """Return what the end of its log means."""
    *before, last = _tail(job.log) or [b"nothing in its log"]
    reason = plain(last.decode("utf-8", "replace"))
    message = f"the build of {name!r} failed: {reason}{_said(before, reason)}"
    if _NOT_HAD.search(reason):
        hint = "check the names in it, the registry login (`docker login`) and the network"
        return MissingToolError(message, hint=hint)
    if _TOO_NEW.search(reason):
        return StepError(message, hint="install the docker program with buildx beside scanrun")
    if not job.recipe.build.network:
        hint = (
            "it had no network, for the scanned tree alone names it: read it, then --trust-config"
        )
        return StepError(message, hint=hint)
    by_hand = f"docker build -f {job.recipe.build.dockerfile}"
    return StepError(message, hint=f"try it by hand ({by_hand}); its log is kept")


def _tail(log: Path) -> list[bytes]:
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, 2) - _TAIL))
        return [line for line in stream.read().splitlines() if line.strip()]


def _said(lines: list[bytes], known: str = "") -> str:
    words = telling_line(b"\n".join(each for each in lines if not _BUILDERS_OWN.match(each)))
    return f"; it said: {words}" if words and words not in known else ""
