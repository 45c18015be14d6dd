"""What does a compose file hold? Read with limits, for its author may mean harm.

A few aliases of aliases can stand for more than any memory holds; so the nodes are counted, as
often as they are meant, before anything is made of them.
"""

from typing import Any

import yaml

from scanrun.api import StepError

MOST_BYTES = 1 << 20
_MOST_NODES = 100_000
_DEEPEST = 64


_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Not every build of the library has it."""


class _Loader(_Fast):  # type: ignore[misc]  # one of two
    """Dates stay text, and tags of compose's own (`!reset`) change nothing."""


# a date, made of an unquoted text, would be no text any more
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in each if not tag.endswith(":timestamp")]
    for first, each in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _plain(loader: _Loader, _suffix: str, node: yaml.Node) -> object:
    """Return what would stand there without a tag of its own."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _plain)


def load_mapping(text: bytes, name: str, *, most: int = MOST_BYTES) -> dict[str, Any]:
    """Return what a document of YAML (or JSON) holds; `name` is for messages.

    Raises:
        StepError: it is too large, can't be read, says one thing twice, or is no mapping.
    """
    if len(text) > most:
        raise StepError(f"{name!r} is larger than {most >> 20} MB")
    try:
        _check_depth(text, name)
        found = _load(text, name)
    except yaml.YAMLError as error:
        raise StepError(f"{name!r} is no YAML: {_words(error)}") from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise StepError(f"{name!r} can't be read: {error}") from error
    if not isinstance(found, dict):
        raise StepError(f"{name!r} is no mapping", hint="a compose file begins with `services:`")
    return found


def _load(text: bytes, name: str) -> object:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_nodes(node, name)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check_depth(text: bytes, name: str) -> None:
    """See to its depth before a parser goes down there, and to its length."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > _DEEPEST:
            raise StepError(f"{name!r} is nested deeper than {_DEEPEST} levels")
        if count > _MOST_NODES:
            raise _too_much(name)


def _check_nodes(node: yaml.Node, name: str) -> None:
    if _size(node, {}, name) > _MOST_NODES:
        raise _too_much(name)


def _size(node: yaml.Node, known: dict[int, int | None], name: str) -> int:
    """Return how many nodes it stands for, those behind its aliases as often as they are meant."""
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise StepError(f"{name!r} holds an alias of what it stands in")
        return size
    known[id(node)] = None
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        _check_keys(node, name)
        inner = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    size = 1 + sum(_size(each, known, name) for each in inner)
    known[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode, name: str) -> None:
    """Refuse a key that is there twice: which of them counts differs from reader to reader."""
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise StepError(f"{name!r}, line {_line(key)}: a key that is no text")
        if key.value in seen:
            raise StepError(f"{name!r}, line {_line(key)}: key {key.value!r:.100} is there twice")
        seen.add(key.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _too_much(name: str) -> StepError:
    return StepError(
        f"{name!r} stands for more than {_MOST_NODES:,} values", hint="use fewer aliases"
    )


def _words(error: yaml.YAMLError) -> str:
    """Return the parser's own words, without a piece of the file, and the line."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}" if mark else ""
        return f"{error.problem or error.context or 'error'}{at}"
    return str(error).splitlines()[0]
