"""The few things the lab asks of the container engine, through Docker's own command line."""

import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile

_PUSHES = 5
_PAUSE_S = 2


class EngineError(Exception):
    """The engine said no."""


def run(*words: str) -> str:
    """Run `docker WORDS…` and return what it printed."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)  # noqa: S607
    except FileNotFoundError as error:
        raise EngineError("no 'docker' on this machine: apt-get install -y docker.io") from error
    if done.returncode:
        raise EngineError(f"docker {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def label(reference: str, name: str) -> str:
    """Return an image's label, or nothing when there is no such image or label."""
    return _look(reference, f'{{{{index .Config.Labels "{name}"}}}}')


def image_id(reference: str) -> str:
    """Return an image's id, or nothing when there is no such image."""
    return _look(reference, "{{.Id}}")


def _look(reference: str, template: str) -> str:
    try:
        return run("image", "inspect", "--format", template, reference)
    except EngineError as error:
        if "No such image" in str(error):
            return ""
        raise


def forget(old: str) -> None:
    """Remove an image that has lost its name, unless a container or another image has it."""
    if old:
        with suppress(EngineError):
            run("rmi", old)


@contextmanager
def importing(reference: str, config: Sequence[str]) -> Iterator[tarfile.TarFile]:
    """Give a tar to write an image's files into; the image is there when the block ends well."""
    flags = [flag for each in config for flag in ("--change", each)]
    with _fed(["docker", "import", *flags, "-", reference], reference) as tar:
        yield tar


@contextmanager
def building(reference: str) -> Iterator[tarfile.TarFile]:
    """Give a tar to write the context of a build into; the image is there when the block ends."""
    with _fed(["docker", "build", "--network=none", "--tag", reference, "-"], reference) as tar:
        yield tar


@contextmanager
def _fed(command: list[str], reference: str) -> Iterator[tarfile.TarFile]:
    quiet = subprocess.DEVNULL
    with (
        TemporaryFile() as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=said) as docker,
    ):
        try:
            with tarfile.open(fileobj=docker.stdin, mode="w|") as tar:
                yield tar
        except BaseException:
            # a stream that just ends would be taken for the whole image
            docker.kill()
            raise
        docker.communicate()
        if docker.returncode:
            said.seek(0)
            error = said.read().decode(errors="replace").strip()
            raise EngineError(f"docker {command[1]} {reference}: {error}")


def _pushed(target: str) -> None:
    """Push, and again where the connection broke: what has arrived is not sent twice."""
    for left in reversed(range(_PUSHES)):
        try:
            run("push", target)
        except EngineError:
            if not left:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def push(reference: str, target: str) -> str:
    """Push an image under another name, and return the digest that the registry gave it."""
    run("tag", reference, target)
    try:
        _pushed(target)
        repository = target.rpartition(":")[0]
        names = run("image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', target)
        digests = dict(each.split("@") for each in names.splitlines())
        return digests[repository]
    finally:
        run("rmi", target)
