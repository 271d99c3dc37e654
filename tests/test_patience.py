"""A time-out that holds it against nobody that the process stood still."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fakes import VirtualLoop

from llmr.patience import Patience


class StoppableLoop(VirtualLoop):
    """A loop of a process that was stopped for a while."""

    stopped_s = 0.0

    def time(self) -> float:
        return super().time() + self.stopped_s


def within_five_seconds(wait: Callable[[StoppableLoop], Awaitable[Any]]) -> float:
    """When the wait was over, by the loop's clock. Raises TimeoutError."""

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, StoppableLoop)
        async with Patience(5.0):
            await wait(loop)
        return loop.time()

    with asyncio.Runner(loop_factory=StoppableLoop) as runner:
        return runner.run(scenario())


def stop(loop: StoppableLoop, seconds: float) -> None:
    loop.stopped_s += seconds


def test_what_is_there_in_time_is_in_time() -> None:
    assert within_five_seconds(lambda _: asyncio.sleep(4.9)) == pytest.approx(4.9)


def test_what_is_not_is_a_time_out() -> None:
    with pytest.raises(TimeoutError):
        within_five_seconds(lambda _: asyncio.sleep(5.1))


def test_an_answer_that_waited_while_the_process_stood_still_is_in_time() -> None:
    async def stopped_for_a_minute(loop: StoppableLoop) -> None:
        answer = asyncio.Event()
        await asyncio.sleep(1)
        stop(loop, 60)
        loop.call_later(0.1, answer.set)
        await answer.wait()

    assert within_five_seconds(stopped_for_a_minute) == pytest.approx(61.1)


def test_silence_before_and_behind_it_is_still_a_time_out() -> None:
    async def silent(loop: StoppableLoop) -> None:
        stop(loop, 60)
        await asyncio.sleep(5.1)

    with pytest.raises(TimeoutError):
        within_five_seconds(silent)


def test_a_process_that_stands_still_again_and_again_is_forgiven_once() -> None:
    async def stopped_twice(loop: StoppableLoop) -> None:
        for _ in range(2):
            stop(loop, 60)
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)

    with pytest.raises(TimeoutError):
        within_five_seconds(stopped_twice)


def test_a_little_late_is_late() -> None:
    async def loaded(loop: StoppableLoop) -> None:
        await asyncio.sleep(4.8)
        stop(loop, 0.9)
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        within_five_seconds(loaded)
