"""An OpenAPI definition, read as the requests that it describes."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from standin.web import Request, origin

_METHODS = ("get", "post", "put", "delete", "patch", "head", "options")


def requests_of(text: str, target: str) -> list[Request]:
    """Return one request for each operation, all of them at the target.

    Raises:
        ValueError: it is no such definition.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError("it is no YAML") from error
    if not _mapping(_mapping(found).get("paths")):
        raise ValueError("it has no paths")
    base = _base(found, target)
    return [
        _request(base + path, method, item[method], item)
        for path, item in found["paths"].items()
        for method in _METHODS
        if isinstance(item, dict) and isinstance(item.get(method), dict)
    ]


def _base(found: Mapping[str, Any], target: str) -> str:
    servers = found.get("servers") or [{"url": found.get("basePath") or "/"}]
    return origin(target) + urlsplit(str(servers[0].get("url") or "")).path.rstrip("/")


def _request(
    url: str, method: str, operation: Mapping[str, Any], item: Mapping[str, Any]
) -> Request:
    query = []
    for parameter in [*item.get("parameters", ()), *operation.get("parameters", ())]:
        name, value = str(parameter.get("name")), _value(parameter)
        if parameter.get("in") == "path":
            url = url.replace(f"{{{name}}}", value)
        elif parameter.get("in") == "query":
            query.append(f"{quote(name)}={value}")
    url += f"?{'&'.join(query)}" if query else ""
    content = _mapping(_mapping(operation.get("requestBody")).get("content"))
    if "application/json" not in content:
        return Request(url, method.upper())
    schema = _mapping(content["application/json"].get("schema"))
    body = dict.fromkeys(_mapping(schema.get("properties")), "ZAP")
    return Request(
        url, method.upper(), body=json.dumps(body).encode(), content_type="application/json"
    )


def _value(parameter: Mapping[str, Any]) -> str:
    kind = _mapping(parameter.get("schema")).get("type") or parameter.get("type")
    return quote(str(parameter.get("example") or ("1" if kind == "integer" else "ZAP")))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
