"""May the answer to one prompt stand for the answer to another? Vectors alone cannot say.

By text-embedding models "10 USD" and "100 USD" are .906 alike, "safe" and "unsafe" .980, above pairs that do mean the same. So
whatever is found by likeness must also agree, word for word, in what turns an answer around:

    numbers      every figure, in digits or words, with its sign, unit and order
    negations    not, never, without, un-, dis-, n't …, and the words that turn sense around: more | less, before | after …
    names        what is written with a capital, or with an @, _ or / in it, or in quotes
    code         everything in backticks, and every line that looks like code, to the letter
    questions    the asking words: who, when, how many
    order        the words that both have, in the same order
    scripts      text in other writing systems is compared as it stands: there is no list of negations for them here

What it cannot know is which lower-case word is a name ("aspirin", "ibuprofen"): those are left to the threshold, which is high.
The guard is strict: two prompts that mean the same and differ in a name are asked twice. That costs a request; the other
mistake costs trust. It is a pure function of two texts.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_NUMBER_WORDS: Final = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
        " eighteen nineteen".split()
    )
} | {
    "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000", "dozen": "12", "half": "0.5",
    "double": "2x", "twice": "2x", "triple": "3x", "first": "1st", "second": "2nd", "third": "3rd", "once": "1x",
}  # fmt: skip
_NUMBER: Final = re.compile(
    r"(?P<sign>(?<![\w)])[-−+])?(?P<money>[$€£¥₹]?)\s?(?P<digits>\d+(?:[.,:/]\d+)*)(?P<unit>\s?(?:%|°\w?|[a-zµ]{1,3}\b)?)",
    re.IGNORECASE,
)
_UNIT_WORDS: Final = frozenset(  # short words behind a number that are no unit
    {"a", "an", "and", "are", "as", "at", "be", "by", "can", "did", "do", "for", "get", "go", "has", "he", "how", "i", "if", "is",
     "it", "my", "no", "not", "of", "off", "on", "or", "out", "she", "so", "the", "to", "up", "us", "was", "we", "who", "why", "you"}
)  # fmt: skip
_TURNING: Final = frozenset(
    """
    no not never none nobody nothing nowhere neither nor without cannot cant dont doesnt didnt isnt arent wasnt werent wont
    wouldnt shouldnt couldnt hasnt havent hadnt mustnt except unless only but instead against avoid stop lack lacks lacking
    hardly barely rarely seldom few little less least fewer more most fail fails failed false true yes
    before after above below over under up down in out on off inside outside into from to with
    increase decrease increases decreases rise fall higher lower high low large small larger smaller largest smallest big
    best worst better worse good bad hot cold open close closed start end begin finish enable disable enabled disabled
    allow deny allowed denied add remove include exclude accept reject buy sell win lose max min maximum minimum
    ascending descending asc desc left right north south east west old new older newer oldest newest first last next previous
    always sometimes often all any some every each both either
    male female man woman he she him her his hers mother father son daughter
    """.split()
)
_TURNING_PREFIX: Final = re.compile(
    r"^(?:un|in|im|il|ir|dis|non|mis|anti|de|counter|under|over|pre|post|hyper|hypo)-?(?=\w{3})"
)
_TURNING_SUFFIX: Final = re.compile(r"(?:less|free|proof|able|ible)$")
_ASKING: Final = frozenset("who whom whose what when where why how which many much".split())
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_QUOTED: Final = re.compile(r"\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”|«([^»\n]{1,200})»|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_CODE_LINE: Final = re.compile(
    r"[{};=<>|\\]|\w\(|\)\.|::|->|=>|^\s{4,}\S|^\s*[#$>%]\s|^\s*(?:def|class|import|from|SELECT)\b"
)
_IDENTIFIER: Final = re.compile(r"\S*(?:[\w\d][_/@\\.:#][\w\d]|[a-z][A-Z])\S*")
_SENTENCE_START: Final = re.compile(r"(?:[.!?:\n]|\n[-*•])\s*$")
_LOOK_BACK: Final = 6  # characters before a word that say whether a sentence begins with it
_POLITE: Final = frozenset(("please", "kindly", "thanks", "a", "an", "the"))
_COMMON_CAPITALS: Final = frozenset({"i", "i'm", "i'd", "i'll", "i've"})
_LATIN: Final = "LATIN"


def agree(one: str, other: str) -> bool:
    """Whether nothing that turns an answer around differs. Symmetric; True for equal texts."""
    return one == other or (_essence(one) == _essence(other) and _same_order(one, other))


def _same_order(one: str, other: str) -> bool:
    """Whether the words that both have come in the same order: a dog that bites a man is no man that bites a dog."""
    mine, theirs = ([word.lower() for word in _WORD.findall(text)] for text in (one, other))
    shared = (set(mine) & set(theirs)) - _POLITE
    return [word for word in mine if word in shared] == [word for word in theirs if word in shared]


def _essence(text: str) -> tuple[tuple[str, ...], ...]:
    """What two texts must share, each kind in its order."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    code = tuple(_CODE.findall(plain))
    prose = _CODE.sub(" ", plain)
    code_lines = tuple(line.strip() for line in prose.splitlines() if _CODE_LINE.search(line))
    prose = "\n".join(line for line in prose.splitlines() if not _CODE_LINE.search(line))
    quoted = tuple("".join(found) for found in _QUOTED.findall(prose))
    return (
        code,
        code_lines,
        quoted,
        tuple(_numbers(prose)),
        tuple(_turning(prose)),
        tuple(_names(prose)),
        tuple(word for word in map(str.lower, _WORD.findall(prose)) if word in _ASKING),
        tuple(_foreign(prose)),
    )


