"""The cache before the loop: what is given again, what never is, and that a hit tells the same story."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from fakes import KEY, PATIENCE_S, Answer, breaks_off, event, fails, request, says

from llmr.cache.store import AnswerStore
from llmr.chat import CacheWish, ChatRequest, ChatResponse, Delta, Tool
from llmr.errors import ErrorKind, LlmrError, ProviderError, RequestDenied
from llmr.router import Answering, AttemptStarted, Finished, LookedUp
from llmr.router.cached import CachedRouter
from llmr.routing.rules import Condition, Rule
from llmr.secret import Redactor, Secret

OK = says("Hello ", "there")
FAIL = fails(500)
CUT = breaks_off("Hello ", "th")


async def here(work):
    return work()


class Cached:
    """A rig with the cache before its router."""

    def __init__(self, rig, path: Path, *, enabled: bool = True) -> None:
        self.rig = rig
        self.store = AnswerStore(path, rig.clock.now, ttl_s=3600, max_bytes=1_000_000)
        redact = Redactor((Secret(KEY),))
        self.router = CachedRouter(
            rig.router, self.store, rig.registry, rig.clock, Random(3), redact, enabled=enabled, aside=here
        )

    def ask(self, asked: ChatRequest | None = None) -> list:
        async def asking() -> list:
            async with aclosing(self.router.stream(asked or request())) as events:
                return [event async for event in events]

        return asyncio.run(asyncio.wait_for(asking(), PATIENCE_S))


def kinds(events) -> list[type]:
    return list(dict.fromkeys(type(event) for event in events))


def text(events) -> str:
    return ChatResponse.from_deltas(e for e in events if isinstance(e, Delta)).text


def was_hit(events) -> bool:
    return isinstance(events[0], LookedUp) and events[0].found is not None


@pytest.fixture
def cached(rig, tmp_path) -> Iterator:
    made = []

    def build(script, *, enabled=True, **how):
        made.append(Cached(rig(script, **how), tmp_path / "cache.db", enabled=enabled))
        return made[-1]

    yield build
    for one in made:
        one.store.close()


def test_the_same_request_is_asked_once_and_answered_twice(cached):
    one = cached({"a": [OK, FAIL]})
    first, second = one.ask(), one.ask()
    assert first[0] == LookedUp(None)
    assert was_hit(second)
    assert kinds(second) == [LookedUp, Answering, Delta, Finished]
    assert text(first) == text(second) != ""
    assert (second[-1].attempts, second[-1].cost_usd) == (0, 0.0)
    assert second[-1].response.usage == first[-1].response.usage
    assert second[-1].candidate.key == first[-1].candidate.key


def test_a_hit_is_in_the_history_without_an_attempt_and_touches_no_circuit(cached):
    one = cached({"a": [OK, FAIL]})
    one.ask()
    hit = one.ask()
    records = one.rig.store.requests()
    assert [record.attempts for record in records] == [1, 0]
    assert (records[1].id, records[1].outcome, records[1].provider) == (hit[-1].request_id, "ok", "a")
    assert one.rig.outcomes() == ["ok"]
    assert one.store.counts().hits == 0  # counted in batches …
    one.store.close()
    assert one.store.counts().hits == 1  # … and none is lost


def test_what_nobody_asked_to_keep_is_neither_looked_up_nor_kept(cached, tmp_path):
    one = cached({"a": [OK, OK]}, enabled=False)
    assert not any(isinstance(event, LookedUp) for event in [*one.ask(), *one.ask()])
    assert not (tmp_path / "cache.db").exists()


def test_a_rule_turns_it_on_and_another_off(cached):
    rules = (Rule("on", Condition(tags=("cheap",)), cache=True), Rule("off", Condition(tags=("private",)), cache=False))
    one = cached({"a": [OK, FAIL]}, rules=rules, enabled=False)
    one.ask(request(tags=("cheap",)))
    assert was_hit(one.ask(request(tags=("cheap",))))
    two = cached({"a": [OK, OK]}, rules=rules)
    for _ in range(2):
        assert not isinstance((two.ask(request(tags=("private",))))[0], LookedUp)


def test_what_a_rule_refuses_is_refused_although_its_answer_lies_here(cached):
    one = cached({"a": [OK]})
    one.ask()
    two = cached({"a": [OK]}, rules=(Rule("no", deny="not today"),))
    with pytest.raises(RequestDenied):
        two.ask()


def test_an_answer_of_one_who_may_not_be_asked_is_not_given(cached):
    one = cached({"a": [OK], "b": [OK]})
    one.ask()
    two = cached({"a": [OK], "b": [OK]}, rules=(Rule("home", only=("b/*",)),))
    events = two.ask()
    assert [e.candidate.model.provider.name for e in events if isinstance(e, AttemptStarted)] == ["b"]
    assert (two.ask(request(provider="b")))[0].found is not None


def test_a_failure_is_not_kept(cached):
    one = cached({"a": [FAIL] * 6 + [OK]})
    with pytest.raises(LlmrError):
        one.ask()
    assert one.store.counts().kept == 0


def test_an_answer_that_broke_off_was_cut_or_filtered_is_not_kept(cached):
    for answer in (CUT, says("Hello", reason="length"), says("Hello", reason="content_filter")):
        one = cached({"a": [answer]})
        with contextlib.suppress(LlmrError):
            one.ask()
        assert one.store.counts().kept == 0, answer


def test_an_answer_spliced_from_two_is_not_kept(cached):
    one = cached({"a": [CUT], "b": [OK]})
    events = one.ask(request(on_break="continue"))
    assert isinstance(events[-1], Finished)
    assert one.store.counts().kept == 0


def test_an_answer_with_a_key_of_ours_in_it_is_not_kept(cached):
    one = cached({"a": [says(f"your key is {KEY}")]})
    one.ask()
    assert one.store.counts().kept == 0


def test_a_request_with_tools_is_cached_only_where_that_is_asked_for(cached):
    one = cached({"a": [OK, OK, OK, FAIL]})
    tools = request(tools=(Tool("send_money"),))
    assert not isinstance((one.ask(tools))[0], LookedUp)
    asked = replace(tools, cache=CacheWish(use=True))
    one.ask(asked)
    assert was_hit(one.ask(asked))


def test_no_cache_asks_anew_and_replaces_and_no_store_leaves_no_trace(cached):
    one = cached({"a": [says("one"), says("two"), says("three")]})
    assert text(one.ask(request(cache=CacheWish(keep=False)))) == "one"
    assert one.store.counts().kept == 0
    assert text(one.ask()) == "two"
    assert text(one.ask(request(cache=CacheWish(fresh=True)))) == "three"
    assert text(one.ask()) == "three"


def test_a_kept_answer_that_the_request_does_not_accept_is_asked_anew(cached):
    one = cached({"a": [says("plain"), says("{}")]})
    one.ask()
    wants = request(accept=lambda response: None if response.text == "{}" else "no JSON")
    assert text(one.ask(wants)) == "{}"


def test_what_a_failed_attempt_left_behind_is_no_part_of_the_answer(cached):
    one = cached({"a": [FAIL] * 3, "b": [says("from b")]})
    one.ask()
    hit = one.ask()
    assert was_hit(hit)
    assert (text(hit), hit[-1].candidate.model.provider.name) == ("from b", "b")


def test_the_tokens_of_a_failed_attempt_are_not_those_of_the_answer(cached):
    counted = event({"choices": [], "usage": {"prompt_tokens": 999, "completion_tokens": 999}})
    gone = ProviderError(ErrorKind.INCOMPLETE, "gone")
    one = cached({"a": [Answer(pieces=((0.1, counted),), broken=gone)], "b": [says("from b", usage=None)]})
    asked, hit = one.ask(), one.ask()
    assert was_hit(hit)
    assert asked[-1].response.usage is None
    assert hit[-1].response.usage is None
