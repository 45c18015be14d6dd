"""Which commands there are, and what the shell sees when one of them ends.

A command's module is imported when it is called: `--help` and `--version` must stay fast, so
nothing here imports a plugin, docker, pydantic or rich.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import click

from scanrun import __version__
from scanrun.cli.streams import silence, unread
from scanrun.errors import ExitCode, ScanrunError

COMMANDS = {
    "all": ("scan", "Run every scanner that applies, and gate on what they find."),
    "scan": ("scan", "Run the named scanners, and gate on what they find."),
    "gate": ("gate", "Judge saved SARIF logs again, without scanning."),
    "convert": ("convert", "Turn a scanner's report into SARIF."),
    "merge": ("merge", "Put several SARIF logs into one."),
    "emit": ("emit", "Print the file with which a CI system calls scanrun."),
    "init": ("init", "Write a commented scanrun.toml that fits this tree."),
    "doctor": ("doctor", "Check engine, images, databases and configuration."),
    "plugins": ("plugins", "List scanners, report formats, CI systems and engines."),
    "lock": ("lock", "Resolve images to digests and write scanrun.lock."),
    "cache": ("cache", "Update, show, save and restore scanners' databases."),
    "config": ("config", "Show the configuration at hand, or its schema."),
    "completion": ("completion", "Print the completion script for a shell."),
}
"""Name -> (module below `scanrun.cli`, one line of help)."""


_LONGEST = 2000


class _UnreadError(Exception):
    """Whoever should read what a command prints is gone (`| head`)."""


@contextmanager
def _not_clicks() -> Iterator[None]:
    """Keep a lost reader from click, which would end with a 1 of its own: "gate failed"."""
    try:
        yield
    except BrokenPipeError as error:
        raise _UnreadError from error


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports one only when it is called."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401 - click's
        """Read the command line, and print `--help` where it asks for that."""
        with _not_clicks():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as above
        """Call the command."""
        with _not_clicks():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"scanrun.cli.{COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, "commands", {}).get(cmd_name) or module.command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List names and lines from the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is none of that name."""
        from scanrun.nearest import nearest  # noqa: PLC0415 - only on a mistake

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = nearest(args[0], COMMANDS)
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", "-V", message="scanrun %(version)s")
def cli() -> None:
    """Launch security scanners, read them into one SARIF log, gate a pipeline on it.

    Start with: scanrun all --fail-on high
    """


def run(args: Sequence[str]) -> int:
    """Run the command line `args` and return the exit code. Bugs show their traceback, code 4."""
    try:
        code = cli.main(args=list(args), prog_name="scanrun", standalone_mode=False)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence: a bug is no verdict
        with suppress(Exception), unread(sys.stderr):  # however it is shown, the code stays
            _show(error)
        return _exit_code(error)
    return int(code) if isinstance(code, int) else ExitCode.PASSED


def _exit_code(error: BaseException) -> ExitCode:
    """Return what the shell is told."""
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        return ExitCode.INTERRUPTED
    if isinstance(error, click.ClickException):
        return ExitCode.USAGE
    return error.exit_code if isinstance(error, ScanrunError) else ExitCode.BUG


def _show(error: BaseException) -> None:
    """Show what went wrong."""
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        click.echo("interrupted", err=True)
    elif isinstance(error, click.ClickException):
        error.show()
    elif isinstance(error, ScanrunError):
        show_error(error)
    elif isinstance(error, _UnreadError | BrokenPipeError):
        silence(sys.stdout)
        silence(sys.stderr)
    elif isinstance(error, SystemExit):
        # a command returns its code, so this is a plugin's: `sys.exit(0)` must not read as passed
        click.echo(f"scanrun: a plugin exited ({error.code!r}), which is a bug of it", err=True)
    else:
        import traceback  # noqa: PLC0415 - only on a bug

        traceback.print_exception(error)
        click.echo("scanrun: this is a bug of scanrun or of a plugin; please report it", err=True)


def show_error(error: ScanrunError) -> None:
    """Print what broke, and what to try. Names of files may hold escapes, addresses passwords."""
    from scanrun.request import secrets_in  # noqa: PLC0415 - only on an error
    from scanrun.sarif.mask import Masker, clean_text  # noqa: PLC0415 - as above

    mask = Masker(secrets_in(os.environ)).text
    click.echo(f"error: {mask(clean_text(str(error), _LONGEST))}", err=True)
    if error.hint:
        click.echo(f"  try: {mask(clean_text(error.hint, _LONGEST))}", err=True)
