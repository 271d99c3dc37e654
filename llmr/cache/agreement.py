"""May the answer to one prompt stand for the answer to another? Vectors alone cannot say.

By text-embedding models "10 USD" and "100 USD" are .906 alike, "safe" and "unsafe" .980, "aspirin" and "ibuprofen" as much:
above pairs that do mean the same. A list of words that turn an answer around would never be whole, so it is done the other way
round: every word counts, and what may differ is the list.

    words        the same words in the same order, of whatever language, but for
                   what is said for politeness (please, can you tell me …), and articles: "a" behind a word that one follows,
                     so not in "hepatitis a"
                   spelling (colour | color), contractions (isn't | is not); not one and many (security | securities)
                   words that stand for each other (SAME: big | large, buy | purchase …)
    numbers      every figure, in digits or words, with its sign, unit and order
    names        what is written with a capital inside a sentence, or with an @, _ or / in it, options of programs
    quotes, code everything in quotes or backticks, and every line that looks like code, to the letter
    signs        + → 👍 and every other one that is no punctuation

The guard is strict: two prompts that mean the same in words that are not known to be the same are asked twice. That costs a
request; the other mistake costs trust. It is a pure function of two texts.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
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
    r"(?P<sign>(?<![\w)])[-−+])?(?P<money>[$€£¥₹]?)\s?(?P<digits>\d+(?:[.,:/]\d+)*)(?P<unit>\s?(?:%|°\w?|['\"′″](?!\w)|[a-zµ]{1,3}\b)?)",
    re.IGNORECASE,
)
_UNIT_WORDS: Final = frozenset(  # short words behind a number that are no unit
    {"a", "an", "and", "are", "as", "at", "be", "by", "can", "did", "do", "for", "get", "go", "has", "he", "how", "i", "if", "is",
     "it", "my", "no", "not", "of", "off", "on", "or", "out", "she", "so", "the", "to", "up", "us", "was", "we", "who", "why", "you"}
)  # fmt: skip
_SAME: Final[Mapping[str, str]] = {
    word: group.split()[0]
    for group in (
        "big large", "buy purchase", "explain describe clarify", "create generate", "fix repair mend", "use utilize",
        "help assist", "picture image photo photograph", "film movie", "car automobile", "job occupation",
        "quickly rapidly", "enough sufficient", "approximately roughly", "often frequently", "whole entire",
        "information info", "application app", "television tv", "telephone phone",
    )
    for word in group.split()
}  # fmt: skip
"""What stands for what, the first of each line for all of it. Whoever adds one: would you take either answer for either
question, in law, in medicine and in code?"""
_SPELLINGS: Final = (
    (re.compile(r"(?<=\w{3})is(?=(?:e|es|ed|ing|ation|ations)$)"), "iz"),
    (re.compile(r"(?<=\w{3})our(?=s?$)"), "or"),
    (re.compile(r"(?<=\w{3})tre(?=s?$)"), "ter"),
)
_SPOKEN: Final = (  # what is said in one word, in two
    (re.compile(r"\b(?:can't|cant|cannot)\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"(?<=\bi)'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"\b(what|who|where|how|when|why|that|it|there|here)'s\b"), r"\1 is"),
    (re.compile(r"\bhow (?:do|can) (?:i|you|we|one)\b"), "how to"),
)
_OPENING: Final = re.compile(
    r"^\W*(?:hi|hello|hey|please|kindly|(?:tell|show|give) me|i(?: would|'d)? (?:want|like) to know|let me know|do you know"
    r"|(?:can|could|would|will) you(?= (?:please |kindly |also )?(?:tell|show|give|explain|describe|list|name|write|find|help"
    r"|translate|convert|summari[sz]e|compare|calculate|suggest|recommend|define|check|fix)\b))(?!\w)"
)
_POLITE: Final = re.compile(r"\b(?:please|kindly|thanks|thank you)\b")
_ARTICLES: Final = frozenset({"a", "an", "the"})
_BEFORE_A: Final = frozenset(  # else it may be a letter: vitamin a, group a, hepatitis a
    {"is", "are", "was", "of", "in", "on", "at", "to", "by", "for", "and", "or", "as", "with", "from", "into", "about", "what",
     "make", "find", "give", "need", "have", "write", "use", "buy", "build", "cook", "start", "show", "tell", "explain", "describe",
     "me", "not", "fix", "repair", "mend", "through", "without", "than", "like", "it", "does", "do"}
)  # fmt: skip
_WITH_A: Final = frozenset({"few", "little", "lot"})  # another meaning than without
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_QUOTED: Final = re.compile(r"\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”|«([^»\n]{1,200})»|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_CODE_LINE: Final = re.compile(
    r"[{};=<>|\\]|\w\(|\)\.|::|->|=>|^\s{4,}\S|^\s*[#$>%]\s|^\s*(?:def|class|import|from|SELECT)\b"
)
_IDENTIFIER: Final = re.compile(r"\S*(?:[\w\d][_/@\\.:#][\w\d]|[a-z][A-Z])\S*|--?\w\S*|!\w\S*")
_SENTENCE_START: Final = re.compile(r"(?:[.!?:\n]|\n[-*•])\s*$")
_LOOK_BACK: Final = 6  # characters before a word that say whether a sentence begins with it
_COMMON_CAPITALS: Final = frozenset({"i", "i'm", "i'd", "i'll", "i've"})
_SIGNS: Final = frozenset(
    ("Sm", "Sc", "Sk", "So")
)  # categories of Unicode: mathematics, money, accents alone, pictures


def agree(one: str, other: str) -> bool:
    """Whether nothing that may turn an answer around differs. Symmetric; True for equal texts."""
    return one == other or _essence(one) == _essence(other)


def _essence(text: str) -> tuple[tuple[str, ...], ...]:
    """What two texts must share, each kind in its order."""
    plain = unicodedata.normalize("NFC", text).replace("’", "'")
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
        tuple(_names(prose)),
        tuple(_words(prose)),
        tuple(char for char in prose if unicodedata.category(char) in _SIGNS),
    )


def _words(text: str) -> Iterator[str]:
    """Every word but the polite ones, as the first of those that it stands for; figures are looked at elsewhere."""
    said = " ".join(text.lower().split())
    while (opening := _OPENING.match(said)) is not None and opening.end() < len(said):
        said = said[opening.end() :].lstrip(" ,:")
    for spoken, written in _SPOKEN:
        said = spoken.sub(written, said)
    words = _WORD.findall(_POLITE.sub(" ", said))
    for before, found, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        word = found.lstrip("0123456789")
        if word and word not in _NUMBER_WORDS and not _is_article(before, word, after):
            yield _standing_for(word)


def _is_article(before: str, word: str, after: str) -> bool:
    """Whether the word between these two says nothing."""
    if word not in _ARTICLES or not after or after in _WITH_A:
        return False
    return word != "a" or not before or before in _BEFORE_A


def _standing_for(word: str) -> str:
    for spelling, ours in _SPELLINGS:
        word = spelling.sub(ours, word)
    return _SAME.get(word, word)


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
        bare = token.strip(".,;:?()[]").rstrip("!")
        if _IDENTIFIER.fullmatch(bare):
            yield bare
