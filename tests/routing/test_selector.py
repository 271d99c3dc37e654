"""The selector: who is in, in which order, and why not the others."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmr.catalog import (
    Capabilities,
    Model,
    OnLimit,
    Price,
    Provider,
    RateLimit,
    SpendLimits,
    Strategy,
    WireFormat,
)
from llmr.chat import ChatRequest, Message, Role, Tool
from llmr.errors import ErrorKind
from llmr.routing import breaker
from llmr.routing.circuit import BreakerState, Cause, Forced, Phase
from llmr.routing.estimate import Estimate, estimate
from llmr.routing.health import CandidateHealth, Circuit, Health
from llmr.routing.policy import Policy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.rules import Candidate, Excluded, Plan, PriceCap, RuleTrace
from llmr.routing.selection import Barrier, Rejected, Selection
from llmr.routing.selector import ModelSelector
from llmr.routing.spending import Purse, Today

NOON = 1_795_435_200.0
REQUEST = ChatRequest((Message.text(Role.USER, "hello"),), model="m")
FREE = Price(0.0, 0.0)
TYPICAL = Estimate(
    mu=math.log(0.8), variance=0.1, samples=100, short_samples=20, success=0.98, failure_s=2.0,
    tokens_per_s=80, output_tokens=300,
)  # fmt: skip
OPEN = BreakerState(Phase.OPEN, 1, 5, 1, 0, NOON - 10, NOON + 20, Cause.ERROR, why="server")


def candidate(
    name: str, *, price: Price | None = FREE, quality: float | None = None, tier: int = 0, favour: int = 0,
    position: int = 0, can: Capabilities | None = None, **provider: Any,
) -> Candidate:  # fmt: skip
    at = Provider(name, WireFormat.OPENAI, f"https://{name}.example", **provider)
    return Candidate(Model(at, "m", price, can or Capabilities(), quality), "m", tier, position, favour)


def health(
    estimate: Estimate = TYPICAL, *circuits: BreakerState, limiter: LimiterState | None = None, last_used: float = 0.0
) -> CandidateHealth:
    labelled = tuple(Circuit(f"circuit {place}", state) for place, state in enumerate(circuits))
    return CandidateHealth(labelled, limiter or LimiterState(), estimate, last_used)


def select(
    pairs: Sequence[tuple[Candidate, CandidateHealth]], strategy: Strategy = Strategy.BALANCED, *,
    policy: Policy | None = None, request: ChatRequest = REQUEST, prompt_tokens: int = 1_000, seed: int = 7,
    explore: bool = False, excluded: tuple[Excluded, ...] = (), failed: Sequence[Model] = (), cap: PriceCap | None = None,
) -> Selection:  # fmt: skip
    trace = (RuleTrace("r", matched=True, because="it asks nothing"),)
    plan = Plan("m", tuple(c for c, _ in pairs), excluded, strategy, prompt_tokens, trace, cap)
    known = Health({c.key: h for c, h in pairs}, 0.0, NOON)
    return ModelSelector(policy or Policy()).select(
        plan, request, known, NOON, seed=seed, explore=explore, failed=failed
    )


def order(selection: Selection) -> list[str]:
    return [ranked.candidate.model.provider.name for ranked in selection.ranked]


def only_rejected(selection: Selection) -> Rejected:
    assert not selection.ranked
    (rejected,) = selection.rejected
    return rejected


def slower(factor: float, **more: Any) -> Estimate:
    return replace(TYPICAL, mu=TYPICAL.mu + math.log(factor), **more)


# WHO IS OUT, AND WHY


def test_the_plan_and_its_trace_are_carried_on() -> None:
    chosen = select([(candidate("a"), health())], prompt_tokens=12)
    assert (chosen.asked, chosen.strategy, chosen.prompt_tokens, chosen.explored) == ("m", Strategy.BALANCED, 12, False)
    assert [line.rule for line in chosen.trace] == ["r"]


def test_what_a_rule_removed_is_rejected_with_the_rules_reason() -> None:
    gone = Excluded(candidate("x"), "rule 'r' allows only a/*")
    chosen = select([(candidate("a"), health())], excluded=(gone,))
    assert chosen.rejected == (Rejected(gone.candidate, Barrier.RULE, gone.reason),)


DOLLAR_A_TOKEN = Price(1e6, 1e6)


def test_who_is_expected_to_cost_more_than_a_rule_allows_is_rejected_with_the_figures() -> None:
    one = (candidate("a", price=Price(10, 20)), health())  # 1,000 tokens in, 300 out
    dear = only_rejected(select([one], cap=PriceCap(0.0159, "thrift")))
    assert (dear.barrier, dear.kind, dear.retry_at) == (Barrier.PRICE, ErrorKind.BUDGET, None)
    assert dear.reason == "~$0.016 is over the cap of $0.0159 (rule 'thrift')"
    assert order(select([one], cap=PriceCap(0.016, "thrift"))) == ["a"]


def test_where_the_limit_over_all_covers_the_first_it_refuses_only_who_is_too_dear_after_it() -> None:
    """`on_limit = refuse` refuses the request for its first candidate, not for one further down."""
    names = ("a", FREE), ("b", DOLLAR_A_TOKEN), ("c", FREE)
    pairs = [(candidate(name, price=price, position=place), health()) for place, (name, price) in enumerate(names)]
    plan = Plan("m", tuple(c for c, _ in pairs), (), Strategy.PRIORITY, 1_000, ())
    today = Today("2026-11", 23, NOON + 9, NOON + 99)
    known = Health({c.key: h for c, h in pairs}, 0.0, NOON, Purse(), today)
    policy = Policy(spend=SpendLimits(per_day_usd=1.0, on_limit=OnLimit.REFUSE))
    chosen = ModelSelector(policy).select(plan, REQUEST, known, NOON, seed=7)
    assert order(chosen) == ["a", "c"]
    assert [(one.candidate.key, one.barrier) for one in chosen.rejected] == [("b/m", Barrier.SPEND)]


def test_a_shorter_answer_may_fit_under_the_cap() -> None:
    one = (candidate("a", price=Price(10, 20)), health())
    assert order(select([one], cap=PriceCap(0.012, "r"), request=replace(REQUEST, max_output_tokens=100))) == ["a"]


def test_under_a_cap_a_price_that_nobody_knows_is_too_high_unless_the_rule_lets_it_pass() -> None:
    unknown = (candidate("a", price=None), health())
    assert only_rejected(select([unknown], cap=PriceCap(9, "thrift"))).reason == (
        "price unknown, and the cap is $9.00 (rule 'thrift'; allow_unknown_price = true would let it pass)"
    )
    assert order(select([unknown], cap=PriceCap(9, "thrift", allow_unknown=True))) == ["a"]


def test_what_runs_on_this_machine_is_under_every_cap_unless_its_price_is_said() -> None:
    assert order(select([(candidate("a", price=None, local=True), health())], cap=PriceCap(0, "r"))) == ["a"]
    assert not select([(candidate("a", price=DOLLAR_A_TOKEN, local=True), health())], cap=PriceCap(0, "r")).ranked


@given(st.floats(0, 0.1), st.floats(0, 0.1))
def test_a_lower_cap_never_lets_more_candidates_in(one: float, other: float) -> None:
    pairs = [
        (candidate(name, price=Price(usd, usd)), health()) for name, usd in zip("abcd", (1, 5, 20, 80), strict=True)
    ]
    low, high = (set(order(select(pairs, cap=PriceCap(usd, "r")))) for usd in sorted((one, other)))
    assert low <= high


def test_an_account_that_is_off_is_rejected_before_anything_else_is_asked() -> None:
    off = candidate("a", off_reason="no key: set A_API_KEY")
    assert only_rejected(select([(off, health(TYPICAL, OPEN))])) == Rejected(off, Barrier.OFF, "no key: set A_API_KEY")


def test_a_model_that_cannot_take_the_request_is_rejected_for_what_it_lacks() -> None:
    narrow = candidate("a", can=Capabilities(context_window_tokens=500))
    rejected = only_rejected(select([(narrow, health())]))
    assert (rejected.barrier, rejected.kind, rejected.retry_at) == (Barrier.UNFIT, ErrorKind.CONTEXT_LENGTH, None)
    mute = candidate("a", can=Capabilities(tools=False))
    rejected = only_rejected(select([(mute, health())], request=replace(REQUEST, tools=(Tool("f"),))))
    assert (rejected.barrier, rejected.kind) == (Barrier.UNFIT, ErrorKind.UNSUPPORTED)


def test_an_open_circuit_rejects_and_says_which_why_and_until_when() -> None:
    one = candidate("a")
    assert only_rejected(select([(one, health(TYPICAL, BreakerState(), OPEN))])) == Rejected(
        one,
        Barrier.CIRCUIT,
        "circuit 1: circuit open after repeated failures (server)",
        ErrorKind.SERVER,
        retry_at=NOON + 20,
        early_at=NOON - 8,
        estimate=TYPICAL,
    )


def test_of_several_open_circuits_the_longest_speaks_for_all_have_to_be_passed() -> None:
    limited = BreakerState(Phase.OPEN, 1, opened_at=NOON, open_until=NOON + 600, cause=Cause.RATE, why="rate_limit")
    rejected = only_rejected(select([(candidate("a"), health(TYPICAL, OPEN, limited))]))
    assert (rejected.retry_at, rejected.early_at, rejected.kind) == (NOON + 600, None, ErrorKind.RATE_LIMIT)


def test_a_reason_that_a_newer_version_wrote_down_is_no_reason_to_crash() -> None:
    rejected = only_rejected(select([(candidate("a"), health(TYPICAL, replace(OPEN, why="melted")))]))
    assert (rejected.kind, rejected.reason) == (None, "circuit 0: circuit open after repeated failures")


def test_a_circuit_whose_time_is_up_or_that_is_held_closed_rejects_nobody() -> None:
    due = replace(OPEN, open_until=NOON)
    assert order(select([(candidate("a"), health(TYPICAL, due))])) == ["a"]
    held = breaker.force(OPEN, Forced.CLOSED)
    assert order(select([(candidate("a"), health(TYPICAL, OPEN, held))])) == ["a"]
    rejected = only_rejected(select([(candidate("a"), health(TYPICAL, breaker.force(OPEN, Forced.OPEN)))]))
    assert (rejected.reason, rejected.kind, rejected.retry_at) == ("circuit 0: held open by hand", None, None)


def test_an_account_without_head_room_is_rejected_until_it_has_some() -> None:
    full = candidate("a", rate_limit=RateLimit(requests_per_minute=1))
    used = health(limiter=LimiterState(requests_tat=NOON + 60))
    rejected = only_rejected(select([(full, used)]))
    assert (rejected.barrier, rejected.kind) == (Barrier.LIMIT, ErrorKind.RATE_LIMIT)
    assert rejected.retry_at == pytest.approx(NOON + 60)


# IN WHICH ORDER


def test_latency_looks_at_time_alone() -> None:
    pairs = [
        (candidate("slow", quality=1.0), health(slower(2))),
        (candidate("fast", price=Price(1e6, 1e6), quality=0.0), health(slower(0.5))),
        (candidate("flaky"), health(slower(0.4, success=0.5, failure_s=5))),
    ]
    assert order(select(pairs, Strategy.LATENCY)) == ["fast", "slow", "flaky"]


def test_cost_looks_at_price_over_success_and_breaks_ties_by_time() -> None:
    pairs = [
        (candidate("cheap but flaky", price=Price(1, 1)), health(slower(1, success=0.4))),
        (candidate("fair", price=Price(2, 2)), health(slower(3, success=1.0))),
        (candidate("fair and fast", price=Price(2, 2)), health(slower(1, success=1.0))),
    ]
    assert order(select(pairs, Strategy.COST)) == ["fair and fast", "fair", "cheap but flaky"]


def test_quality_comes_first_under_quality_and_the_index_decides_among_equals() -> None:
    pairs = [
        (candidate("plain"), health(slower(0.1))),
        (candidate("good but slow", quality=0.9), health(slower(5))),
        (candidate("good", quality=0.9), health()),
    ]
    assert order(select(pairs, Strategy.QUALITY)) == ["good", "good but slow", "plain"]


def test_balanced_weighs_time_price_and_quality_in_one_currency() -> None:
    dear = Price(2.0, 0.0)  # 1,000 prompt tokens: $0.002, one second's worth
    pairs = [
        (candidate("dear", price=dear), health(slower(0.5, success=1.0))),
        (candidate("slow"), health(slower(1.3, success=1.0))),
        (candidate("good", quality=1.0), health(slower(1.5, success=1.0))),
    ]
    assert order(select(pairs)) == ["good", "slow", "dear"]


def test_whose_cache_holds_the_prompt_is_the_cheaper_one() -> None:
    warm = health(replace(TYPICAL, cached_share=0.9))
    pairs = [
        (candidate("cold", price=Price(2.0, 0.0, cached_input_usd=0.2)), health()),
        (candidate("warm", price=Price(2.2, 0.0, cached_input_usd=0.2)), warm),
        (candidate("no price for it", price=Price(2.1, 0.0)), warm),
    ]
    chosen = select(pairs, Strategy.COST)
    assert order(chosen) == ["warm", "cold", "no price for it"]
    assert chosen.ranked[0].score.price_usd == pytest.approx((100 * 2.2 + 900 * 0.2) / 1e6)
    capped = select(pairs, Strategy.COST, cap=PriceCap(0.001, "r"))
    assert order(capped) == ["warm"], "a price cap asks for the expected price, too"


def test_priority_keeps_the_users_order() -> None:
    pairs = [(candidate(n, position=p), health(slower(5 - p))) for p, n in enumerate(["x", "b", "a"])]
    assert order(select(pairs, Strategy.PRIORITY)) == ["x", "b", "a"]


def test_round_robin_asks_whoever_was_asked_longest_ago() -> None:
    pairs = [(candidate(n, position=p), health(last_used=u)) for p, (n, u) in enumerate([("a", 5), ("b", 0), ("c", 3)])]
    assert order(select(pairs, Strategy.ROUND_ROBIN)) == ["b", "c", "a"]


def test_weighted_shares_the_requests_by_weight() -> None:
    pairs = [(candidate(name, weight=weight), health()) for name, weight in (("a", 3.0), ("b", 1.0), ("c", 0.0))]
    first = Counter(order(select(pairs, Strategy.WEIGHTED, seed=seed))[0] for seed in range(2_000))
    assert first["a"] == pytest.approx(1_500, abs=80)
    assert first["b"] == pytest.approx(500, abs=80)
    assert first["c"] == 0


@pytest.mark.parametrize("strategy", Strategy)
def test_tiers_come_before_favour_and_favour_before_any_strategy(strategy: Strategy) -> None:
    pairs = [
        (candidate("fallback", tier=1, favour=-1, quality=1.0, position=3), health(slower(0.01))),
        (candidate("avoided", favour=1, quality=1.0, position=0), health(slower(0.01))),
        (candidate("plain", position=1), health(slower(9), last_used=5)),
        (
            candidate("preferred", favour=-1, quality=0.0, position=2, price=Price(99, 99)),
            health(slower(99), last_used=9),
        ),
    ]
    assert order(select(pairs, strategy)) == ["preferred", "plain", "avoided", "fallback"]


def test_equals_keep_the_users_order() -> None:
    pairs = [(candidate(n, position=p), health()) for p, n in enumerate(["z", "y", "a"])]
    for strategy in set(Strategy) - {Strategy.WEIGHTED}:
        assert order(select(pairs, strategy)) == ["z", "y", "a"]


def test_an_unknown_price_counts_as_the_dearest_known_one() -> None:
    pairs = [
        (candidate("dear", price=Price(10, 10), position=0), health()),
        (candidate("unknown", price=None, position=1), health(slower(1.01))),
        (candidate("cheap", price=Price(1, 1), position=2), health(slower(1.02))),
    ]
    chosen = select(pairs, Strategy.COST)
    assert order(chosen) == ["cheap", "dear", "unknown"]
    by_name = {r.candidate.model.provider.name: r.score for r in chosen.ranked}
    assert by_name["unknown"].price_assumed
    assert by_name["unknown"].price_usd == by_name["dear"].price_usd
    assert not by_name["dear"].price_assumed


def test_where_no_price_is_known_none_counts() -> None:
    (ranked,) = select([(candidate("a", price=None), health())]).ranked
    assert (ranked.score.price_usd, ranked.score.price_s) == (None, 0.0)


def test_an_answer_that_is_limited_costs_no_more_than_its_limit() -> None:
    pair = (candidate("a", price=Price(0, 10)), health())
    (long,) = select([pair]).ranked
    (short,) = select([pair], request=replace(REQUEST, max_output_tokens=30)).ranked
    assert long.score.price_usd == pytest.approx(300 * 10 / 1e6)
    assert short.score.price_usd == pytest.approx(30 * 10 / 1e6)


# INVARIANTS (shared/design/routing.md §7)

estimates = st.builds(
    Estimate,
    mu=st.floats(math.log(0.05), math.log(30)),
    variance=st.floats(0.02, 1.5),
    samples=st.floats(0, 300),
    short_samples=st.floats(0, 100),
    success=st.floats(0.02, 1.0),
    failure_s=st.floats(0.1, 30),
    tokens_per_s=st.floats(5, 200),
    output_tokens=st.floats(1, 2_000),
)
prices = st.builds(Price, st.floats(0, 30), st.floats(0, 60))


@st.composite
def fields_of_candidates(draw: st.DrawFn, *, flat: bool = False) -> list[tuple[Candidate, CandidateHealth]]:
    count = draw(st.integers(1, 6))
    return [
        (
            candidate(
                f"p{place}",
                price=draw(prices),
                quality=None if flat else draw(st.none() | st.floats(0, 1)),
                tier=0 if flat else draw(st.integers(0, 1)),
                favour=0 if flat else draw(st.integers(-1, 1)),
                position=place,
            ),
            health(draw(estimates), last_used=draw(st.integers(0, 3))),
        )
        for place in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(
    fields_of_candidates(),
    st.sampled_from(Strategy),
    st.integers(0, 9),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_order_is_total_repeatable_and_blind_to_the_order_of_the_input(
    pairs: list[tuple[Candidate, CandidateHealth]], strategy: Strategy, seed: int, explore: bool, chance: Any
) -> None:
    first = select(pairs, strategy, seed=seed, explore=explore)
    assert sorted(order(first)) == sorted(c.model.provider.name for c, _ in pairs)
    assert select(pairs, strategy, seed=seed, explore=explore) == first
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    assert order(select(shuffled, strategy, seed=seed, explore=explore)) == order(first)


@settings(max_examples=100, deadline=None)
@given(
    fields_of_candidates(), st.sampled_from(Strategy), st.integers(0, 5), st.floats(0, 1),
    st.sampled_from(["ttft", "success", "price", "quality"]),
)  # fmt: skip
def test_getting_better_never_worsens_a_place(
    pairs: list[tuple[Candidate, CandidateHealth]], strategy: Strategy, which: int, by: float, what: str
) -> None:
    which %= len(pairs)
    one, own = pairs[which]
    before = order(select(pairs, strategy)).index(one.model.provider.name)
    match what:
        case "ttft":
            own = replace(own, estimate=replace(own.estimate, mu=own.estimate.mu - by))
        case "success":
            own = replace(
                own, estimate=replace(own.estimate, success=own.estimate.success + by * (1 - own.estimate.success))
            )
        case "price":
            assert one.model.price is not None
            cheaper = Price(one.model.price.input_usd * by, one.model.price.output_usd * by)
            one = replace(one, model=replace(one.model, price=cheaper))
        case _:
            quality = 0.5 if one.model.quality is None else one.model.quality
            one = replace(one, model=replace(one.model, quality=quality + by * (1 - quality)))
    after = order(select([*pairs[:which], (one, own), *pairs[which + 1 :]], strategy)).index(one.model.provider.name)
    assert after <= before


def expected_cost_s(ordered: Sequence[tuple[Candidate, CandidateHealth]], policy: Policy, prompt_tokens: int) -> float:
    """Seconds' worth that an order of attempts costs until one succeeds; reckoned from the estimates alone."""
    total, reached = 0.0, 1.0
    for one, own in ordered:
        e, price = own.estimate, one.model.price
        assert price is not None
        mean = math.exp(e.mu + e.variance / 2)
        p95 = math.exp(e.mu + 1.645 * math.sqrt(e.variance))
        reading = max(0.0, e.output_tokens / e.tokens_per_s - e.output_tokens / 15)
        served = mean + reading + 0.4 * max(0.0, p95 - mean)
        dollars = (prompt_tokens * price.input_usd + e.output_tokens * price.output_usd) / 1e6
        worth = (one.model.quality or 0.0) * policy.quality_is_worth_usd / policy.second_is_worth_usd
        cost = e.success * (served - worth) + (1 - e.success) * e.failure_s + dollars / policy.second_is_worth_usd
        total += reached * cost
        reached *= 1 - e.success
    return total


