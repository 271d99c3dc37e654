"""`llmr completion`: prints or installs a script that is made of the command tree."""

from pathlib import Path

from llmr.cli.completion_command import SHELLS
from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.tree import command_tree
from llmr.config.environment import Environment
from llmr.errors import OutputError, UsageError


def script(shell: str) -> str:
    """The script for a shell. Raises UsageError for one that is not known."""
    tree = command_tree()
    match shell:
        case "bash":
            from llmr.cli.completion_bash import bash_script

            return bash_script(tree)
        case "zsh":
            from llmr.cli.completion_zsh import zsh_script

            return zsh_script(tree)
        case "fish":
            from llmr.cli.completion_fish import fish_script

            return fish_script(tree)
        case _:
            raise UsageError(f"no completion for {shell!r}; known: {', '.join(SHELLS)}")


def run_completion(shell: str, *, install: bool) -> int:
    """Print the script, or put it where the shell looks. Raises UsageError, OutputError."""
    text = script(shell)
    if not install:
        print_line(text.rstrip("\n"))
        return int(ExitCode.OK)
    path = _place(shell, Environment.from_process())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {(error.strerror or 'unknown error').lower()}") from error
    print_line(f"{path} is written; a new {shell} completes llmr")
    if shell == "zsh":
        say(f"llmr: zsh looks there if ~/.zshrc says, before compinit: fpath+=({path.parent})")
    return int(ExitCode.OK)


def _place(shell: str, environment: Environment) -> Path:
    """Where each shell's own documentation says that a user's completions go."""
    data, config = environment.data_dir, environment.config_dir
    if data is None or config is None:
        raise UsageError("there is no home directory to install it in; print it instead: leave --install out")
    match shell:
        case "bash":  # bash-completion's README: $XDG_DATA_HOME/bash-completion/completions
            return data.parent / "bash-completion/completions/llmr"
        case "zsh":
            return data.parent / "zsh/site-functions/_llmr"
        case _:
            return config.parent / "fish/completions/llmr.fish"
