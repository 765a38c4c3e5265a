"""`completion`: print the script with which a shell completes command lines."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from exporter.cli.options import examples
from exporter.cli.output import say

PROGRAM = "telnyx-sim-exporter"
VARIABLE = "_TELNYX_SIM_EXPORTER_COMPLETE"
"""With it set, the program answers the shell's questions instead of running a command."""

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "fish": FishComplete,
    "zsh": ZshComplete,
}


@click.command(
    "completion",
    short_help="Print the completion script of a shell.",
    epilog=examples(
        ("Bash: put this line into ~/.bashrc", "source <(telnyx-sim-exporter completion bash)"),
        (
            "Zsh: put this line into ~/.zshrc, after compinit",
            "source <(telnyx-sim-exporter completion zsh)",
        ),
        (
            "Fish: put this line into ~/.config/fish/config.fish",
            "telnyx-sim-exporter completion fish | source",
        ),
    ),
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that lets SHELL complete commands, options and files."""
    complete = SHELLS[shell](ctx.find_root().command, {}, PROGRAM, VARIABLE)
    # The method of all shells: that of Bash starts a Bash to ask for its version.
    say(ShellComplete.source(complete) + "\n")