@settings(max_examples=60, deadline=None)
@given(fields_of_candidates(flat=True), st.booleans())
def test_the_order_is_the_cheapest_of_all_orders(
    pairs: list[tuple[Candidate, CandidateHealth]], with_quality: bool
) -> None:
    policy = Policy(quality_is_worth_usd=0.002 if with_quality else 0.0)
    pairs = [
        (replace(c, model=replace(c.model, quality=place / 5 if with_quality else 0.0)), h)
        for place, (c, h) in enumerate(pairs)
    ]
    by_name = {c.model.provider.name: (c, h) for c, h in pairs}
    chosen = [by_name[name] for name in order(select(pairs, policy=policy))]
    best = min(expected_cost_s(other, policy, 1_000) for other in permutations(pairs))
    assert expected_cost_s(chosen, policy, 1_000) <= best + 1e-9 * max(1.0, abs(best))


# EXPLORATION


def test_exploring_draws_from_what_is_still_possible_around_what_is_likely() -> None:
    sure = (candidate("a"), health(replace(TYPICAL, short_samples=99.0)))
    draws = [select([sure], seed=seed, explore=True).ranked[0].estimate for seed in range(500)]
    mus = [e.mu for e in draws]
    mean = sum(mus) / len(mus)
    spread = math.sqrt(sum((mu - mean) ** 2 for mu in mus) / len(mus))
    assert mean == pytest.approx(TYPICAL.mu, abs=0.01)
    assert spread == pytest.approx(math.sqrt(0.1 / 100), rel=0.15)
    assert sum(e.success for e in draws) / len(draws) == pytest.approx(0.98, abs=0.01)
    assert all(0 <= e.success <= 1 for e in draws)


