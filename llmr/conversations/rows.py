"""A turn as the cells of its row, and back."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from llmr.chat import Message, Role
from llmr.conversations import Turn
from llmr.conversations.message_json import decoded, encoded

_TITLE_CHARACTERS: Final = 80
_COUNT_LIMIT: Final = 2**63  # an SQLite INTEGER


def cells_of(turn: Turn, conversation_id: str, terminal: str | None, attachments: dict[str, bytes]) -> list[Any]:
    """The turn in the order of _INSERT_TURN; its attachments are put into `attachments`."""

    def keep(content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        attachments[name] = content
        return name

    prompt, answer = turn.prompt_text, turn.answer_text
    plain_prompt = turn.asked == (Message.text(Role.USER, prompt),)
    plain_answer = turn.answer is None or turn.answer == Message.text(Role.ASSISTANT, answer)
    cells: list[Any] = [
        conversation_id,
        terminal,
        turn.parent,
        prompt,
        answer,
        None if plain_prompt else encoded(turn.asked, keep),
        None if plain_answer or turn.answer is None else encoded([turn.answer], keep),
        turn.outcome,
        turn.at,
        turn.system,
        turn.asked_model,
        turn.provider,
        turn.model,
        turn.request_id,
        _count(turn.input_tokens),
        _count(turn.output_tokens),
        turn.cost_usd,
        turn.estimated_usd,
        turn.ttft_s,
        turn.total_s,
    ]
    return [storable(cell) if isinstance(cell, str) else cell for cell in cells]


def turn_of(cells: Sequence[Any], fetch: Callable[[str], bytes | None]) -> Turn:
    number, parent, prompt, answer, asked, answered, *rest = cells
    said: tuple[Message, ...] = (Message.text(Role.USER, prompt),)
    got: Message | None = Message.text(Role.ASSISTANT, answer) if answer else None
    with suppress(ValueError):  # a damaged cell: the plain text is there
        said = decoded(asked, fetch) if asked is not None else said
    with suppress(ValueError):
        got = decoded(answered, fetch)[0] if answered is not None else got
    return replace(Turn(said, got, *rest), parent=parent, number=number)


def storable(text: str) -> str:
    """Without lone surrogates, which are no UTF-8 (B10)."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and abs(tokens) < _COUNT_LIMIT else None


def title_of(prompt: str) -> str:
    first = next((line.strip() for line in prompt.splitlines() if line.strip()), "")
    return storable(first if len(first) <= _TITLE_CHARACTERS else first[: _TITLE_CHARACTERS - 1] + "…")


def around(text: str, wanted: str) -> str:
    """`wanted` in its surroundings, marked as snippet() marks it."""
    at = max(0, text.lower().find(wanted))
    before, found, after = text[max(0, at - 30) : at], text[at : at + len(wanted)], text[at + len(wanted) :][:60]
    return f"{'…' if at > 30 else ''}{before}[{found}]{after}".replace("\n", " ")
