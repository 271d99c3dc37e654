"""An answer store on a temporary file, and the values to put into it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClock

from llmr.cache import Kept
from llmr.cache.store import AnswerStore
from llmr.chat import Delta, FinishReason, Usage

DELTAS = (
    Delta(text="Hello "),
    Delta(text="world"),
    Delta(finish_reason=FinishReason.STOP),
    Delta(usage=Usage(input_tokens=3, output_tokens=2)),
)


@pytest.fixture
def kept(clock: FakeClock) -> Callable[..., Kept]:
    def build(key: str, **more: Any) -> Kept:
        said = {"at": clock.now(), "provider": "a", "model": "m", "deltas": DELTAS, **more}
        return Kept(key=key, **said)

    return build


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[AnswerStore]:
    with AnswerStore(tmp_path / "state" / "cache.db", clock.now, ttl_s=3600, max_bytes=1_000_000) as opened:
        yield opened