def test_exploring_sometimes_asks_the_less_known_and_not_exploring_never_does() -> None:
    pairs = [
        (candidate("known"), health(replace(TYPICAL, short_samples=100))),
        (candidate("new"), health(slower(1.3, variance=0.5, samples=0, short_samples=0))),
    ]
    assert {order(select(pairs, seed=seed))[0] for seed in range(100)} == {"known"}
    first = Counter(order(select(pairs, seed=seed, explore=True))[0] for seed in range(300))
    assert 15 < first["new"] < 285
    assert select(pairs, explore=True).explored


def test_who_is_erratic_but_well_known_is_not_explored_for_that() -> None:
    def asked(samples: float, short_samples: float) -> int:
        wild = slower(1.3, variance=0.8, samples=samples, short_samples=short_samples)
        pairs = [(candidate("calm"), health(replace(TYPICAL, short_samples=50))), (candidate("wild"), health(wild))]
        return sum(order(select(pairs, seed=seed, explore=True))[0] == "wild" for seed in range(300))

    assert asked(samples=0, short_samples=0) > 3 * asked(samples=300, short_samples=0)
    assert asked(samples=300, short_samples=0) >= asked(samples=300, short_samples=50)


def test_a_failure_is_not_drawn_away_by_exploring() -> None:
    shaky = health(replace(TYPICAL, success=0.5))
    for seed in range(20):
        assert select([(candidate("a"), shaky)], seed=seed, explore=True).ranked[0].estimate.success == 0.5


