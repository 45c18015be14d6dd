"""Writes reports: the verb is `write`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from standin.rules import CONFIDENCES

ENDINGS = {
    "traditional-json": ".json",
    "traditional-json-plus": ".json",
    "traditional-xml": ".xml",
    "traditional-xml-plus": ".xml",
    "traditional-html": ".html",
    "traditional-md": ".md",
}
_SIMPLE = (
    *("pluginid", "alertRef", "alert", "name", "riskcode", "confidence", "riskdesc"),
    *("confidencedesc", "desc"),
)
_AFTER = (
    *("count", "systemic", "solution", "otherinfo", "reference", "cweid", "wascid"),
    "sourceid",
)


def write(path: Path, template: str, document: dict[str, Any]) -> None:
    """Write a document by one of the templates.

    Raises:
        OSError: it can't be written.
    """
    if ENDINGS[template] == ".json":
        text = json.dumps(document, indent="\t") + "\n"
    elif ENDINGS[template] == ".xml":
        text = "\n".join(_xml(document))
    else:
        names = [alert["name"] for site in document["site"] for alert in site["alerts"]]
        text = "\n".join(["# ZAP Scanning Report", *names, ""])
    path.write_text(text)


def _xml(document: dict[str, Any]) -> Iterator[str]:
    yield '<?xml version="1.0"?>'
    names = ("programName", "version", "generated")
    told = "".join(f" {name}={quoteattr(document['@' + name])}" for name in names)
    yield f"<OWASPZAPReport{told} created={quoteattr(document['created'])}>"
    for site in document["site"]:
        keys = ("name", "host", "port", "ssl")
        yield "<site" + "".join(f" {key}={quoteattr(site['@' + key])}" for key in keys) + ">"
        yield "<alerts>"
        for alert in site["alerts"]:
            yield from _alert(alert)
        yield "</alerts>\n</site>"
    yield "<insights>"
    for insight in document["insights"]:
        yield f"<insight>\n{_elements(insight, tuple(insight))}\n</insight>"
    yield "</insights>\n</OWASPZAPReport>"


def _alert(alert: dict[str, Any]) -> Iterator[str]:
    told = alert | {
        "confidencedesc": CONFIDENCES[int(alert["confidence"])],
        "systemic": str(alert["systemic"]).lower(),
    }
    yield f"<alertitem>\n{_elements(told, _SIMPLE)}\n<instances>"
    for instance in alert["instances"]:
        keys = tuple(key for key in instance if key != "id")
        yield f"<instance>\n{_elements(instance, keys)}\n</instance>"
    yield f"</instances>\n{_elements(told, _AFTER)}\n</alertitem>"


def _elements(values: dict[str, Any], keys: tuple[str, ...]) -> str:
    marks = {'"': "&quot;", "'": "&apos;"}
    return "\n".join(f"<{key}>{escape(values[key], marks)}</{key}>" for key in keys)
