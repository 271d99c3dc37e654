"""The zsh script: the same tables as bash's, with every command's and option's help beside it.

It works as an autoloaded `_llmr` in fpath and by `eval` after compinit. Names are added with `compadd` from the cache file,
which zsh reads by itself.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from llmr.cli.tree import Node, Option, Values

_HEAD: Final = r"""#compdef llmr
# zsh completion for llmr, made by `llmr completion zsh`. Do not edit.

_llmr_names() { # the lines of ~/.cache/llmr/names/FILE, into reply
    local file=${XDG_CACHE_HOME:-$HOME/.cache}/llmr/names/$1
    reply=()
    [[ -r $file ]] && reply=("${(@f)$(<$file)}")
}

_llmr_providers() {
    local -a reply
    _llmr_names providers
    compadd -a reply
}

_llmr_ids() { # file: the newest first
    local -a reply
    _llmr_names $1
    compadd -V newest -a reply
}

_llmr_templates() { # the files in ~/.config/llmr/templates, without .toml
    local -a found
    found=(${XDG_CONFIG_HOME:-$HOME/.config}/llmr/templates/*.toml(N:t:r))
    compadd -a found
}

_llmr_models() { # names first; a provider's models once its slash is there
    local -a reply models
    _llmr_names models
    models=($reply)
    if [[ $PREFIX == */* ]]; then
        compadd -a models
    else
        models=(${models:#*/*})
        compadd -a models
        _llmr_names providers
        compadd -S / -a reply
    fi
}
"""

_MAIN: Final = r"""
_llmr() {
    local command_path=llmr word
    local -i index
    local -a rows
    for ((index = 2; index < CURRENT; index++)); do
        word="$command_path $words[index]"
        _llmr_is_command $word && command_path=$word
    done
    if [[ $PREFIX == --*=* ]]; then
        word="$command_path ${PREFIX%%=*}"
        compset -P '*='
        _llmr_value $word
        return
    fi
    _llmr_value "$command_path $words[CURRENT-1]" && return
    if [[ $PREFIX == -* ]]; then
        _llmr_options $command_path
        _describe -o option rows
    elif [[ $PREFIX == @* ]]; then
        compset -P @
        _files
    else
        _llmr_argument $command_path
    fi
}

if [[ $funcstack[1] == _llmr ]]; then
    _llmr "$@"
else
    compdef _llmr llmr
fi
"""


def zsh_script(tree: Node) -> str:
    """The whole script."""
    nodes = list(tree.walk())
    commands = " | ".join(_quoted(" ".join(node.path)) for node in nodes if node is not tree)
    parts = [
        _HEAD,
        f"\n_llmr_is_command() {{\n    case $1 in\n        {commands}) return 0 ;;\n        *) return 1 ;;\n    esac\n}}\n",
        _table("_llmr_value", _value_rows(nodes), otherwise="return 1"),
        _table("_llmr_options", ((_quoted(" ".join(node.path)), _rows(_described_options(node))) for node in nodes)),
        _table("_llmr_argument", ((_quoted(" ".join(node.path)), _positional(node)) for node in nodes)),
    ]
    return "".join(parts) + _MAIN


def _value_rows(nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        for option in node.options:
            if option.takes_value:
                keys = " | ".join(_quoted(f"{' '.join(node.path)} {name}") for name in option.names)
                yield keys, _reply(option.values, option.words)


def _table(name: str, rows: Iterator[tuple[str, str]], *, otherwise: str = "") -> str:
    lines = [f"        {pattern}) {reply} ;;\n" for pattern, reply in rows if reply]
    last = f"        *) {otherwise} ;;\n" if otherwise else ""
    return f"\n{name}() {{\n    case $1 in\n{''.join(lines)}{last}    esac\n}}\n"


def _reply(values: Values, words: Sequence[str]) -> str:
    match values:
        case Values.MODELS:
            return "_llmr_models"
        case Values.PROVIDERS:
            return "_llmr_providers"
        case Values.CONVERSATIONS | Values.REQUESTS:
            return f"_llmr_ids {values.value}"
        case Values.FILES:
            return "; ".join([*([f"compadd {' '.join(words)}"] if words else []), "_files"])
        case Values.TEMPLATES:
            return "_llmr_templates"
        case Values.WORDS:
            return f"compadd {' '.join(words)}"
        case Values.NOTHING:
            return ":"


def _positional(node: Node) -> str:
    if node.children:
        more = "; _llmr_models" if node.name == "models" else ""
        rows = _rows([(child.name, child.help) for child in node.children])
        return f"{rows}; _describe command rows{more}"
    return _reply(node.arguments[0].values, node.arguments[0].words) if node.arguments else ""


def _described_options(node: Node) -> list[tuple[str, str]]:
    return [(name, option.help) for option in node.options for name in _long(option)] + [("--help", "Explain it.")]


def _long(option: Option) -> list[str]:
    return [name for name in option.names if name.startswith("--")]


def _rows(described: Sequence[tuple[str, str]]) -> str:
    shown = (_quoted(f"{name}:{text.split('. ')[0].rstrip('.')}") for name, text in described)
    return f"rows=({' '.join(shown)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
