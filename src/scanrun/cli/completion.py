"""`scanrun completion`: what makes a shell complete scanrun's commands and options."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "fish": FishComplete,
    "zsh": ZshComplete,
}


@click.command("completion", short_help="Print the completion script for a shell.")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    For bash, put this into ~/.bashrc: eval "$(scanrun completion bash)"
    """
    complete = SHELLS[shell](context.find_root().command, {}, "scanrun", "_SCANRUN_COMPLETE")
    # not `source()`: bash's would start a bash to ask for its version
    click.echo(complete.source_template % complete.source_vars())
