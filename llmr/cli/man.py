"""The manual page, made of the command tree and of the topics of `llmr help`: there is no second text to keep.

It is also shipped, with the completion scripts, as files under `share/` that a wheel puts where `man` and the shells look
(`python -m llmr.cli.man share` makes them all; a test says when they are old). Nothing runs when llmr is installed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from llmr import __version__
from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import print_line
from llmr.cli.topics import MEANINGS, variables
from llmr.cli.tree import Argument, Node, Option, command_tree

_ABOUT: Final = (
    "llmr asks one of several providers of language models: the best one now, by price, latency, success and your own "
    "rules; and the next one when it fails before its first token. The answer is all that standard output holds. What one "
    "run learns of a provider, the next one knows."
)

_FILES: Final = (
    ("~/.config/llmr/routing.toml", "Your settings; llmr config init writes one."),
    ("./routing.toml", "A project's; it may choose among your providers until you trust it: llmr config trust."),
    ("~/.config/llmr/credentials.toml", "Keys stored by llmr keys set where there is no keyring; mode 0600."),
    ("~/.local/state/llmr/state.db", "Latencies, failures, circuits; no prompt, no answer, no key."),
    ("~/.cache/llmr/", "The validated settings, and the names that shells complete; made again when deleted."),
)


def run_man() -> int:
    """Print the page. Raises OutputError."""
    print_line(man_page(command_tree()).rstrip("\n"))
    return int(ExitCode.OK)


def man_page(tree: Node) -> str:
    """The whole page."""
    lines = [
        '.\\" made by `llmr man` from the command tree; do not edit',
        f'.TH LLMR 1 "" "llmr {__version__}" "User Commands"',
        ".SH NAME",
        f"llmr \\- {_plain(tree.help.rstrip('.'))}",
        ".SH SYNOPSIS",
        *(line for child in tree.children for line in _synopsis(child)),
        ".SH DESCRIPTION",
        _plain(_ABOUT),
        ".SH OPTIONS",
        *(line for option in tree.options for line in _option(option)),
        ".SH COMMANDS",
        *(line for node in tree.walk() if node is not tree for line in _command(node)),
        ".SH EXIT STATUS",
        *(line for code in ExitCode for line in _row(str(int(code)), MEANINGS[code])),
        ".SH ENVIRONMENT",
        *(line for name, text in variables() for line in _row(name, text)),
        ".SH FILES",
        *(line for name, text in _FILES for line in _row(name, text)),
        ".SH EXAMPLES",
        *_example("Ask three demo providers inside llmr, without a key:", 'llmr chat --demo "hello"'),
        *_example("Store a key, and try it:", "llmr keys set openai && llmr keys test openai"),
        *_example("Ask about what another program says:", 'git diff | llmr chat "write a commit message"'),
        *_example("See who would be asked, and why:", "llmr rank -m gpt-4o"),
    ]
    return "\n".join(lines) + "\n"


def _synopsis(node: Node) -> Iterator[str]:
    behind = "COMMAND" if node.children else " ".join(argument.shown for argument in node.arguments)
    yield f".B {_plain(' '.join(node.path))}"
    yield f"[\\fIOPTIONS\\fR] {_plain(behind)}".rstrip()
    yield ".br"


def _command(node: Node) -> Iterator[str]:
    shown = " ".join((*node.path, *(argument.shown for argument in node.arguments if not node.children)))
    yield f".SS {_plain(shown)}"
    yield _plain(node.help)
    if not node.children:
        yield from (line for argument in node.arguments for line in _argument(argument))
    yield from (line for option in node.options for line in _option(option))


def _argument(argument: Argument) -> Iterator[str]:
    if argument.help:
        yield from _row(argument.shown.strip("[]"), argument.help)


def _option(option: Option) -> Iterator[str]:
    names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in reversed(option.names))
    value = f" \\fI{_plain(option.value_name)}\\fR" if option.takes_value else ""
    yield ".TP"
    yield names + value
    yield _plain(option.help)


def _row(name: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_plain(name)}\\fR"
    yield _plain(text)


def _example(text: str, command: str) -> Iterator[str]:
    yield ".PP"
    yield _plain(text)
    yield from (".PP", ".RS", ".nf", _plain(command), ".fi", ".RE")


def _plain(text: str) -> str:
    """Text as roff shows it: no escapes, no hyphens for minus signs, and no request at the beginning of a line."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("…", "...")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


# What a wheel ships


def shipped() -> dict[str, str]:
    """Path under `share/` → content."""
    from llmr.cli.completion import script

    return {
        "man/man1/llmr.1": man_page(command_tree()),
        "bash-completion/completions/llmr": script("bash"),
        "zsh/site-functions/_llmr": script("zsh"),
        "fish/vendor_completions.d/llmr.fish": script("fish"),
    }


def _ship(arguments: Sequence[str]) -> None:
    for name, content in shipped().items():
        path = Path(arguments[0]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    import sys

    _ship(sys.argv[1:])
