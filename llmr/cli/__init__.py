"""The command line: one file per command, loaded when it is asked for.

`llmr --help` lists the commands from `COMMANDS` without importing one of them, so that help and completion start at the
speed of the argument parser (a test lists sys.modules). A command's module declares its arguments; what it does is behind
late imports. Errors of ours end here, as one line and an exit code; anything else is a bug and says so.
"""

import errno
import sys
from collections.abc import Mapping
from contextvars import copy_context
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from llmr import __version__

if TYPE_CHECKING:
    from llmr.errors import LlmrError

_CLOSED_PIPE: Final = 141  # ExitCode.CLOSED_PIPE, without the import that only failures pay for

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "chat": "Ask. The answer streams to stdout; if a provider fails, the next one is asked.",
        "rank": "Show the order that chat would use now, and why.",
        "explain": "Tell one request's story: the decision, each attempt, waits, costs.",
        "simulate": "Try your routing.toml on a bad day, beside what others do.",
        "providers": "See how the providers are: status, list, probe, reset, open, close.",
        "stats": "See latency, success, tokens and spend over time; --html FILE makes a page of it.",
        "cache": "See how the answer cache serves, and empty it: stats, purge.",
        "models": "List models: windows, capabilities, prices, on or off; refresh the table.",
        "keys": "Keep keys in the keyring or a private file, list, import and try them.",
        "serve": "Serve the router to tools that take a base URL: OpenAI's and Anthropic's API.",
        "config": "Write, see, edit, check and trust configuration files.",
        "log": "Conversations that were kept: list, search, show, export, purge.",
        "templates": "Your own ways of asking: list, show, save, edit, rm.",
        "doctor": "Look over versions, settings, keys, files, state, clock, network and terminal.",
        "completion": "Print the completion script for bash, zsh or fish.",
        "man": "Print the manual page.",
        "help": "Explain exit codes, the JSON output and the environment variables.",
    }
)


class LazyGroup(TyperGroup):
    """Commands by name, imported on use."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002 - typer's signature
        """The names, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """The command. Raises UsageError with the nearest name: typer knows none of them, so it could not suggest one."""
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # completion asks for what is only half typed
                return None
            from llmr.config.wording import suggestion
            from llmr.errors import UsageError

            raise UsageError(f"no such command: {cmd_name!r}{suggestion(cmd_name, COMMANDS)}")
        command = get_command(import_module(f"llmr.cli.{cmd_name}_command").app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=LazyGroup,
    name="llmr",
    help="The LLM router that lives in your terminal.",
    epilog="Start with: llmr chat --demo 'hello'",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # commands inherit it
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmr {__version__}")
        raise typer.Exit


@app.callback()
def _root(  # pyright: ignore[reportUnusedFunction] - typer calls it
    version: bool = typer.Option(False, "--version", is_eager=True, callback=_show_version, help="Show the version."),
    no_pager: bool = typer.Option(False, "--no-pager", help="Show long views at once, not a screen at a time."),
    env_file: str = typer.Option(
        "",
        "--env-file",
        metavar="FILE",
        help="Take …_API_KEY and a few LLMR_ settings from this file; none is read unasked.",
    ),
) -> None:
    del version
    if no_pager:
        from llmr.cli.pager import unpaged

        unpaged.set(True)
    if env_file:
        _take(env_file)


def _take(env_file: str) -> None:
    """Have this run see what the file says. Raises ConfigError."""
    from pathlib import Path

    from llmr.cli.say import say
    from llmr.config.env_file import read_env_file
    from llmr.config.environment import said_by_file

    read = read_env_file(Path(env_file))
    said_by_file.set(read.variables)
    if read.notice is not None:
        say(f"llmr: {read.notice}")


def run(arguments: list[str]) -> int:
    """Run the command line. The exit code; errors have been told on stderr."""
    from llmr.errors import LlmrError

    try:
        copy_context().run(app, args=arguments, prog_name="llmr")  # what --env-file says ends with the run
    except LlmrError as error:
        return _told(error)
    except SystemExit as end:
        if (
            end.code == 1 and type(sys.stdout).__name__ == "PacifyFlushWrapper"
        ):  # how typer says that the reader has gone
            return _CLOSED_PIPE
        return _helped(arguments, end.code if isinstance(end.code, int) else 0)
    except OSError as error:  # a full disk under `--help > FILE`; our own writing has its own errors
        return _unwritten(error)
    return _helped(arguments, 0)


def _helped(arguments: list[str], code: int) -> int:
    """The code, but for a help text that went nowhere: the parser does not mind a closed stdout."""
    asked = not {"-h", "--help", "--version"}.isdisjoint(arguments)
    if code or not asked or sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `>&-`
        return code
    from llmr.cli.exit_codes import ExitCode
    from llmr.cli.say import say

    say("llmr: standard output is closed")
    return int(ExitCode.OUTPUT)


def _unwritten(error: OSError) -> int:
    """Help or version text that did not get out. Raises the error where it is not that."""
    from llmr.cli.exit_codes import ExitCode
    from llmr.cli.say import say

    if error.errno not in {errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT, errno.EFBIG}:
        raise error
    say(f"llmr: this cannot be written to standard output: {error.strerror}")
    sys.stdout = None  # what is still buffered has been tried
    return int(ExitCode.OUTPUT)


def _told(error: "LlmrError") -> int:
    from llmr.cli.exit_codes import exit_code_of
    from llmr.cli.failure import check_hint
    from llmr.cli.output import ClosedPipe
    from llmr.cli.say import complain, say
    from llmr.errors import ConfigError

    if isinstance(error, ClosedPipe):
        return int(error.code)
    complain(error)
    if isinstance(error, ConfigError) and (hint := check_hint(error)) is not None:
        say(f"  {hint}")
    return int(exit_code_of(error))


def crashed(error: BaseException) -> int:
    """Tell of a bug in one line, with the traceback only where LLMR_DEBUG asks for it."""
    from llmr.cli.exit_codes import ExitCode
    from llmr.cli.say import say
    from llmr.config.environment import Environment

    say(f"llmr: unexpected {type(error).__name__}: {error} (a bug; LLMR_DEBUG=1 shows where)")
    if Environment.from_process().debug:
        import traceback

        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line)
    sys.stdout = None  # whatever is still buffered has been tried
    return int(ExitCode.UNEXPECTED)
