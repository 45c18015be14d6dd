"""Which image runs a step, and is it the one that was meant?

`scanrun.lock` is obeyed to the letter: an image of the right name with another digest is not
used. What runs is the image's id, so that a tag moved meanwhile changes nothing.
"""

import threading
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from scanrun.api import EngineSettings, Located, MissingToolError, ScanError
from scanrun_plugins.engines.docker.connection import Connection
from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS, engine_errors, plain
from scanrun_plugins.engines.docker.once import Once
from scanrun_plugins.engines.docker.pulling import pull
from scanrun_plugins.engines.docker.reference import Reference

_EXPORT_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has."""

    id: str
    name: str
    digest: str
    platform: str


class Images:
    """The images of one run."""

    def __init__(self, connection: Connection, settings: EngineSettings) -> None:
        self._connection = connection
        self._api: Any = connection.api  # partly untyped
        self._settings = settings
        self._pull = "never" if settings.offline else settings.pull
        self._once = Once()

    def locate(self, text: str, *, pulled: bool = True) -> Located:
        """Say what would be used for a reference; `pulled`: a registry has it. Changes nothing."""
        located = Located(text, Reference.parse(text).version, self._wanted(text))
        try:
            with engine_errors(f"looking for image {text!r}"):
                image = self._find(text)
        except ScanError as error:
            return replace(located, problem=str(error), hint=error.hint)
        if image is not None:
            return self._describe(located, image)
        if self._pull == "never" or not pulled:
            missing = self._missing(text, pulled=pulled)
            return replace(located, problem=str(missing), hint=missing.hint)
        note = self._note(text, "to be pulled")
        return replace(located, reference=self._to_pull(text), note=note, to_pull=True)

    def prepare(
        self, text: str, cancel: threading.Event, *, pulled: bool = True
    ) -> tuple[Located, Image]:
        """Return the image, pulled where the policy says so: once, whoever asks.

        Raises:
            MissingToolError: it can't be had.
        """
        image = self._once.get(text, lambda: self._ensure(text, cancel, pulled=pulled), cancel)
        return self._describe(Located(text, Reference.parse(text).version), image), image

    def digest(self, text: str) -> str:
        """Return the digest that the registry has for the reference now."""
        if self._settings.offline:
            raise MissingToolError(f"image {text!r} can't be looked up offline")
        asked = Reference.parse(text).mirrored(self._settings.mirror)
        try:
            found = self._api.inspect_distribution(str(asked))
            return str(found["Descriptor"]["digest"])
        except (APIError, KeyError):
            # Podman can't look at a registry, and some registries refuse to be asked this way
            return self._digest_by_pulling(text)
        except (*TRANSPORT_ERRORS, DockerException) as error:
            raise MissingToolError(
                f"image {text!r} can't be looked up: {plain(str(error))}"
            ) from error

    def export(self, text: str, archive: Path) -> None:
        """Write the image as `docker save` does, whole or not at all."""
        _, image = self.prepare(text, threading.Event())
        partial = archive.with_name(f"{archive.name}.part")
        try:
            with partial.open("wb") as sink:
                self._save(image, sink)
            partial.replace(archive)
        finally:
            partial.unlink(missing_ok=True)

    def _save(self, image: Image, sink: IO[bytes]) -> None:
        """Fetch the archive; the engine puts all of it together before it sends a byte."""
        url = f"{self._api.base_url}/v{self._api.api_version}/images/{image.name}/get"
        with (
            engine_errors(f"exporting image {image.name!r}"),
            self._api.get(url, stream=True, timeout=_EXPORT_TIMEOUT_S) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                raise MissingToolError(f"image {image.name!r} can't be exported")
            for chunk in response.iter_content(1 << 20):
                sink.write(chunk)

    def _ensure(self, text: str, cancel: threading.Event, *, pulled: bool) -> Image:
        policy = self._pull if pulled else "never"
        with engine_errors(f"looking for image {text!r}"):
            image = None if policy == "always" else self._find(text)
        if image is None and policy == "never":
            raise self._missing(text, pulled=pulled)
        if image is None:
            image = self._pulled(text, cancel)
        system = image.platform.partition("/")[0]
        if system != self._connection.platform.partition("/")[0]:
            raise MissingToolError(
                f"image {text!r} is for {system}, which this engine does not run"
            )
        return image

    def _pulled(self, text: str, cancel: threading.Event) -> Image:
        pull(self._api, self._to_pull(text), cancel)
        with engine_errors(f"looking for image {text!r}"):
            image = self._find(text, mirror_first=True)
        if image is None:
            raise MissingToolError(f"image {text!r} was pulled, and is not what was asked for")
        return image

    def _find(self, text: str, *, mirror_first: bool = False) -> Image | None:
        """Return the local image of that reference, under its own or the mirror's name."""
        asked = Reference.parse(text)
        names = dict.fromkeys((asked, asked.mirrored(self._settings.mirror)))
        for name in reversed(names) if mirror_first else names:
            if image := self._inspect(name, self._wanted(text)):
                return image
        return None

    def _inspect(self, reference: Reference, wanted: str) -> Image | None:
        name = reference.at(wanted) if wanted else str(reference)
        try:
            found = self._api.inspect_image(name)
        except (ImageNotFound, NotFound):
            return None
        digests = [each for each in found.get("RepoDigests") or () if "@" in each]
        own = [each.partition("@")[2] for each in digests if _same(each, reference)]
        if wanted and wanted not in own:
            return None
        platform = f"{found.get('Os', '?')}/{found.get('Architecture', '?')}"
        return Image(found["Id"], name, wanted or next(iter(own), ""), platform)

    def _wanted(self, text: str) -> str:
        """Return the digest that the lock file, or the reference itself, insists on."""
        return self._settings.digests.get(text) or Reference.parse(text).digest

    def _to_pull(self, text: str) -> str:
        asked = Reference.parse(text).mirrored(self._settings.mirror)
        wanted = self._wanted(text)
        return asked.at(wanted) if wanted else str(asked)

    def _digest_by_pulling(self, text: str) -> str:
        asked = Reference.parse(text).mirrored(self._settings.mirror)
        pull(self._api, str(asked), threading.Event())
        with engine_errors(f"looking for image {text!r}"):
            image = self._inspect(asked, "")
        if image is None or not image.digest:
            raise MissingToolError(f"the registry tells no digest of image {text!r}")
        return image.digest

    def _describe(self, located: Located, image: Image) -> Located:
        foreign = ""
        if image.platform != self._connection.platform:
            foreign = f"built for {image.platform}, the engine is {self._connection.platform}"
        note = ", ".join(filter(None, (self._note(located.reference, ""), foreign)))
        return replace(located, digest=image.digest, note=note, foreign=foreign)

    def _note(self, text: str, start: str) -> str:
        pinned = "pinned by scanrun.lock" if text in self._settings.digests else ""
        return ", ".join(part for part in (start, pinned) if part)

    def _missing(self, text: str, *, pulled: bool) -> MissingToolError:
        where = "not here"
        if text in self._settings.digests:
            where = "not here with the digest of scanrun.lock"
        if not pulled:
            name = Reference.parse(text).repository.rpartition("/")[2]
            own = f": docker build -t {text} images/{name}" if text.startswith("scanrun/") else ""
            return MissingToolError(
                f"image {text!r} is {where}, and no registry has it", hint=f"build it{own}"
            )
        if self._settings.offline:
            return MissingToolError(
                f"image {text!r} is {where}, and this run is offline",
                hint="pull it while there is a network, or load it into the engine",
            )
        hint = "allow it with `--pull missing`, or load the image into the engine"
        return MissingToolError(f"image {text!r} is {where}, and is not to be pulled", hint=hint)


def _same(repo_digest: str, reference: Reference) -> bool:
    found = Reference.parse(repo_digest)
    # Podman writes out the hub's host and its `library/`, Docker leaves them away
    return found.repository.removeprefix("library/") == reference.repository.removeprefix(
        "library/"
    )
