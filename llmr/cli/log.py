"""`llmr log`: the conversations that were kept."""

import json
import re
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from llmr.app import SystemClock, open_conversations, read_conversations
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.output import print_line, stdout_is_terminal
from llmr.cli.pager import print_paged, show_paged
from llmr.cli.say import say
from llmr.cli.screen import screen
from llmr.conversations import CANCELLED, Overview
from llmr.conversations.store import ConversationStore
from llmr.errors import OutputError, StateError, UsageError
from llmr.render.conversation import document, local_time, markdown_lines, overview_json, utc_time
from llmr.render.figures import NOTHING, ago, counted, dollars_alike
from llmr.render.ink import Keep, Line, Tone, ink
from llmr.render.neutralize import neutralize
from llmr.render.table import Align, Column, table

LIST_SCHEMA: Final = "llmr.log/1"
SEARCH_SCHEMA: Final = "llmr.search/1"
_COLUMNS: Final = (
    Column("id"),
    Column("when", Align.RIGHT),
    Column("turns", rank=1),
    Column("answered by", least=18, keep=Keep.ENDS, rank=2),
    Column("cost", Align.RIGHT, rank=3),
    Column("began with", least=10),
)
_TITLE: Final = 50  # characters of a title in a list
_AGE: Final = re.compile(r"(\d{1,5})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_ALL: Final = -1


class Form(StrEnum):
    """How a conversation is shown."""

    PLAIN = "plain"
    MARKDOWN = "markdown"
    JSON = "json"


def run_list(*, limit: int, as_json: bool, config_file: str | None) -> int:
    """Print the newest conversations. Raises LlmrError."""
    from llmr.conversations.purging import all_ids

    with _kept(config_file) as store:
        overviews = store.overviews(limit) if store is not None else ()
        if as_json:
            listed = [overview_json(one) for one in overviews]
            print_line(json.dumps({"schema": LIST_SCHEMA, "conversations": listed}, allow_nan=False))
        elif not overviews:
            say("llmr: no conversation is kept yet")
        else:
            now, on = SystemClock().now(), screen()
            costs = dollars_alike([one.cost_usd for one in overviews])
            rows = [_cells(one, now, cost) for one, cost in zip(overviews, costs, strict=True)]
            show_paged(table(_COLUMNS, rows, on.width), on, config_file)
            everything = len(all_ids(store)) if store is not None else 0
            if everything > len(overviews):
                say(f"llmr: {len(overviews)} of {everything:,}: -n shows more")
    return int(ExitCode.OK)


def run_search(query: str, *, limit: int, as_json: bool, config_file: str | None) -> int:
    """Print the turns that match. Raises LlmrError."""
    with _kept(config_file) as store:
        hits = store.search(query, limit) if store is not None else ()
        if as_json:
            found = [
                {
                    "id": hit.conversation_id,
                    "title": hit.title,
                    "number": hit.number,
                    "at": utc_time(hit.at),
                    "snippet": hit.snippet,
                }
                for hit in hits
            ]
            print_line(json.dumps({"schema": SEARCH_SCHEMA, "query": query, "hits": found}, allow_nan=False))
        elif not hits:
            say(f"llmr: nothing that was kept has {query!r} in it")
        for hit in hits if not as_json else ():
            title = _one_line(hit.title)
            print_line(f"{hit.conversation_id}  {local_time(hit.at)}  {title}")
            print_line(f"            {_one_line(hit.snippet, 100)}")
    return int(ExitCode.OK)


def run_show(name: str, form: Form, *, every_branch: bool, config_file: str | None) -> int:
    """Print one conversation. Raises LlmrError."""
    with _kept(config_file) as store:
        if store is None:
            raise UsageError("no conversation is kept yet")
        found = store.named(name)
        match form:
            case Form.JSON:
                turns = store.turns(found)
                print_line(json.dumps(document(found, store.title(found), turns, content=False), allow_nan=False))
            case Form.PLAIN | Form.MARKDOWN:  # pragma: no branch - the set is closed
                everything = store.turns(found)
                turns = everything if every_branch else store.line(found)
                _show(markdown_lines(found, turns), raw=form is Form.MARKDOWN, config_file=config_file)
                if len(turns) < len(everything):
                    others = counted(len(everything) - len(turns), "more turn")
                    say(f"llmr: {others} on other branches: --all shows them")
    return int(ExitCode.OK)


def _show(lines: Iterable[str], *, raw: bool, config_file: str | None) -> None:
    """Drawn on a terminal that can show it, in a pipe as it is; a screen at a time where it is long."""
    on, text = screen(), "\n".join(lines)
    if not on.terminal:
        print_paged(text, on, config_file)
        return
    harmless = neutralize(text)
    shown = harmless if raw or on.width is None else _drawn(harmless, on.width, color=on.color)
    print_paged(shown, on, config_file)


def _drawn(text: str, width: int, *, color: bool) -> str:
    from llmr.config.environment import Environment
    from llmr.render.markdown.screen import MarkdownScreen

    if Environment.from_process().dumb_terminal:
        return text
    drawn: list[str] = []
    page = MarkdownScreen(drawn.append, lambda: (width, 1), color=color)  # one row: there are none to take back
    page.feed(text)
    page.end()
    return "".join(drawn).rstrip("\n")


def run_export(names: tuple[str, ...], *, config_file: str | None) -> int:
    """Print conversations as JSON Lines, oldest first. Raises LlmrError."""
    with _kept(config_file) as store:
        if store is None:
            return int(ExitCode.OK)
        ids = [store.named(name) for name in names] or [one.id for one in reversed(store.overviews(_ALL))]
        for found in ids:
            turns = store.turns(found)
            print_line(json.dumps(document(found, store.title(found), turns, content=True), allow_nan=False))
    return int(ExitCode.OK)


def run_purge(names: tuple[str, ...], *, before: str | None, every: bool, yes: bool, config_file: str | None) -> int:
    """Purge. Raises LlmrError."""
    from llmr.conversations.purging import all_ids, ids_before, purge, remove_copies, stray_copies

    if (bool(names) + (before is not None) + every) != 1:
        raise UsageError("say what to purge: ids, --before DATE, or --all")
    at = moment(before, SystemClock().now()) if before is not None else 0.0
    with _kept(config_file, to_write=True) as store:
        if store is None:
            if every:
                _forget_typed()
            say("llmr: no conversation is kept")
            return int(ExitCode.OK)
        if names:
            ids = tuple(dict.fromkeys(store.named(name) for name in names))
        else:
            ids = all_ids(store) if every else ids_before(store, at)
            if ids and not yes:
                _confirm(len(ids))
        gone = purge(store, ids)
        _forget_ids()
        if every:
            _forget_typed()
        copies = [name for name in stray_copies(store.path) if every or ".backup-" in name]
        remove_copies(store.path, copies)
        say(f"llmr: purged {_counted(gone)}" + (f", and {', '.join(copies)}" if copies else ""))
        for name in stray_copies(store.path):
            say(f"llmr: {store.path.parent / name} was set aside as damaged and may hold more; --all removes it")
    return int(ExitCode.OK)


def _forget_ids() -> None:
    """What the shells complete. Raises OutputError."""
    from llmr.config.environment import Environment
    from llmr.config.names import forget_ids

    try:
        forget_ids(Environment.from_process())
    except OSError as error:
        raise OutputError(f"the names that shells complete cannot be removed: {error.strerror}") from error


def _forget_typed() -> None:
    """The lines that were typed into the interactive client. Raises OutputError."""
    from llmr.cli.client.reading import HISTORY_FILE
    from llmr.config.environment import Environment

    directory = Environment.from_process().state_dir
    try:
        if directory is not None:
            (directory / HISTORY_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{directory}/{HISTORY_FILE}: cannot be removed: {error.strerror}") from error


def moment(said: str, now: float) -> float:
    """`2026-01-31`, or `30d` before `now`, in wall-clock seconds. Raises UsageError."""
    age = _AGE.fullmatch(said.strip())
    if age is not None:
        return now - int(age[1]) * _HOURS[age[2]] * 3600
    try:
        return datetime.fromisoformat(said.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"--before {said[:40]!r}: write a date as 2026-01-31, or an age as 30d, 4w or 12h") from error


@contextmanager
def _kept(config_file: str | None, *, to_write: bool = False) -> Generator[ConversationStore | None]:
    """The store; None where nothing was ever kept. Raises OutputError for a file that cannot be used."""
    path: Path | None = configured(config_file).conversations_path
    if path is None or not path.exists():
        yield None
        return
    try:
        with open_conversations(path) if to_write else read_conversations(path) as store:
            yield store
            for notice in store.notices:
                say(f"llmr: {notice}")
    except StateError as error:
        raise OutputError(str(error)) from error


def _confirm(count: int) -> None:
    """Ask the person. Raises UsageError where there is nobody to ask, or who says no."""
    if not sys.stdin or not sys.stdin.isatty() or not stdout_is_terminal():
        raise UsageError(f"this purges {_counted(count)} for good; say --yes")
    say(f"llmr: purge {_counted(count)} for good? [y/N]")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was purged")


def _counted(count: int) -> str:
    return counted(count, "conversation")


def _cells(one: Overview, now: float, cost: str) -> tuple[Line, ...]:
    interrupted = one.outcome == CANCELLED
    failed = one.failed - interrupted
    ended = (f", {failed} failed" if failed else "") + (", interrupted" if interrupted else "")
    return (
        ink(one.id),
        ink(ago(now - one.at)),
        (*ink(f"{one.turns}"), *ink(ended, Tone.WARN)),
        ink(f"{one.provider}/{one.model}" if one.provider else "nobody"),
        ink(f"{'~' if one.estimated_usd else ''}{cost}" if one.cost_usd else NOTHING),
        ink(_one_line(one.title)),
    )


def _one_line(text: str, most: int = _TITLE) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= most else joined[: most - 1] + "…"
