"""What would flip a decision: the figure named is the figure at which it does."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmr.catalog import Model, Price, Provider, Strategy, WireFormat
from llmr.chat import ChatRequest, Message, Role
from llmr.routing.estimate import Estimate
from llmr.routing.health import CandidateHealth, Health
from llmr.routing.policy import Policy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.rules import Candidate, Plan
from llmr.routing.selection import Selection
from llmr.routing.selector import ModelSelector
from llmr.routing.sensitivity import sensitivity

TYPICAL = Estimate(
    mu=math.log(0.8), variance=0.2, samples=100, short_samples=20, success=0.97, failure_s=2.0,
    tokens_per_s=80, output_tokens=300,
)  # fmt: skip
Pair = tuple[Candidate, Estimate]


def pair(name: str, p50_s: float, price: float | None = 1.0, *, tier: int = 0, variance: float = 0.2) -> Pair:
    provider = Provider(name, WireFormat.OPENAI, f"https://{name}.example")
    model = Model(provider, "m", None if price is None else Price(price, 4 * price))
    return Candidate(model, "m", tier, 0), replace(TYPICAL, mu=math.log(p50_s), variance=variance)


def select(pairs: Sequence[Pair], strategy: Strategy = Strategy.BALANCED) -> Selection:
    plan = Plan("m", tuple(c for c, _ in pairs), (), strategy, 1_000)
    health = Health({c.key: CandidateHealth((), LimiterState(), e, 0) for c, e in pairs}, 0, 0)
    request = ChatRequest((Message.text(Role.USER, "hi"),))
    return ModelSelector(Policy()).select(plan, request, health, 0, seed=1)


def first(pairs: Sequence[Pair], strategy: Strategy = Strategy.BALANCED) -> str:
    return select(pairs, strategy).ranked[0].candidate.key


def test_where_nobody_competes_or_the_index_does_not_decide_there_is_nothing_to_flip() -> None:
    assert sensitivity(select([])) is None
    assert sensitivity(select([pair("a", 1)])) is None
    assert sensitivity(select([pair("a", 1), pair("b", 2, tier=1)])) is None
    for strategy in (Strategy.PRIORITY, Strategy.QUALITY, Strategy.ROUND_ROBIN, Strategy.WEIGHTED):
        assert sensitivity(select([pair("a", 1), pair("b", 2)], strategy)) is None


def test_it_says_by_how_much_the_winner_leads_and_what_each_other_lacks() -> None:
    chosen = select([pair("a", 0.5), pair("b", 1.0), pair("c", 2.0)])
    found = sensitivity(chosen)
    assert found is not None
    indices = [r.score.index_s for r in chosen.ranked]
    assert (found.winner, found.margin_s) == ("a/m", pytest.approx(indices[1] - indices[0]))
    assert [(f.key, f.margin_s) for f in found.flips] == [
        ("b/m", pytest.approx(indices[1] - indices[0])),
        ("c/m", pytest.approx(indices[2] - indices[0])),
    ]


def test_under_cost_no_speed_helps_and_under_latency_no_price() -> None:
    by_cost = sensitivity(select([pair("a", 5, 1.0), pair("b", 1, 2.0)], Strategy.COST))
    by_time = sensitivity(select([pair("a", 1, 9.0), pair("b", 5, 2.0)], Strategy.LATENCY))
    assert by_cost is not None
    assert by_time is not None
    assert (by_cost.flips[0].p50_below_s, by_time.flips[0].price_below) == (None, None)
    assert by_cost.flips[0].price_below == Price(pytest.approx(1.0), pytest.approx(4.0))


def test_what_no_figure_can_mend_is_said_so() -> None:
    found = sensitivity(select([pair("a", 0.1, 0.1), pair("b", 0.2, 50.0), pair("c", 60.0, 0.1), pair("d", 9.0, None)]))
    assert found is not None
    flips = {flip.key: flip for flip in found.flips}
    assert flips["b/m"].p50_below_s is None, "not even an answer in no time pays for this price"
    assert flips["c/m"].price_below is None, "not even a free answer is worth a minute"
    assert flips["d/m"].price_below is None, "nobody knows its price"


@settings(max_examples=80, deadline=None)
@given(
    st.floats(0.2, 3), st.floats(0.2, 3), st.floats(0.1, 5), st.floats(0.1, 5), st.floats(0.02, 14),
    st.sampled_from([Strategy.BALANCED, Strategy.LATENCY, Strategy.COST]),
)  # fmt: skip
def test_just_below_the_figure_named_the_other_wins_and_just_above_it_does_not(
    fast: float, slow: float, cheap: float, dear: float, variance: float, strategy: Strategy
) -> None:
    pairs = [pair("a", fast, dear), pair("b", slow, cheap, variance=variance)]
    chosen = select(pairs, strategy)
    found = sensitivity(chosen)
    assert found is not None
    (flip,) = found.flips
    assume(flip.margin_s > 1e-3)
    rival = next(p for p in pairs if p[0].key == flip.key)
    other = next(p for p in pairs if p[0].key != flip.key)
    for factor, winner in ((0.99, flip.key), (1.01, found.winner)):
        if flip.p50_below_s is not None:
            faster = replace(rival[1], mu=math.log(flip.p50_below_s * factor))
            assert first([(rival[0], faster), other], strategy) == winner
        if flip.price_below is not None:
            price = Price(flip.price_below.input_usd * factor, flip.price_below.output_usd * factor)
            cheaper = replace(rival[0], model=replace(rival[0].model, price=price))
            assert first([(cheaper, rival[1]), other], strategy) == winner


def test_a_known_price_below_the_one_named_puts_a_candidate_of_unknown_price_first() -> None:
    pairs = [pair("a", 0.5, 1.0), pair("b", 0.5, None, variance=0.3), pair("c", 0.5, 3.0)]
    chosen = select(pairs)
    assert chosen.ranked[0].candidate.key == "a/m"
    found = sensitivity(chosen)
    assert found is not None
    flip = next(flip for flip in found.flips if flip.key == "b/m")
    assert flip.price_unknown
    assert flip.price_below is not None
    for factor, winner in ((0.99, "b/m"), (1.01, "a/m")):
        known = pair("b", 0.5, flip.price_below.input_usd * factor, variance=0.3)
        assert first([pairs[0], known, pairs[2]]) == winner


def test_by_cost_an_unknown_price_never_precedes_a_known_one_that_is_as_dear() -> None:
    assert first([pair("a", 0.1, None), pair("b", 2.0, 1.0)], Strategy.COST) == "b/m"
