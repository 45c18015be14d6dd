"""What in the tree and in the environment would change a scan: the verb is `tell_influences`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from scanrun.contracts import HasVariables, Scanner
from scanrun.model import Snapshot, Tell


def tell_influences(
    snapshot: Snapshot,
    running: Collection[Scanner],
    environment: Mapping[str, str],
    options: Mapping[str, Mapping[str, object]],
) -> Iterator[str]:
    """Yield a sentence on each. None has an effect, unless the scanner's `options` ask for it.

    A file that is left out is left out for all scanners, so it is told even if its own does not
    run. Variables are told by name: a value may be a secret.
    """
    names = {scanner.name for scanner in running}
    for tell in snapshot.tells:
        if tell.left_out:
            yield f"{tell.path!r} is kept from {tell.scanner}: it {tell.effect}"
        elif tell.scanner in names and _asked(tell, options.get(tell.scanner, {})):
            name, value = tell.heeded
            why = f"as {name} = {value!r} asks"
            yield f"{tell.path!r} is heeded by {tell.scanner}, {why}: it {tell.effect}"
        elif tell.scanner in names:
            yield f"{tell.path!r} has no effect on {tell.scanner}, though it {tell.effect}"
    for scanner in running:
        found = sorted(_heeded(scanner, environment))
        if found:
            yield f"set in the environment, with no effect on {scanner.name}: {', '.join(found)}"


def _asked(tell: Tell, options: Mapping[str, object]) -> bool:
    name, value = tell.heeded
    return bool(name) and options.get(name) == value


def _heeded(scanner: Scanner, environment: Iterable[str]) -> Iterator[str]:
    patterns = scanner.variables if isinstance(scanner, HasVariables) else ()
    for name in environment:
        if any(fnmatchcase(name, each) for each in patterns):
            yield name
