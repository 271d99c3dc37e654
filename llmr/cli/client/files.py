"""Files that go along: those that `/attach` names, and those that a prompt does.

`@FILE` in a prompt: the words stay as they were typed, the file goes along below them, as `/attach` sends it.
On the shell's command line every `@word` is a file or an error, for the shell has told words apart from prose. Here a prompt
is prose, in which people, decorators and diffs begin with @: only what is there as a file is sent, and `@@FILE` is the
name `@FILE` of one that is there.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from llmr.chat import Media, Part, Text
from llmr.cli.asking import URLS_ARE_OFF
from llmr.cli.prompt import file_named
from llmr.dataclass import dataclass
from llmr.errors import UsageError

_WORD: Final = re.compile(r"(?<!\S)@(@?\S+)")


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that goes along, by the name it was typed with."""

    name: str
    part: Part


def with_files(text: str) -> tuple[str, tuple[Sent, ...]]:
    """What is asked, and the files that it names, each once. Raises UsageError for one that cannot be sent."""
    names = dict.fromkeys(name for word in _WORD.findall(text) if (name := file_named(word)) is not None)
    return _WORD.sub(_unmarked, text), tuple(map(_sent, names))


def taken_up(typed: str, parts: Sequence[Part]) -> tuple[str, tuple[Part, ...]]:
    """A prompt that was sent, as `with_files` will want it typed, and what else went along with it.

    A file that it names is sent again by its name, as it is now, and no second time. A name that no file went along for was
    typed with two @, unless it is the name of none; a file that has gone since goes along as it was.
    """
    left = list(parts)
    named = dict.fromkeys(name for word in _WORD.findall(typed) if (name := file_named(word)) is not None)
    unsent: set[str] = set()
    for name in named:
        sent = next((part for part in reversed(left) if _is_of(part, Path(name).name)), None)
        if sent is None:
            unsent.add(name)
        else:
            left.remove(sent)

    def marked(word: re.Match[str]) -> str:
        return f"@{word[0]}" if file_named(word[1]) in unsent else word[0]

    return _WORD.sub(marked, typed), tuple(left)


def _is_of(part: Part, name: str) -> bool:
    """Whether `_sent` made it of a file of that name."""
    from llmr.attachments import titled

    match part:
        case Media():
            return part.name == name
        case Text():
            return part.text.startswith(titled(name, "").partition("\n")[0])
        case _:
            return False


def attachment(name: str, *, sends_urls: bool) -> Part:
    """What `/attach` names: a file, or a URL where those may be sent. Raises UsageError."""
    from llmr.attachments import by_url, from_file, is_url

    if not is_url(name):
        return from_file(path_named(name))
    if not sends_urls:
        raise UsageError(URLS_ARE_OFF)
    return by_url(name)


def path_named(name: str) -> Path:
    """The file that was typed, `~` understood. Raises UsageError."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:  # the home of a user that does not exist
        raise UsageError(f"{name}: there is no such home directory") from error


def _unmarked(word: re.Match[str]) -> str:
    return word[1] if word[1].startswith("@") and file_named(word[1][1:]) is not None else word[0]


def _sent(name: str) -> Sent:
    from llmr.attachments import from_file

    return Sent(name, from_file(Path(name).expanduser()))
