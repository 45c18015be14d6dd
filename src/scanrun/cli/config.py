"""`scanrun config`: what is configured, where each value comes from, and what there is to say."""

import json
import os
from pathlib import Path

import click

from scanrun.cli.session import gather
from scanrun.config.schema import config_schema
from scanrun.config.show import as_toml, values
from scanrun.plugins import load_plugins


@click.group("config", short_help="Show the configuration at hand, or its schema.")
def command() -> None:
    """Show the configuration at hand, or its schema."""


@command.command("show")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--config", "file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--plugin", "plugins", metavar="PATH", multiple=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of TOML.")
def show(path: Path, file: Path | None, plugins: tuple[Path, ...], *, as_json: bool) -> None:
    """Print the effective configuration for PATH, with what set each value."""
    # nothing is run here, so showing needs no trust
    loaded = gather(path, config=file, plugins=plugins, trusted=True).loaded
    if as_json:
        document = {
            "file": str(loaded.file) if loaded.file else None,
            "settings": values(loaded),
            "origin": dict(loaded.origin),
            "told": list(loaded.told),
        }
        click.echo(json.dumps(document, indent=2))
        return
    source = ascii(str(loaded.file))[1:-1] if loaded.file else "no configuration file"
    click.echo(f"# {source}\n")
    click.echo(as_toml(loaded), nl=False)
    for sentence in loaded.told:
        click.echo(f"note: {sentence}", err=True)


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    click.echo(json.dumps(config_schema(load_plugins(scanned=Path(os.devnull)).scanners), indent=2))
