"""What a person types to find a conversation → an FTS5 expression that cannot fail to parse.

Every word must be there, in any order; `word*` is a beginning, `"some words"` a phrase. Operators of FTS5 (NEAR, column:, ^)
are nobody's to type by accident: each word is quoted, so `C++`, `foo:bar` and `AND` are what they look like.
"""

import re
from typing import Final

# Text, compiled on use: every chat imports this to keep its turn, and the larger one takes 2 ms.
_PIECES: Final = r'"([^"]*)"|(\S+)'
# Scripts that put no blanks between words: Thai to Khmer, CJK, kana; Hangul does.
_UNSPACED: Final = "[\u0e00-\u0eff\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff]"


def needs_scan(query: str) -> bool:
    """Whether an index of words cannot know the query."""
    return re.search(_UNSPACED, query) is not None


def match_expression(query: str) -> str:
    """The query as FTS5 has it, "" where there is no word in it."""
    terms: list[str] = []
    for phrase, word in re.findall(_PIECES, query.replace("\0", " ")):
        text = phrase or word.strip('"')
        prefix = not phrase and text.endswith("*")
        text = text.rstrip("*") if prefix else text
        if any(character.isalnum() for character in text):
            terms.append('"' + text.replace('"', '""') + '"' + ("*" if prefix else ""))
    return " ".join(terms)
