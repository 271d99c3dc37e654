"""The rules engine: which names mean which candidates, and what rules do to them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Catalog, FirstToken, Model, NamedModel, Provider, Strategy, TimeoutOverrides, WireFormat
from llmr.chat import ChatRequest, Message, Role
from llmr.errors import RequestDenied, UsageError
from llmr.routing.circuit import Phase
from llmr.routing.policy import OnBreak
from llmr.routing.rules import Clause, Condition, Hours, Plan, PriceCap, Range, Rule, RulesEngine, RuleTrace
from llmr.routing.situation import Situation

HELLO = ChatRequest((Message.text(Role.USER, "hello"),), model="fast")


def provider(name: str, *models: str) -> Provider:
    return Provider(name, WireFormat.OPENAI, f"https://{name}.example", models=models)


P, Q, R = provider("p", "small", "big"), provider("q", "small", "p/small"), provider("r")
CATALOG = Catalog(
    providers={"p": P, "q": Q, "r": R},
    names={
        "fast": NamedModel("fast", ("p/small", "q/small"), fallback=("solid", "cheap")),
        "solid": NamedModel(
            "solid", ("p/big", "q/small"), fallback=("fast", "last"), strategy=Strategy.COST, quality=0.9
        ),
        "cheap": NamedModel("cheap", ("r/tiny",)),
        "last": NamedModel("last", ("r/last",)),
        "ghost": NamedModel("ghost", ("gone/x",)),
        "broken": NamedModel("broken", ("p/small",), fallback=("nonesuch",)),
    },
    models={"p/big": Model(P, "big", quality=0.4)},
    default_model="cheap",
)


def plan(
    *rules: Rule,
    request: ChatRequest = HELLO,
    catalog: Catalog = CATALOG,
    tokens: int = 100,
    minute: int = 600,
    moment: Mapping[str, Any] = MappingProxyType({}),
    **more: Any,
) -> Plan:
    engine = RulesEngine(rules, Strategy.BALANCED)
    situation = Situation(minute, **moment)
    return engine.evaluate(replace(request, **more), catalog, prompt_tokens=tokens, situation=situation)


def keys(made: Plan) -> list[str]:
    return [c.key for c in made.candidates]


def favours(made: Plan) -> dict[str, int]:
    return {c.key: c.favour for c in made.candidates}


def matched(made: Plan) -> list[str]:
    return [line.rule for line in made.trace if line.matched]


# NAMES


def test_a_name_means_its_candidates_in_order_and_its_fallbacks_in_later_tiers_each_once() -> None:
    made = plan()
    assert [(c.key, c.name, c.tier, c.position) for c in made.candidates] == [
        ("p/small", "fast", 0, 0),
        ("q/small", "fast", 0, 1),
        ("p/big", "solid", 1, 2),
        ("r/tiny", "cheap", 1, 3),
        ("r/last", "last", 2, 4),
    ]
    assert (made.asked, made.prompt_tokens, made.excluded) == ("fast", 100, ())


def test_a_full_name_means_that_one_even_if_no_table_describes_it() -> None:
    assert keys(plan(model="p/big")) == ["p/big"]
    assert keys(plan(model="r/whatever/with/slashes")) == ["r/whatever/with/slashes"]


def test_a_bare_id_means_everybody_who_lists_it() -> None:
    assert keys(plan(model="small")) == ["p/small", "q/small"]


def test_an_id_with_a_slash_may_be_bare_too() -> None:
    catalog = replace(CATALOG, providers={"q": Q}, names={})
    assert keys(plan(model="p/small", catalog=catalog)) == ["q/p/small"]


def test_without_a_name_the_default_is_meant() -> None:
    assert keys(plan(model="")) == ["r/tiny"]
    with pytest.raises(UsageError, match="no model: name one with --model, or set default_model"):
        plan(model="", catalog=replace(CATALOG, default_model=None))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            "fsat",
            "unknown model 'fsat'; did you mean 'fast'? Known: big, broken, cheap, fast, ghost, last, p/small, small, solid.",
        ),
        ("zzzzzz", "unknown model 'zzzzzz'. Known: "),
        ("pp/x", "unknown provider 'pp' in model 'pp/x'; did you mean 'p'? Known: p, q, r."),
        ("xyz/x", "unknown provider 'xyz' in model 'xyz/x'. Known: p, q, r."),
        ("p/", "model 'p/' is a provider without a model; any model can be asked as p/MODEL-ID"),
        ("p", "model 'p' is a provider without a model"),
        ("broken", "unknown model 'nonesuch'"),
    ],
)
def test_a_name_nobody_knows_is_answered_with_a_suggestion(asked: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(model=asked)
    assert str(caught.value).startswith(message)


def test_a_long_list_of_known_names_is_cut_and_an_empty_one_says_so() -> None:
    many = replace(CATALOG, providers={"p": provider("p", *(f"m{n:02}" for n in range(40)))}, names={})
    with pytest.raises(UsageError, match="m11 …"):
        plan(model="zzzzzz", catalog=many)
    with pytest.raises(UsageError, match="Known: none"):
        plan(model="zzzzzz", catalog=Catalog({}, {}, {}))


def test_every_name_that_is_suggested_can_be_asked() -> None:
    with pytest.raises(UsageError) as caught:
        plan(model="zzzzzz")
    known = str(caught.value).split("Known: ")[1].split(". ")[0].split(", ")
    for name in set(known) - {"broken"}:
        plan(model=name)


def test_a_name_whose_providers_are_gone_has_no_candidates() -> None:
    assert keys(plan(model="ghost")) == []


def test_the_users_judgement_of_a_name_is_given_to_models_without_their_own() -> None:
    quality = {c.key: c.model.quality for c in plan(model="solid").candidates}
    assert quality == {"p/big": 0.4, "q/small": 0.9, "p/small": None, "r/last": None, "r/tiny": None}


# THE STRATEGY


def test_the_users_word_beats_the_rules_and_the_rules_beat_the_names_and_the_default() -> None:
    ruled = Rule("r", strategy=Strategy.LATENCY)
    assert plan().strategy is Strategy.BALANCED
    assert plan(model="solid").strategy is Strategy.COST
    assert plan(ruled, model="solid").strategy is Strategy.LATENCY
    assert plan(ruled, model="solid", strategy="priority").strategy is Strategy.PRIORITY


def test_of_several_rules_the_last_strategy_counts() -> None:
    first = Rule("a", strategy=Strategy.LATENCY, then_continue=True)
    silent = Rule("c")
    assert plan(first, Rule("b", strategy=Strategy.COST, then_continue=True), silent).strategy is Strategy.COST


def test_a_strategy_nobody_knows_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"unknown strategy 'quick'\. Known: priority, cost,"):
        plan(strategy="quick")
    with pytest.raises(UsageError, match="did you mean 'latency'"):
        plan(strategy="latancy")


# EFFECTS


def test_the_first_rule_that_matches_decides_and_the_trace_says_so() -> None:
    made = plan(Rule("no", Condition(tags=("x",))), Rule("yes", prefer=("q/*",)), Rule("late", avoid=("q/*",)))
    assert made.trace == (
        RuleTrace("no", False, "tags: none, wanted x", unmet=Clause("tags", "x", "none", holds=False)),
        RuleTrace("yes", True, "it asks nothing", effects=("prefer q/*",)),
        RuleTrace("late", False, "rule 'yes' decided before it"),
    )
    assert favours(made)["q/small"] == -1


def test_a_rule_that_continues_lets_the_next_ones_speak() -> None:
    made = plan(Rule("a", prefer=("q/*",), then_continue=True), Rule("b", avoid=("p/big",)), Rule("c"))
    assert matched(made) == ["a", "b"]
    assert favours(made) == {"p/small": 0, "q/small": -1, "p/big": 1, "r/tiny": 0, "r/last": 0}


def test_of_two_rules_about_one_candidate_the_later_one_counts() -> None:
    made = plan(Rule("a", prefer=("p/*",), then_continue=True), Rule("b", avoid=("p/small",)))
    assert (favours(made)["p/small"], favours(made)["p/big"]) == (1, -1)


def test_what_a_rule_both_prefers_and_avoids_is_preferred() -> None:
    assert favours(plan(Rule("r", prefer=("p/small",), avoid=("p/*",))))["p/small"] == -1


def test_only_removes_the_others_with_the_reason() -> None:
    made = plan(Rule("eu", only=("q/*", "r/*")))
    assert keys(made) == ["q/small", "r/tiny", "r/last"]
    assert [(e.candidate.key, e.reason) for e in made.excluded] == [
        ("p/small", "rule 'eu' allows only q/*, r/*"),
        ("p/big", "rule 'eu' allows only q/*, r/*"),
    ]


def test_two_rules_may_narrow_one_after_the_other_until_nobody_is_left() -> None:
    made = plan(Rule("a", only=("q/*",), then_continue=True), Rule("b", only=("r/*",)))
    assert keys(made) == []
    assert len(made.excluded) == 5


def test_models_replaces_the_names_asked_for() -> None:
    made = plan(Rule("r", models=("cheap", "solid")))
    assert keys(made)[:3] == ["r/tiny", "p/big", "q/small"]
    assert made.asked == "fast"
    assert made.strategy is Strategy.BALANCED, "of several names the first one's strategy would count"
    assert plan(Rule("r", models=("solid",))).strategy is Strategy.COST


def test_of_several_rules_the_last_models_count() -> None:
    made = plan(
        Rule("a", models=("cheap",), then_continue=True), Rule("b", models=("last",), then_continue=True), Rule("c")
    )
    assert keys(made) == ["r/last"]


def test_tags_are_seen_by_the_rules_after_this_one_only() -> None:
    tagged = Rule("tag", tags=("big",), then_continue=True)
    needs = Rule("needs", Condition(tags=("big",)))
    assert matched(plan(tagged, needs)) == ["tag", "needs"]
    assert matched(plan(needs, tagged)) == ["tag"]


def test_deny_refuses_with_the_rules_words() -> None:
    deny = Rule("night", Condition(hours=Hours(1_320, 360)), deny="go to bed")
    with pytest.raises(RequestDenied, match="rule 'night' refuses this request: go to bed"):
        plan(deny, minute=30)
    assert keys(plan(deny, minute=600))


def test_a_rule_that_decided_before_shields_from_a_later_deny_and_one_that_continues_does_not() -> None:
    deny = Rule("deny", deny="no")
    assert keys(plan(Rule("first"), deny))
    with pytest.raises(RequestDenied):
        plan(Rule("first", then_continue=True), deny)


def test_a_price_cap_is_carried_with_the_rule_that_sets_it() -> None:
    made = plan(Rule("thrift", max_price_usd=0.01, allow_unknown_price=True))
    assert (made.price_cap, made.max_price_usd) == (PriceCap(0.01, "thrift", allow_unknown=True), 0.01)
    assert plan().max_price_usd is None


@pytest.mark.parametrize("first", [0.25, 0.5])
def test_of_two_caps_the_lower_one_holds_and_unknown_prices_pass_only_if_both_let_them(first: float) -> None:
    a = Rule("a", max_price_usd=first, allow_unknown_price=True, then_continue=True)
    b = Rule("b", max_price_usd=0.75 - first, then_continue=True)
    assert plan(a, b, Rule("c")).price_cap == PriceCap(0.25, "a" if first == 0.25 else "b", allow_unknown=False)


def test_time_outs_add_up_and_of_two_for_one_thing_the_later_counts() -> None:
    a = Rule("a", timeouts=TimeoutOverrides(connect_s=1, stall_s=2), then_continue=True)
    b = Rule("b", timeouts=TimeoutOverrides(stall_s=3, first_token_s=FirstToken.AUTO, deadline_s=9))
    assert plan(a, b).timeouts == TimeoutOverrides(1, FirstToken.AUTO, 3, 9)
    assert plan().timeouts == TimeoutOverrides()


def test_the_users_word_on_hedging_beats_the_rules_and_the_rules_beat_the_names() -> None:
    slow = replace(CATALOG, names={"fast": replace(CATALOG.names["fast"], hedge=True, fallback=())})
    off, soon = Rule("off", hedge=False), Rule("soon", hedge=True, hedge_after_s=0.8)
    assert plan().hedge is None
    assert plan(catalog=slow).hedge is True
    assert plan(off, catalog=slow).hedge is False
    assert (plan(soon).hedge, plan(soon).hedge_after_s) == (True, 0.8)
    assert plan(off, catalog=slow, hedge=True).hedge is True
    assert plan(soon, hedge=False).hedge is False


def test_a_later_rule_takes_the_word_on_hedging_whole() -> None:
    soon = Rule("soon", hedge=True, hedge_after_s=0.8, then_continue=True)
    assert (plan(soon, Rule("b", hedge=True)).hedge, plan(soon, Rule("b", hedge=True)).hedge_after_s) == (True, None)
    assert plan(soon, Rule("b")).hedge_after_s == 0.8


def test_of_several_rules_the_last_word_on_broken_answers_counts() -> None:
    first = Rule("a", on_break=OnBreak.RESTART, then_continue=True)
    assert plan(first, Rule("b", on_break=OnBreak.BUFFER, then_continue=True), Rule("c")).on_break is OnBreak.BUFFER
    assert plan().on_break is None


def test_every_effect_is_told_in_words() -> None:
    everything = Rule(
        "all",
        prefer=("p/*",), only=("p/*", "q/*"), avoid=("q/x",), models=("fast",), strategy=Strategy.COST,
        max_price_usd=0.5, timeouts=TimeoutOverrides(2, FirstToken.AUTO, 3.5, 9), hedge=True, hedge_after_s=0.8,
        on_break=OnBreak.BUFFER, tags=("a", "k=v"),
    )  # fmt: skip
    (line,) = plan(everything).trace
    assert line.effects == (
        "prefer p/*", "only p/*, q/*", "avoid q/x", "models fast", "tags a, k=v", "strategy cost", "at most $0.50",
        "connect_s 2", "first_token_s auto", "stall_s 3.5", "deadline_s 9", "hedge after 0.8 s", "on_break buffer",
    )  # fmt: skip
    assert tuple(Rule("r", hedge=False, max_price_usd=1, allow_unknown_price=True).effects()) == (
        "at most $1.00 or unknown", "no hedge",
    )  # fmt: skip
    assert tuple(Rule("r", hedge=True, deny="no").effects()) == ("hedge", "deny: no")


# WHAT A SITUATION IS TO KNOW OF


def watched(*rules: Rule, catalog: Catalog = CATALOG, **more: Any) -> list[str]:
    engine = RulesEngine(rules, Strategy.BALANCED)
    return [model.key for model in engine.watched(replace(HELLO, **more), catalog)]


def circuit(*globs: str) -> Condition:
    return Condition(circuit=tuple((glob, (Phase.OPEN,)) for glob in globs))


def test_without_such_a_rule_nothing_is_looked_up() -> None:
    assert watched(Rule("r", Condition(tags=("x",), hours=Hours(0, 60)))) == []


def test_circuits_are_watched_where_a_rule_asks_for_them() -> None:
    assert watched(Rule("r", circuit("p/*"))) == ["p/big"]
    assert watched(Rule("r", circuit("p/b?g", "r/new", "gone/x"))) == ["p/big", "r/new"], "by its full name any model"


def test_habits_are_watched_of_the_name_asked_for() -> None:
    asks = Rule("r", Condition(output_tokens=Range(over=100)))
    assert watched(asks) == ["p/small", "q/small"]
    assert watched(asks, model="") == ["r/tiny"]
    assert watched(asks, model="nobody-knows") == []


def test_who_cannot_be_asked_is_not_watched() -> None:
    off = replace(P, off_reason="no key")
    catalog = replace(CATALOG, providers={"p": off}, models={"p/big": Model(off, "big")})
    assert watched(Rule("r", circuit("p/*")), catalog=catalog) == []


# --provider


def test_provider_keeps_only_its_own_candidates_and_says_why_not_the_others() -> None:
    made = plan(provider="p")
    assert keys(made) == ["p/small", "p/big"]
    assert {e.reason for e in made.excluded} == {"--provider p was asked for"}


def test_an_unknown_provider_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown provider 'zz'\. Known: p, q, r\."):
        plan(provider="zz")
    with pytest.raises(UsageError, match="did you mean 'p'"):
        plan(provider="pp")


def test_a_provider_that_does_not_serve_the_name_is_an_error_that_says_how_to_ask_it() -> None:
    with pytest.raises(UsageError, match=r"provider 'q' is no candidate for 'cheap' \(candidates: r/tiny\); ask it as"):
        plan(model="cheap", provider="q")
    with pytest.raises(UsageError, match="candidates: none"):
        plan(model="ghost", provider="q")


def test_a_provider_that_a_rule_removed_is_not_called_unknown() -> None:
    made = plan(Rule("no q", only=("p/*",)), provider="q")
    assert keys(made) == []
    assert any(e.candidate.key == "q/small" and "no q" in e.reason for e in made.excluded)


# INVARIANTS


globs = st.lists(st.sampled_from(["*", "p/*", "q/*", "*/small", "r/tiny", "x"]), max_size=2).map(tuple)
rules = st.builds(
    Rule,
    st.sampled_from(["a", "b", "c"]),
    st.builds(Condition, model=st.sampled_from([(), ("f*",), ("z*",)]), tags=st.sampled_from([(), ("t",)])),
    prefer=globs,
    only=globs,
    avoid=globs,
    tags=st.sampled_from([(), ("t",)]),
    then_continue=st.booleans(),
)


@given(st.lists(rules, max_size=4))
def test_rules_never_make_a_candidate_possible_nor_lose_one(several: Sequence[Rule]) -> None:
    made = plan(*several)
    assert sorted(keys(made) + [e.candidate.key for e in made.excluded]) == sorted(keys(plan()))
    assert [c.position for c in made.candidates] == sorted(c.position for c in made.candidates)
    assert [line.rule for line in made.trace] == [rule.name for rule in several]


@given(st.lists(rules, max_size=4), st.permutations(["a", "b", "team=x"]))
def test_the_order_of_tags_on_the_request_changes_nothing(several: Sequence[Rule], tags: Sequence[str]) -> None:
    one, other = plan(*several, tags=tuple(tags)), plan(*several, tags=("a", "b", "team=x"))
    assert (one.candidates, one.excluded, matched(one)) == (other.candidates, other.excluded, matched(other))


@given(st.lists(rules, max_size=4), st.permutations([*CATALOG.models.items(), ("q/x", Model(Q, "x"))]))
def test_the_order_of_the_catalog_changes_nothing(several: Sequence[Rule], models: Sequence[tuple[str, Model]]) -> None:
    usual = {**CATALOG.models, "q/x": Model(Q, "x")}
    backwards = dict(reversed(CATALOG.providers.items()))
    one = plan(*several, catalog=replace(CATALOG, models=dict(models), providers=backwards))
    assert one == plan(*several, catalog=replace(CATALOG, models=usual))


@given(st.lists(st.tuples(st.floats(0, 9), st.booleans()), min_size=1, max_size=4), st.randoms())
def test_caps_add_up_the_same_in_whatever_order(caps: Sequence[tuple[float, bool]], chance: Any) -> None:
    several = [Rule("r", max_price_usd=usd, allow_unknown_price=free, then_continue=True) for usd, free in caps]
    made = plan(*several).price_cap
    assert made == PriceCap(min(usd for usd, _ in caps), "r", all(free for _, free in caps))
    chance.shuffle(several)
    assert plan(*several).price_cap == made


def test_a_request_may_cap_its_own_price_and_time_but_lifts_no_rule_s_cap() -> None:
    from llmr.routing.rules.plan import Plan, PriceCap, wished

    plan = Plan("m", (), (), Strategy.PRIORITY, 10, price_cap=PriceCap(0.5, "thrift"))
    assert wished(plan, ChatRequest((), max_price_usd=1.0)).max_price_usd == 0.5
    capped = wished(plan, ChatRequest((), max_price_usd=0.1, deadline_s=3.0))
    assert capped.max_price_usd == 0.1
    assert (capped.timeouts.deadline_s, capped.timeouts.total_s) == (3.0, 3.0)
    assert capped.price_cap is not None
    assert "the request" in str(capped.price_cap.objection(None, local=False))
    assert wished(plan, ChatRequest(())) == plan
