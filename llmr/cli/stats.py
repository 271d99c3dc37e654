"""`llmr stats`: the history, added up."""

import json
import os
import re
import time
from pathlib import Path
from typing import Final

from llmr.app import opened
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, told
from llmr.cli.output import print_line, write_stdout
from llmr.cli.say import say
from llmr.cli.screen import screen, show
from llmr.config.wording import suggestion
from llmr.errors import OutputError, UsageError
from llmr.render.stats import stats_json, stats_view
from llmr.render.summary import By, summarized

_UNITS_S: Final = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_ATTEMPTS_MOST: Final = 500_000  # 3 s, 300 MB: a busy server's quarter; beyond, the last of them


def run_stats(*, by: str, since: str, config_file: str | None, as_json: bool, page: Path | None) -> int:
    """Print what happened, or write it as a page. Raises LlmrError."""
    if by not in set(By):
        raise UsageError(f"unknown --by {by!r}{suggestion(by, By)}")
    if as_json and page is not None:
        raise UsageError("--json writes to standard output and --html to a file; take one of them")
    with opened(configured(config_file)) as app:
        now = app.clock.now()
        begin = since_when(since, now)
        records = app.store.attempts(since=begin, limit=_ATTEMPTS_MOST)
        if len(records) == _ATTEMPTS_MOST:
            say(f"llmr: these are the last {_ATTEMPTS_MOST:,} attempts; there are more since then")
        summary = summarized(records, since=begin, now=now, by=By(by))
        if as_json:
            print_line(json.dumps(stats_json(summary), allow_nan=False))
        elif page is not None:
            from llmr.render.page import stats_page

            _write(page, stats_page(summary))
        else:
            on = screen()
            show(stats_view(summary, on.width, on.glyphs), on)
        told(app)
    return int(ExitCode.OK)


def since_when(said: str, now: float) -> float:
    """Wall-clock seconds of the beginning that is meant; 0: of history. Raises UsageError."""
    if said == "all":
        return 0.0
    ago = re.fullmatch(r"(\d{1,6})\s*([mhdw])", said, re.ASCII)
    if ago is not None and int(ago[1]):
        return max(0.0, now - int(ago[1]) * _UNITS_S[ago[2]])
    try:
        begin = time.mktime(time.strptime(said, "%Y-%m-%d"))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--since {said!r} is no time; say 30m, 12h, 7d, 4w, a date such as 2026-11-01, or all"
        ) from error
    if begin >= now:
        raise UsageError(f"--since {said} lies in the future")
    return begin


def _write(path: Path, text: str) -> None:
    """Whole or not at all; `-` is standard output. Raises OutputError."""
    if str(path) == "-":
        write_stdout(text.encode())
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path} cannot be written: {reason}") from error
