"""Emphasis, code, links: one line of Markdown's inline marks as styled text.

markdown-it-py, which Rich brings along, parses; this maps its tokens to styles. A character reference (`&#27;`) becomes a
character only here, behind the neutraliser at the door, so what comes out of the parser passes it again. A link shows its
address beside its label (trust.md T3): nothing here writes OSC 8. A backslash before a bracket is kept, for it begins a formula
far more often than it escapes one.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt
from rich.text import Text

from llmr.render.neutralize import neutralize

if TYPE_CHECKING:
    from markdown_it.token import Token

_STYLES: Final = {"strong_open": "bold", "em_open": "italic", "s_open": "strike", "link_open": "underline"}
_CODE: Final = "cyan"
_ADDRESS: Final = "dim"
_FORMULA: Final = re.compile(r"(?<!\\)\\(?=[()\[\]])")


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("strikethrough")


def styled(source: str, base: str = "") -> Text:
    """`source` with its marks made styles, all of it over the style `base`."""
    text = Text(style=base)
    tokens = _parser().parseInline(_FORMULA.sub(r"\\\\", source))
    open_styles: list[str] = []
    addresses: list[tuple[str, int]] = []
    for token in tokens[0].children or () if tokens else ():
        if token.type in _STYLES:
            open_styles.append(_STYLES[token.type])
            if token.type == "link_open":
                addresses.append((str(token.attrGet("href") or ""), len(text)))
        elif token.nesting < 0:
            open_styles.pop()
            if token.type == "link_close":
                _address(text, *addresses.pop())
        else:
            _leaf(text, token, " ".join(open_styles))
    return text


def _leaf(text: Text, token: "Token", style: str) -> None:
    match token.type:
        case "softbreak" | "hardbreak":
            text.append("\n")
        case "code_inline":
            content = _FORMULA_IN_CODE.sub(r"\\", token.content)
            text.append(neutralize(content), f"{style} {_CODE}".strip())
        case "image":
            start = len(text)
            text.append(neutralize(token.content) or "image", style or None)
            _address(text, str(token.attrGet("src") or ""), start)
        case _:
            text.append(neutralize(token.content), style or None)


_FORMULA_IN_CODE: Final = re.compile(r"\\\\(?=[()\[\]])")  # what was doubled for the parser, which leaves code as it is


def _address(text: Text, address: str, start: int) -> None:
    """The address behind the label that begins at `start`, unless the label is the address."""
    shown = neutralize(address)
    if shown and text.plain[start:] not in {shown, shown.removeprefix("mailto:")}:
        text.append(f" ({shown})", _ADDRESS)
