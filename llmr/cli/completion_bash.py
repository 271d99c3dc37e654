"""The bash script: case tables made of the command tree, and a few functions that read them.

It needs neither bash-completion nor Python. The words are cut from the line by blanks, not by COMP_WORDBREAKS, for model
ids hold colons; what stands before the last colon is cut from the replies again, because readline keeps it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from llmr.cli.tree import Node, Option, Values

_HEAD: Final = r"""# bash completion for llmr, made by `llmr completion bash`. Do not edit.

_llmr_names() { # file prefix: the lines of ~/.cache/llmr/names/FILE that begin with it
    local line
    while IFS= read -r line; do
        [[ $line == "$2"* ]] && COMPREPLY+=("$line")
    done 2>/dev/null < "${XDG_CACHE_HOME:-$HOME/.cache}/llmr/names/$1"
}

_llmr_models() { # prefix: names first; a provider's models once its slash is there
    local found
    _llmr_names models "$1"
    [[ $1 == */* ]] && return
    local -a all=("${COMPREPLY[@]}")
    COMPREPLY=()
    for found in "${all[@]}"; do
        [[ $found == */* ]] || COMPREPLY+=("$found")
    done
    all=("${COMPREPLY[@]}")
    COMPREPLY=()
    _llmr_names providers "$1"
    COMPREPLY=("${all[@]}" "${COMPREPLY[@]/%//}")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}

_llmr_templates() { # prefix: the files in ~/.config/llmr/templates, without .toml
    local file
    for file in "${XDG_CONFIG_HOME:-$HOME/.config}/llmr/templates/$1"*.toml; do
        [[ -f $file ]] || continue
        file=${file##*/}
        COMPREPLY+=("${file%.toml}")
    done
}

_llmr_words() { # prefix words…
    local prefix=$1 word
    shift
    for word; do
        [[ $word == "$prefix"* ]] && COMPREPLY+=("$word")
    done
}

_llmr_files() {
    local found
    while IFS= read -r found; do COMPREPLY+=("$found"); done < <(compgen -f -- "$1")
    compopt -o filenames 2>/dev/null
}
"""

_MAIN: Final = r"""
_llmr() {
    local line=${COMP_LINE:0:COMP_POINT} cur="" prev="" path="llmr" kept="" word index
    local -a words=()
    COMPREPLY=()
    read -ra words <<< "$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    cur=${words[${#words[@]} - 1]}
    [[ ${#words[@]} -gt 1 ]] && prev=${words[${#words[@]} - 2]}
    for ((index = 1; index < ${#words[@]} - 1; index++)); do
        word="$path ${words[index]}"
        _llmr_is_command "$word" && path=$word
    done
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*} cur=${cur#*=}
    fi
    if ! _llmr_value "$path $prev" "$cur"; then
        if [[ $cur == -* ]]; then
            _llmr_options "$path" "$cur"
        elif [[ $cur == @* ]]; then
            _llmr_files "${cur#@}"
            COMPREPLY=("${COMPREPLY[@]/#/@}")
        else
            _llmr_argument "$path" "$cur"
        fi
    fi
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        kept=${cur%"${cur##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    fi
}

complete -F _llmr llmr
"""


def bash_script(tree: Node) -> str:
    """The whole script."""
    nodes = list(tree.walk())
    commands = [" ".join(node.path) for node in nodes if node is not tree]
    parts = [
        _HEAD,
        "_llmr_is_command() {\n    case $1 in\n",
        f"        {_alternatives(commands)}) return 0 ;;\n        *) return 1 ;;\n    esac\n}}\n\n",
        _table("_llmr_value", ((_value_keys(node, option), _reply(option.values, option.words))
                               for node in nodes for option in node.options if option.takes_value), otherwise="return 1"),
        _table("_llmr_options", ((_word(" ".join(node.path)), _words(_option_names(node))) for node in nodes)),
        _table("_llmr_argument", ((_word(" ".join(node.path)), _positional(node)) for node in nodes)),
    ]  # fmt: skip
    return "".join(parts).rstrip("\n") + "\n" + _MAIN


def _table(name: str, rows: Iterator[tuple[str, str]], *, otherwise: str = "") -> str:
    lines = [f"        {pattern}) {reply} ;;\n" for pattern, reply in rows if reply]
    last = f"        *) {otherwise} ;;\n" if otherwise else ""
    return f"{name}() {{ # path prefix\n    case $1 in\n{''.join(lines)}{last}    esac\n}}\n\n"


def _value_keys(node: Node, option: Option) -> str:
    return _alternatives([f"{' '.join(node.path)} {name}" for name in option.names])


def _reply(values: Values, words: Sequence[str]) -> str:
    match values:
        case Values.MODELS:
            return '_llmr_models "$2"'
        case Values.PROVIDERS:
            return '_llmr_names providers "$2"'
        case Values.FILES:
            return "; ".join([*([_words(words)] if words else []), '_llmr_files "$2"'])
        case Values.CONVERSATIONS | Values.REQUESTS:
            return f'_llmr_names {values.value} "$2"'
        case Values.TEMPLATES:
            return '_llmr_templates "$2"'
        case Values.WORDS:
            return _words(words)
        case Values.NOTHING:
            return ":"


def _positional(node: Node) -> str:
    if node.children:
        more = _reply(Values.MODELS, ()) + "; " if node.name == "models" else ""
        return more + _words([child.name for child in node.children])
    return _reply(node.arguments[0].values, node.arguments[0].words) if node.arguments else ""


def _option_names(node: Node) -> list[str]:
    return [name for option in node.options for name in option.names if name.startswith("--")] + ["--help"]


def _words(words: Sequence[str]) -> str:
    return f'_llmr_words "$2" {" ".join(dict.fromkeys(words))}'


def _alternatives(words: Sequence[str]) -> str:
    return " | ".join(_word(word) for word in words)


def _word(text: str) -> str:
    return f'"{text}"'
