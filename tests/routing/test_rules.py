"""The rules engine: which names mean which candidates, and what rules do to them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Catalog, Model, NamedModel, Provider, Strategy, WireFormat
from llmr.chat import ChatRequest, Media, MediaKind, Message, OutputFormat, ResponseFormat, Role, Tool
from llmr.errors import RequestDenied, UsageError
from llmr.routing.rules import Condition, Hours, Plan, Rule, RulesEngine, RuleTrace, TokenRange

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
    **more: Any,
) -> Plan:
    engine = RulesEngine(rules, Strategy.BALANCED)
    return engine.evaluate(replace(request, **more), catalog, prompt_tokens=tokens, minute_of_day=minute)


def keys(made: Plan) -> list[str]:
    return [c.key for c in made.candidates]


def favours(made: Plan) -> dict[str, int]:
    return {c.key: c.favour for c in made.candidates}


def matched(made: Plan) -> list[str]:
    return [line.rule for line in made.trace if line.matched]


def because(when: Condition, **more: Any) -> RuleTrace:
    (line,) = plan(Rule("r", when), **more).trace
    return line


def holds(when: Condition, **more: Any) -> bool:
    return because(when, **more).matched


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


# CONDITIONS


IMAGE = (Message(Role.USER, (Media(MediaKind.IMAGE, "image/png", b""),)),)


@pytest.mark.parametrize(
    ("when", "yes", "no", "why_not"),
    [
        (Condition(model=("gpt*", "f?st")), {}, {"model": "cheap"}, "model 'cheap' is not gpt* or f?st"),
        (Condition(prompt_tokens=TokenRange(over=50)), {}, {"tokens": 50}, "~50 prompt tokens are out of range"),
        (
            Condition(prompt_tokens=TokenRange(under=200)),
            {},
            {"tokens": 2_000},
            "~2,000 prompt tokens are out of range",
        ),
        (Condition(tools=True), {"tools": (Tool("f"),)}, {}, "tools is false"),
        (Condition(tools=False), {}, {"tools": (Tool("f"),)}, "tools is true"),
        (Condition(images=True), {"messages": IMAGE}, {}, "images is false"),
        (Condition(json=True), {"output": OutputFormat(ResponseFormat.JSON)}, {}, "json is false"),
        (Condition(stream=False), {"stream": False}, {}, "stream is true"),
        (Condition(tags=("a", "b")), {"tags": ("b", "c", "a")}, {"tags": ("a",)}, "no tag 'b'"),
        (Condition(hours=Hours(540, 1_020)), {}, {"minute": 1_020}, "not at this hour"),
        (Condition(strategy=(Strategy.COST,)), {"strategy": "cost"}, {}, "strategy asked for is none"),
        (
            Condition(strategy=(Strategy.COST,)),
            {"strategy": "cost"},
            {"strategy": "latency"},
            "strategy asked for is latency",
        ),
    ],
)
def test_each_condition_holds_or_says_why_not(when: Condition, yes: Any, no: Any, why_not: str) -> None:
    assert because(when, **yes) == RuleTrace("r", matched=True, because="every condition holds")
    assert because(when, **no) == RuleTrace("r", matched=False, because=why_not)


def test_all_conditions_have_to_hold() -> None:
    both = Condition(model=("fast",), tags=("work",))
    assert holds(both, tags=("work",))
    assert not holds(both)
    assert holds(Condition())


@pytest.mark.parametrize(("tokens", "inside"), [(99, False), (100, False), (101, True), (199, True), (200, False)])
def test_token_bounds_are_exclusive(tokens: int, inside: bool) -> None:
    assert TokenRange(100, 200).holds(tokens) is inside


@given(st.integers(0, 1_439), st.integers(0, 1_439), st.integers(0, 1_439))
def test_hours_wrap_past_midnight_and_a_range_and_its_complement_cover_the_day(
    start: int, end: int, minute: int
) -> None:
    if start != end:
        assert Hours(start, end).holds(minute) is not Hours(end, start).holds(minute)
        assert Hours(start, end).holds(start)
        assert not Hours(start, end).holds(end)


# EFFECTS


def test_the_first_rule_that_matches_decides_and_the_trace_says_so() -> None:
    made = plan(Rule("no", Condition(tags=("x",))), Rule("yes", prefer=("q/*",)), Rule("late", avoid=("q/*",)))
    assert made.trace == (
        RuleTrace("no", matched=False, because="no tag 'x'"),
        RuleTrace("yes", matched=True, because="every condition holds"),
        RuleTrace("late", matched=False, because="an earlier rule decided"),
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
