"""Files of the scanned tree that a configuration names: read whole, or refused."""

from scanrun.api import Snapshot, StepError

_LARGEST = 4 << 20


def tree_file(snapshot: Snapshot, path: str, what: str) -> bytes:
    """Return the content of a file of the tree.

    Raises:
        StepError: there is none such among the scanned files, or it is too large.
    """
    if path not in {file.path for file in snapshot.files}:
        raise StepError(
            f"the {what} {path!r} is not among the scanned files",
            hint="name it as a path in the scanned tree",
        )
    try:
        with (snapshot.root / path).open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise StepError(f"the {what} {path!r} can't be read: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise StepError(f"the {what} {path!r} is over 4 MiB", hint="see what it is")
    return content
