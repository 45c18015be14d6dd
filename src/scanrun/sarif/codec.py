"""How SARIF objects become JSON: one compiled function per class, bytes that are always the same.

sarif_om knows the names but has no writer. Walking its metadata for every object costs ten times
what the rest of a conversion does, so the walk is done once per class and becomes a function.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import attr
import msgspec
import sarif_om

_KEPT = frozenset({"level", "kind"})
"""Written even when they say the default: without them the rule's own default would apply."""
_MEANINGFUL_WHEN_EMPTY = frozenset({"results", "suppressions"})
"""Absent means "not run" and "all or none"; empty means there are none."""
_RENAMED = {(sarif_om.Suppression, "state"): "status"}
"""sarif_om was made from a draft of the standard."""
_ATOMS = frozenset({str, int, float, bool, type(None)})
_CONTAINERS = frozenset({list, dict})

_UNSEEN = re.compile(rb"\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
"""Control characters beyond ASCII (JSON escapes the others), and those that set a direction."""

_compiled: dict[type, Callable[[Any], dict[str, Any]]] = {}
_encoder = msgspec.json.Encoder(order="deterministic")


def to_json(item: object) -> dict[str, Any]:
    """Return a sarif_om object as a dict under SARIF's own names, ready for `dumps`.

    What an object does not say (None, a field's own placeholder such as -1, an empty list) is
    left out; a real -1, as an exit code may be, stays.
    """
    kind = type(item)
    encode = _compiled.get(kind)
    if encode is None:
        encode = _compiled[kind] = _encoder_of(kind)
    return encode(item)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `to_json` makes of a dict: nothing but dicts, lists and what JSON knows."""
    return {key: value if type(value) is str else _value(value) for key, value in values.items()}


def dumps(value: object) -> bytes:
    """Return compact JSON with sorted keys; what is no Unicode in a text is escaped in it.

    Also what a terminal obeys, or turns a line around with: a log may be shown as it is.
    """
    try:
        encoded = _encoder.encode(value)
    except UnicodeEncodeError:
        encoded = _encoder.encode(_without_surrogates(value))
    return encoded if encoded.isascii() else _UNSEEN.sub(_escaped, encoded)


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode())


def _encoder_of(kind: type) -> Callable[[Any], dict[str, Any]]:
    """Return what writes objects of `kind`, some of which may still be the JSON they become."""
    encode = _compile(kind)
    sealed: Callable[[Any], dict[str, Any] | None] | None = getattr(kind, "sealed_json", None)
    return encode if sealed is None else lambda item: sealed(item) or encode(item)


def _compile(kind: type) -> Callable[[Any], dict[str, Any]]:
    """Return a function that writes objects of `kind`: one `if` per field, nothing looked up."""
    names: dict[str, Any] = {"_value": _value, "_CONTAINERS": _CONTAINERS}
    lines = ["def encode(item):", "    out = {}"]
    for number, field in enumerate(attr.fields(kind)):
        name = _sarif_name(kind, field)
        default = names[f"_default{number}"] = _default(field)
        test = "value is not None"
        if name not in _KEPT and default is not None:
            test += f" and value != _default{number}"
        if name not in _MEANINGFUL_WHEN_EMPTY:
            # an object is never empty, and comparing one takes longer than writing it
            test += " and (value or type(value) not in _CONTAINERS)"
        lines += [
            f"    value = item.{field.name}",
            f"    if {test}:",
            f"        out[{name!r}] = _value(value)",
        ]
    lines.append("    return out")
    exec("\n".join(lines), names)  # noqa: S102 - made of sarif_om's own field names
    encode: Callable[[Any], dict[str, Any]] = names["encode"]
    return encode


def _sarif_name(kind: type, field: "attr.Attribute[Any]") -> str:
    for (owner, attribute), name in _RENAMED.items():
        if issubclass(kind, owner) and field.name == attribute:
            return name
    return str(field.metadata["schema_property_name"])


def _default(field: "attr.Attribute[Any]") -> object:
    if field.default is attr.NOTHING:
        return None
    factory = getattr(field.default, "factory", None)
    return factory() if factory else field.default


def _value(value: Any) -> Any:  # noqa: ANN401 - any JSON value, or an object that becomes one
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list or kind is tuple:
        return [_value(each) for each in value]
    if kind is dict:
        return {key: _value(each) for key, each in value.items()}
    if kind in _compiled or attr.has(kind):
        return to_json(value)
    if isinstance(value, Mapping):
        return {key: _value(each) for key, each in value.items()}
    return value


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with surrogate escapes (file names that are no UTF-8) spelt out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(each) for each in value]
    return value
