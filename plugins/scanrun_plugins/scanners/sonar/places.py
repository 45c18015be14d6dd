"""Where something is: a component and a range of the server become a place of SARIF."""

from collections.abc import Mapping
from posixpath import normpath
from typing import Any
from urllib.parse import quote_from_bytes

from scanrun_plugins.scanners.sonar.answers import Flow, Spot, TextRange

_MOST_FLOWS = 20
_MOST_SPOTS = 100
_SAFE = "/!$&'()*+,;=@~"


class Places:
    """Knows the paths of a project's components."""

    def __init__(self, components: Mapping[str, str]) -> None:
        self._components = components

    def path(self, component: str, project: str) -> str:
        """Return the path of a component. A project has none: its key stands for it."""
        told = self._components.get(component, "")
        if not told:
            told = component.removeprefix(f"{project}:") if project else component
        return normpath("/" + told).lstrip("/") or "project"

    def related(self, flows: list[Flow], project: str) -> list[dict[str, Any]]:
        """Return the places that explain an issue and are no way of data, each once."""
        spots = (spot for flow in flows if flow.type != "DATA" for spot in flow.locations)
        made: dict[str, dict[str, Any]] = {}
        for spot in spots:
            place = self._place(spot, project)
            made.setdefault(repr(place), place)
        return [
            {"id": number, **each} for number, each in enumerate([*made.values()][:_MOST_SPOTS])
        ]

    def code_flows(self, flows: list[Flow], project: str) -> list[dict[str, Any]]:
        """Return the ways that data takes. The server tells them from their end."""
        return [
            {"threadFlows": [{"locations": self._steps(flow, project)}]}
            for flow in [each for each in flows if each.type == "DATA" and each.locations][
                :_MOST_FLOWS
            ]
        ]

    def _steps(self, flow: Flow, project: str) -> list[dict[str, Any]]:
        spots = [*reversed(flow.locations[:_MOST_SPOTS])]
        return [{"location": self._place(spot, project)} for spot in spots]

    def _place(self, spot: Spot, project: str) -> dict[str, Any]:
        path = self.path(spot.component, project)
        uri = quote_from_bytes(path.encode("utf-8", "surrogateescape"), safe=_SAFE)
        made: dict[str, Any] = {
            "physicalLocation": {
                "artifactLocation": {"uri": uri, "uriBaseId": "SRCROOT"},
                "region": region(spot.text_range),
            }
        }
        return made | ({"message": {"text": spot.msg}} if spot.msg else {})


def region(at: TextRange | None) -> dict[str, int]:
    """Return a region as SARIF counts: columns from 1, too, and the end outside as here."""
    if at is None:
        return {"startLine": 1}
    told = {
        "startLine": max(at.start_line, 1),
        "endLine": max(at.end_line or 1, at.start_line, 1),
        "startColumn": column(at.start_offset),
        "endColumn": column(at.end_offset),
    }
    return {name: number for name, number in told.items() if number is not None}


def column(offset: int | None) -> int | None:
    """Return the column of an offset."""
    return None if offset is None or offset < 0 else offset + 1
