"""`llmr explain`: one request's story, from the history."""

import json
from typing import Final

from llmr.app import opened
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, told
from llmr.cli.output import print_line
from llmr.cli.screen import screen, show
from llmr.errors import UsageError
from llmr.render.story import Story
from llmr.state import RequestRecord, StateStore

_LAST: Final = "last"


def run_explain(which: str, *, config_file: str | None, as_json: bool) -> int:
    """Tell the story of one request. Raises LlmrError."""
    with opened(configured(config_file)) as app:
        request = _request(app.store, which)
        story = Story.of(request, app.store.attempts_of(request.id))
        if as_json:
            print_line(json.dumps(story.document(), allow_nan=False))
        else:
            on = screen()
            show(story.lines(app.clock.now(), on.width, on.glyphs), on)
            show(story.key_lines(on.width) if on.terminal else (), on)
        told(app)
    return int(ExitCode.OK)


def _request(store: StateStore, which: str) -> RequestRecord:
    """The one that is meant. Raises UsageError where none or several are."""
    if which in ("", _LAST):
        last = store.requests(limit=1)
        if not last:
            raise UsageError("there is no request to explain yet; ask something with `llmr chat`")
        return last[0]
    found = store.requests_named(which)
    if not found:
        raise UsageError(f"no request has an id that begins with {which!r}; `llmr explain last` tells of the last one")
    if len({each.id for each in found}) > 1:
        named = ", ".join(each.id for each in found[-3:])
        raise UsageError(f"{len(found)} requests have an id that begins with {which!r}, the last of them {named}")
    return found[-1]