def test_a_machine_that_knows_nothing_ranks_by_what_it_was_told() -> None:
    unknown = estimate((), NOON, 0)
    pairs = [
        (candidate(n, price=Price(p, p), position=i), health(unknown)) for i, (n, p) in enumerate([("a", 9), ("b", 1)])
    ]
    assert order(select(pairs)) == ["b", "a"]


# WHAT HAS JUST FAILED, AND WHAT IS TO BE PROBED


def test_a_failed_sibling_puts_the_rest_of_its_domain_behind_a_stranger() -> None:
    failed = candidate("failed", shares="eu")
    pairs = [(candidate("sibling", shares="eu"), health(slower(0.8))), (candidate("stranger"), health())]
    assert order(select(pairs)) == ["sibling", "stranger"]
    after = select(pairs, failed=[failed.model])
    assert order(after) == ["stranger", "sibling"]
    assert after.ranked[1].estimate.success == pytest.approx(0.98 / 2)
    assert after.ranked[1].habits.success == 0.98, "what it is known for has not changed"


def test_a_much_better_sibling_is_asked_all_the_same() -> None:
    pairs = [(candidate("sibling", shares="eu"), health(slower(0.1))), (candidate("stranger"), health(slower(9)))]
    assert order(select(pairs, failed=[candidate("failed", shares="eu").model])) == ["sibling", "stranger"]


def test_one_whose_cool_down_is_over_is_ranked_without_the_failures_it_was_out_for() -> None:
    """Else nobody would send the probe that shows it is well."""
    scarred = slower(0.4, success=0.3, usual_success=0.97, failure_s=0.5)
    due = replace(OPEN, open_until=NOON)
    pairs = [(candidate("b"), health()), (candidate("a"), health(scarred, due))]
    chosen = select(pairs)
    assert order(chosen) == ["a", "b"]
    assert (chosen.ranked[0].probe, chosen.ranked[0].estimate.success) == (True, 0.97)
    assert order(select([pairs[0], (candidate("a"), health(scarred))])) == ["b", "a"], "in a closed circuit they count"
