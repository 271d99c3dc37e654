"""`llmr cache`: how the answer cache serves, and what empties it."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final

from llmr.app import SystemClock, open_answers
from llmr.cache import CacheCounts
from llmr.cache.store import AnswerStore
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.log import moment
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.render.figures import ago, counted, dollars, megabytes, share

STATS_SCHEMA: Final = "llmr.cache/1"
_EMPTY: Final = CacheCounts(0, 0, 0, 0, 0, 0, 0, 0.0, None)


def run_stats(*, as_json: bool, config_file: str | None) -> int:
    """Print the counts. Raises LlmrError."""
    with _answers(config_file) as store:
        counts = store.counts() if store is not None else _EMPTY
    if as_json:
        print_line(json.dumps({"schema": STATS_SCHEMA, **asdict(counts), "hit_rate": counts.hit_rate}, allow_nan=False))
        return int(ExitCode.OK)
    if not counts.kept and counts.hit_rate is None:
        say("llmr: nothing has been kept yet; `llmr chat --cache` or `[cache] enabled = true` keeps answers")
        return int(ExitCode.OK)
    oldest = "" if counts.oldest_at is None else f", the oldest {ago(SystemClock().now() - counts.oldest_at)}"
    print_line(f"kept    {counted(counts.entries, 'answer')}, {megabytes(counts.bytes)}{oldest}")
    looked = counts.hits + counts.semantic_hits + counts.misses
    near = f", {counts.semantic_hits:,} of them by likeness" if counts.semantic_hits else ""
    print_line(
        f"hits    {counts.hits + counts.semantic_hits:,} of {counted(looked, 'look-up')} ({share(counts.hit_rate)}){near}"
    )
    print_line(f"saved   {dollars(counts.saved_usd)}, where the price was known")
    if counts.evicted:
        print_line(f"evicted {counts.evicted:,} to make room ([cache] max_mb)")
    return int(ExitCode.OK)


def run_purge(*, before: str | None, config_file: str | None) -> int:
    """Purge. Raises LlmrError."""
    at = None if before is None else moment(before, SystemClock().now())
    with _answers(config_file) as store:
        gone = store.purge(before=at) if store is not None else 0
    say(f"llmr: {counted(gone, 'kept answer')} removed")
    return int(ExitCode.OK)


@contextmanager
def _answers(config_file: str | None) -> Generator[AnswerStore | None]:
    """The cache; None where there is no file yet: a look makes none."""
    config = configured(config_file)
    path = config.cache_path
    if path is None or not path.exists():
        yield None
        return
    with open_answers(path, config) as store:
        yield store
        for notice in store.notices:
            say(f"llmr: {notice}")
