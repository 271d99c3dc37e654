"""The fish script: one `complete` line per command and option, with its help beside it."""

from collections.abc import Iterator, Sequence
from typing import Final

from llmr.cli.tree import Node, Option, Values

_HEAD: Final = r"""# fish completion for llmr, made by `llmr completion fish`. Do not edit.

function __llmr_names # the lines of ~/.cache/llmr/names/FILE
    set -l cache $XDG_CACHE_HOME
    test -n "$cache"; or set cache $HOME/.cache
    test -r $cache/llmr/names/$argv[1]; and while read -l line
        echo $line
    end <$cache/llmr/names/$argv[1]
end

function __llmr_templates # the files in ~/.config/llmr/templates, without .toml
    set -l config $XDG_CONFIG_HOME
    test -n "$config"; or set config $HOME/.config
    for file in $config/llmr/templates/*.toml
        string replace -r '.*/(.*)\.toml$' '$1' -- $file
    end
end

function __llmr_models # names first; a provider's models once its slash is there
    if string match -q '*/*' -- (commandline -ct)
        __llmr_names models
    else
        __llmr_names models | string match -v '*/*'
        __llmr_names providers | string replace -r '$' /
    end
end

function __llmr_at # whether the commands typed so far are exactly these
    set -l path
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
            case __COMMANDS__
                set path "$path $word"
        end
    end
    test "$path" = "$argv[1]"
end

complete -c llmr -f
"""


def fish_script(tree: Node) -> str:
    """The whole script."""
    commands = " ".join(_quoted(_path(node)) for node in tree.walk() if node is not tree)
    lines = [line for node in tree.walk() for line in _lines(node)]
    return _HEAD.replace("__COMMANDS__", commands) + "\n" + "\n".join(lines) + "\n"


def _path(node: Node) -> str:
    """As __llmr_at builds it: a blank before every word."""
    return "".join(f" {word}" for word in node.path[1:])


def _lines(node: Node) -> Iterator[str]:
    at = f"complete -c llmr -n {_quoted('__llmr_at ' + _quoted(_path(node)))}"
    for child in node.children:
        yield f"{at} -a {child.name} -d {_quoted(_short(child.help))}"
    for option in node.options:
        yield f"{at}{_names(option)}{_behind(option)} -d {_quoted(_short(option.help))}"
        if reply := _reply(
            option.values, option.words
        ):  # a line of its own, or each value would carry the option's help
            yield f"{at}{_names(option)}{' -r' if option.values is Values.FILES else ' -x'}{reply}"
    if node.arguments and not node.children:
        argument = node.arguments[0]
        if argument.values is not Values.NOTHING:
            yield f"{at}{_reply(argument.values, argument.words)}"
    if node.name == "models":
        yield f"{at} -a '(__llmr_models)'"


def _names(option: Option) -> str:
    return "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.names)


def _behind(option: Option) -> str:
    if not option.takes_value:
        return ""
    return " -r" if option.values is Values.FILES else " -x"


def _reply(values: Values, words: Sequence[str]) -> str:
    match values:
        case Values.MODELS:
            return " -a '(__llmr_models)'"
        case Values.PROVIDERS:
            return " -a '(__llmr_names providers)'"
        case Values.CONVERSATIONS | Values.REQUESTS:
            return f" -k -a '(__llmr_names {values.value})'"
        case Values.FILES:
            return f" -F -a {_quoted(' '.join(words))}" if words else " -F"
        case Values.TEMPLATES:
            return " -a '(__llmr_templates)'"
        case Values.WORDS:
            return f" -a {_quoted(' '.join(words))}"
        case Values.NOTHING:
            return ""


def _short(text: str) -> str:
    """The first sentence: there is one line for it."""
    return text.split(". ", maxsplit=1)[0].rstrip(".")


def _quoted(text: str) -> str:
    """A fish string: only \\ and ' are special between single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
