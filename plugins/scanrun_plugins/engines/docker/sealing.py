"""How do secrets get into a service's environment, and nowhere else?

Not with the container's order, which everybody who may ask the engine can read. A volume of the run
holds them as a small script; a shell of the image reads that, and becomes the image's own program.
"""

import threading
from collections.abc import Iterator, Mapping

from scanrun.api import StepError
from scanrun_plugins.engines.docker.containers import Containers, volume_mount
from scanrun_plugins.engines.docker.order import MOUNT, SECRETS, Order

_SHELL = "/bin/sh"


def script(secrets: Mapping[str, str]) -> bytes:
    """Return what the shell reads: each value between single quotes, where all stands for itself.

    Raises:
        StepError: no environment can hold one of them.
    """
    lines = []
    for variable, value in sorted(secrets.items()):
        if "\0" in value:
            raise StepError(f"the secret for {variable!r} holds a byte that no variable can (NUL)")
        lines.append("export " + variable + "='" + value.replace("'", "'\\''") + "'\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def seal(containers: Containers, volume: str, order: Order, cancel: threading.Event) -> None:
    """Put the secrets of a service into a volume.

    They are the image's user's, where that is a number. A name is not known here; the volume is in
    no other container all the same.

    Raises:
        StepError: the image has no shell that could read them.
    """
    mount = volume_mount(volume, MOUNT, read_only=False)
    shelf = containers.shelf(order.image.id, [mount], scanner=order.scanner)
    try:
        if not containers.holds(shelf, _SHELL):
            raise StepError(
                f"{_SHELL} hands the secrets to {order.service.name!r}, and its image has none",
                hint="add a shell to the image, or leave `secrets` away",
            )
        containers.put(shelf, MOUNT, _pieces(containers, order), cancel)
    finally:
        containers.remove(shelf)


def _pieces(containers: Containers, order: Order) -> Iterator[bytes]:
    user = order.image.user.partition(":")[0]
    named = bool(user) and order.image.uid is None
    packer = containers.packer(MOUNT, uid=order.image.uid or 0)
    yield from packer.folder("", 0o755)
    yield from packer.content(SECRETS, script(order.secrets), 0o444 if named else 0o400)