def _numbers(text: str) -> Iterator[str]:
    """Every number with its sign and unit; words of number where they stand."""
    found = [(match.start(), _figure(match)) for match in _NUMBER.finditer(text)]
    found += [
        (match.start(), _NUMBER_WORDS[match[0].lower()])
        for match in _WORD.finditer(text)
        if match[0].lower() in _NUMBER_WORDS
    ]
    return (figure for _, figure in sorted(found))


def _figure(match: re.Match[str]) -> str:
    unit = match["unit"].strip().lower()
    unit = "" if unit in _UNIT_WORDS else unit
    digits = match["digits"]
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        digits = digits.replace(",", "")
    return f"{(match['sign'] or '').replace('−', '-')}{match['money']}{digits}{unit}"


def _turning(text: str) -> Iterator[str]:
    """Every word that may turn the sense around, and every word with a prefix or suffix that does."""
    for word in map(str.lower, _WORD.findall(text)):
        bare = word.replace("'", "")
        if word.endswith("n't") or bare in _TURNING or _TURNING_PREFIX.match(word) or _TURNING_SUFFIX.search(word):
            yield bare


def _names(text: str) -> Iterator[str]:
    """What looks like a name: a capital inside a sentence, capitals throughout, or signs of an identifier."""
    for match in _WORD.finditer(text):
        word = match[0]
        if not any(char.isupper() for char in word) or word.lower() in _COMMON_CAPITALS:
            continue
        start = match.start()
        begins = not text[:start].strip() if start < _LOOK_BACK else False
        begins = begins or bool(_SENTENCE_START.search(text[max(0, start - _LOOK_BACK) : start]))
        if not begins or any(char.isupper() for char in word[1:]):
            yield word.casefold()
    for token in text.split():
        if _IDENTIFIER.fullmatch(token.strip(".,;:!?()[]")):
            yield token.strip(".,;:!?()[]")


def _foreign(text: str) -> Iterator[str]:
    """Words of writing systems for which there is no list of turning words here, as they stand."""
    for word in _WORD.findall(text):
        if any(char.isalpha() and _LATIN not in unicodedata.name(char, "") for char in word):
            yield word
