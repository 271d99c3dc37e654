"""What the client shows of itself: the line at the bottom, and what a conversation cost."""

from collections.abc import Iterator, Sequence
from typing import Final

from llmr.cli.client.session import Session
from llmr.cli.client.turns import Told
from llmr.render.conversation import how_it_ended
from llmr.render.figures import counted, dollars, milliseconds, per_second
from llmr.render.transcript import cost_phrase, tokens_per_s


def bottom_line(session: Session, told: Told | None, default_model: str | None, open_circuits: Sequence[str]) -> str:
    """Whom the next request asks, how the last one went, what it all cost, who is left alone."""
    words = [session.model or default_model or "no default model"]
    words += [f"only {session.provider}"] if session.provider else []
    by = told.transcript.answered_by if told is not None else None
    if told is not None and by is not None:
        words.append(by.candidate.key)
        words += [milliseconds(by.ttft_s)] if by.ttft_s is not None else []
        done = told.transcript.finished
        speed = tokens_per_s(done) if done is not None else None
        words += [f"{per_second(speed)} tokens/s"] if speed is not None else []
    if session.cost_usd is not None:
        words.append(dollars(session.cost_usd, estimated=bool(session.estimated_usd)))
    words += [f"{len(session.attached)} attached"] if session.attached else []
    words += [f"left alone: {', '.join(open_circuits)}"] if open_circuits else []
    return " · ".join(words)


_PROMPT: Final = 70  # characters of what was asked last
_ENDING: Final = 3  # lines of what was answered last
_LONG: Final = 150  # characters of one of them


def where_it_stands(session: Session, conversation_id: str, title: str) -> Iterator[str]:
    """What a conversation that is gone on with was about, and how it ended; nothing of a new one."""
    last = session.last
    if last is None:
        return
    yield f"going on with {conversation_id}, {counted(len(session.line), 'turn')}: {title}"
    asked = " ".join(last.typed.split())
    yield f"  > {asked if len(asked) <= _PROMPT else asked[: _PROMPT - 1] + '…'}"
    lines = [line for line in last.answer_text.splitlines() if line.strip()]
    yield from ["  …"] if len(lines) > _ENDING else []
    yield from (f"  {line if len(line) <= _LONG else line[: _LONG - 1] + '…'}" for line in lines[-_ENDING:])
    if not last.whole:
        yield f"  ({how_it_ended(last)})"


def cost_lines(session: Session) -> Iterator[str]:
    """Tokens and money of the conversation, branches that were left included."""
    turns = session.everything
    tokens_in = sum(turn.input_tokens or 0 for turn in turns)
    tokens_out = sum(turn.output_tokens or 0 for turn in turns)
    unknown = sum(turn.cost_usd is None for turn in turns)
    estimated = sum(bool(turn.estimated_usd) for turn in turns)
    left = f" ({len(session.aside)} on branches that were left)" if session.aside else ""
    yield f"  {counted(len(turns), 'turn')}{left}, {tokens_in:,} tokens in, {tokens_out:,} out"
    words = [cost_phrase(session.cost_usd, session.estimated_usd)]
    words += [f"in {counted(estimated, 'turn')} that nobody counted to the end"] if estimated else []
    words += [f"and {counted(unknown, 'turn')} of unknown cost"] if unknown and session.cost_usd is not None else []
    yield f"  {', '.join(words)}"
