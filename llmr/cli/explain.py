"""`llmr explain`: one request's story, from the history.

What is meant is a request by its id, as `chat --json` names it, or a conversation by its own, as `llmr log` lists it: then it
is the request of its last turn. The beginning of either will do.
"""

import json
from pathlib import Path
from typing import Final

from llmr.app import opened, read_conversations
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, told
from llmr.cli.output import print_line
from llmr.cli.screen import screen, show
from llmr.dataclass import dataclass
from llmr.errors import OutputError, StateError, UsageError
from llmr.render.story import Story
from llmr.state import RequestRecord, StateStore

_LAST: Final = "last"


def run_explain(which: str, *, config_file: str | None, as_json: bool) -> int:
    """Tell the story of one request. Raises LlmrError."""
    config = configured(config_file)
    with opened(config) as app:
        request = _request(app.store, which, config.conversations_path)
        story = Story.of(request, app.store.attempts_of(request.id))
        if as_json:
            print_line(json.dumps(story.document(), allow_nan=False))
        else:
            on = screen()
            show(story.lines(app.clock.now(), on.width, on.glyphs), on)
            show(story.key_lines(on.width) if on.terminal else (), on)
        told(app)
    return int(ExitCode.OK)


def _request(store: StateStore, which: str, conversations: Path | None) -> RequestRecord:
    """The one that is meant. Raises UsageError where none or several are."""
    if which in ("", _LAST):
        last = store.requests(limit=1)
        if not last:
            raise UsageError("there is no request to explain yet; ask something with `llmr chat`")
        return last[0]
    found = store.requests_named(which)
    kept = [] if any(each.id == which for each in found) else _kept(conversations, which)
    ids = dict.fromkeys(each.id for each in found)
    if kept and which == kept[0].conversation_id:
        return _of_last_turn(store, kept[0])
    if not ids and not kept:
        raise UsageError(
            f"no request and no conversation has an id that begins with {which!r}; `llmr explain last` tells of the last"
            " request, `llmr log` lists conversations"
        )
    if len(ids) + len(kept) > 1:
        named = ", ".join(
            [*(f"request {each}" for each in [*ids][-3:]), *(f"conversation {c.conversation_id}" for c in kept)]
        )
        raise UsageError(f"{len(ids) + len(kept)} ids begin with {which!r}; say more of one of them: {named}")
    return found[-1] if ids else _of_last_turn(store, kept[0])


@dataclass(frozen=True, slots=True)
class _LastTurn:
    """The newest turn of a conversation, by the request that it was; None: nobody was asked."""

    conversation_id: str
    request_id: str | None


def _kept(path: Path | None, which: str) -> list[_LastTurn]:
    """The conversations that may be meant. Raises OutputError for a file that cannot be read."""
    if path is None or not path.exists():
        return []
    try:
        with read_conversations(path) as store:
            return [_LastTurn(name, store.line(name)[-1].request_id) for name in store.ids_named(which)]
    except StateError as error:
        raise OutputError(str(error)) from error


def _of_last_turn(store: StateStore, turn: _LastTurn) -> RequestRecord:
    """Its request. Raises UsageError where the history does not have it."""
    found = store.requests_named(turn.request_id) if turn.request_id else ()
    if not found:
        why = (
            f"request {turn.request_id}, which is no longer there" if turn.request_id else "a request that asked nobody"
        )
        raise UsageError(f"the last turn of conversation {turn.conversation_id} was {why}")
    return found[-1]
