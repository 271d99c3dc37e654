"""Foreign text, made harmless for a terminal: what would be obeyed becomes visible instead.

A terminal obeys escape sequences, control characters and writing directions wherever they come from, and Rich passes them
all on (trust.md §0.2). This is a map from characters to text, not a parser of sequences: without its first character no
sequence is one, so there is none that it could fail to know, and none that hides in the seam between two chunks.

    C0 and DEL           ␀ … ␟ ␡       the Unicode picture of the character; newline and tab stay
    C1, lone surrogates  U+FFFD        they have no picture, and a surrogate cannot be encoded
    writing directions, zero-width characters, tags  ⟨U+202E⟩  their number: nothing else would show where they were

ZWJ, ZWNJ and variation selectors stay: emoji and several Indic and Arabic scripts need them (trust.md T1).

"\\r\\n" is a line end and becomes "\\n". That takes two characters, the one thing here that a cut can split: so a stream goes
through a `Neutralizer`, which keeps a "\\r" back until it has seen what follows.
"""

import re
from typing import Final, final

_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f"  # C0 but tab and newline; DEL
    "\x80-\x9f\ud800-\udfff"  # C1; lone surrogates
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # writing directions: trust.md T1, Trojan Source
    "\u00ad\u200b\u2060\ufeff\ufff9-\ufffb"  # soft hyphen, zero-width characters, interlinear annotation
    "\U000e0000-\U000e007f]"  # tags: a whole invisible ASCII
)
_FIRST_PICTURE: Final = 0x2400  # ␀, the first of Unicode's Control Pictures
_DEL_PICTURE: Final = "\u2421"
_REPLACEMENT: Final = "\ufffd"


def neutralize(text: str) -> str:
    """The whole of `text`, harmless. Text that is harmless already comes back as it is."""
    if _UNSAFE.search(text) is None:  # nearly always, and it is what must be fast: 140–400 million characters a second
        return text
    return _UNSAFE.sub(_shown, text.replace("\r\n", "\n"))


@final
class Neutralizer:
    """`neutralize` for a stream: however it is cut, the pieces that come out join to what the whole would give."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """What can be shown now. A "\\r" at the very end is kept back."""
        text, self._held = self._held + text, ""
        if text.endswith("\r"):
            text, self._held = text[:-1], "\r"
        return neutralize(text)

    def end(self) -> str:
        """What was kept back, now that nothing follows."""
        held, self._held = self._held, ""
        return neutralize(held)


def _shown(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if code < 0x20:
        return chr(_FIRST_PICTURE + code)
    if code == 0x7F:
        return _DEL_PICTURE
    if code < 0xA0 or 0xD800 <= code <= 0xDFFF:
        return _REPLACEMENT
    return f"⟨U+{code:04X}⟩"
