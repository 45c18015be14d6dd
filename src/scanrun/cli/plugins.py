"""`scanrun plugins`: what is there, where it comes from, and what runs it."""

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from scanrun.contracts import HasPlace, Scanner
from scanrun.plugins import Plugins, load_plugins


@click.command(short_help="List scanners, report formats, CI systems and engines.")
@click.option("--plugin", multiple=True, type=click.Path(path_type=Path), help="Load it, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(plugin: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001 - click's flag
    """List all plugins by kind."""
    found = load_plugins(plugin, scanned=Path(os.devnull))
    rows = list(_rows(found))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return
    width = max(len(row["name"]) for row in rows) if rows else 0
    kind = ""
    for row in rows:
        if row["kind"] != kind:
            kind = row["kind"]
            click.echo(f"{kind}:")
        click.echo(f"  {row['name']:<{width}}  {row['detail']}{row['origin']}")


def _rows(found: Plugins) -> list[dict[str, Any]]:
    kinds = {
        "scanners": found.scanners,
        "reporters": found.reporters,
        "ci_emitters": found.ci_emitters,
        "engines": found.engines,
    }
    return [
        {
            "kind": kind.replace("_", " "),
            "name": name,
            "detail": _detail(item),
            "origin": found.origins[kind, name],
        }
        for kind, items in kinds.items()
        for name, item in items.items()
    ]


def _detail(item: object) -> str:
    if not isinstance(item, Scanner):
        return ""
    on_request = isinstance(item, HasPlace) and item.on_request
    return f"{item.category.value}{', on request' if on_request else ''}  "
