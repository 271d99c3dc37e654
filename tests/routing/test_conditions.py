"""Each condition holds, or says what it wanted and what it found."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Catalog, NamedModel, Provider, Strategy, WireFormat
from llmr.chat import ChatRequest, Media, MediaKind, Message, OutputFormat, ResponseFormat, Role, Tool
from llmr.routing.circuit import Phase
from llmr.routing.rules import Clause, Condition, Hours, Range, Rule, RulesEngine, RuleTrace, mentions
from llmr.routing.situation import Situation

HELLO = ChatRequest((Message.text(Role.USER, "hello"),), model="fast")
PROVIDERS = {name: Provider(name, WireFormat.OPENAI, f"https://{name}.example") for name in ("p", "q")}
CATALOG = Catalog(
    PROVIDERS,
    {"fast": NamedModel("fast", ("p/small", "q/small")), "cheap": NamedModel("cheap", ("q/tiny",))},
    {},
)
IMAGE = (Message(Role.USER, (Media(MediaKind.IMAGE, "image/png", b""),)),)
SATURDAY_NOON = (5 * 24 + 12) * 60
MOMENT = ("minute_of_week", "circuits", "output_tokens", "budget_left_usd")


def judged(when: Condition, *before: Rule, tokens: int = 100, **more: Any) -> RuleTrace:
    """What became of a rule with this condition; `more` are facts of the request or of the moment."""
    situation = Situation(**{"minute_of_week": SATURDAY_NOON, **{k: more.pop(k) for k in MOMENT if k in more}})
    engine = RulesEngine((*before, Rule("r", when)), Strategy.BALANCED)
    return engine.evaluate(replace(HELLO, **more), CATALOG, prompt_tokens=tokens, situation=situation).trace[-1]


def holds(when: Condition, **more: Any) -> bool:
    return judged(when, **more).matched


OPEN = Condition(circuit=(("p/*", (Phase.OPEN,)),))
TROUBLED = Condition(circuit=(("p/x", (Phase.OPEN, Phase.HALF_OPEN)),))
CASES: list[tuple[Condition, dict[str, Any], str, dict[str, Any], str]] = [
    (Condition(model=("gpt*", "f?st")), {}, "model: fast", {"model": "cheap"}, "model: cheap, wanted gpt* or f?st"),
    (
        Condition(prompt_tokens=Range(over=50)),
        {},
        "prompt_tokens: ~100",
        {"tokens": 50},
        "prompt_tokens: ~50, wanted over 50",
    ),
    (
        Condition(prompt_tokens=Range(over=50, under=1_000)),
        {"tokens": 999},
        "prompt_tokens: ~999",
        {"tokens": 2_000},
        "prompt_tokens: ~2,000, wanted over 50 and under 1,000",
    ),
    (
        Condition(output_tokens=Range(over=1_000)),
        {"max_output_tokens": 4_000, "output_tokens": {"p/small": 10}},
        "output_tokens: at most 4,000",
        {},
        "output_tokens: not known, wanted over 1,000",
    ),
    (
        Condition(output_tokens=Range(under=1_000)),
        {"output_tokens": {"p/other": 5_000, "q/small": 312.4}},
        "output_tokens: ~312",
        {"output_tokens": {"p/small": 1_000, "q/small": 5}},
        "output_tokens: ~1,000, wanted under 1,000",
    ),
    (Condition(tools=True), {"tools": (Tool("f"),)}, "tools: true", {}, "tools: false, wanted true"),
    (Condition(tools=False), {}, "tools: false", {"tools": (Tool("f"),)}, "tools: true, wanted false"),
    (Condition(images=True), {"messages": IMAGE}, "images: true", {}, "images: false, wanted true"),
    (
        Condition(json=True),
        {"output": OutputFormat(ResponseFormat.JSON)},
        "json: true",
        {},
        "json: false, wanted true",
    ),
    (Condition(stream=False), {"stream": False}, "stream: false", {}, "stream: true, wanted false"),
    (
        Condition(tags=("a", "b")),
        {"tags": ("b", "c", "a")},
        "tags: b, c, a",
        {"tags": ("a",)},
        "tags: a, wanted b",
    ),
    (
        Condition(tags=("team=search",)),
        {"metadata": {"team": "search"}},
        "tags: team=search",
        {},
        "tags: none, wanted team=search",
    ),
    (
        Condition(metadata=(("team", ("search", "ads-*")),)),
        {"metadata": {"team": "ads-eu", "x": "y"}},
        "metadata.team: ads-eu",
        {"metadata": {"team": "legal"}},
        "metadata.team: legal, wanted search or ads-*",
    ),
    (
        Condition(metadata=(("team", ("*",)),)),
        {"tags": ("team=",)},
        "metadata.team: empty",
        {"tags": ("team", "=x")},
        "metadata.team: none, wanted *",
    ),
    (
        Condition(strategy=(Strategy.COST, Strategy.LATENCY)),
        {"strategy": "cost"},
        "strategy: cost",
        {},
        "strategy: none, wanted cost or latency",
    ),
    (
        Condition(hours=Hours(540, 1_020)),
        {},
        "hours: 12:00",
        {"minute_of_week": 1_020},
        "hours: 17:00, wanted 09:00-17:00",
    ),
    (
        Condition(weekdays=(5, 6)),
        {},
        "weekdays: sat",
        {"minute_of_week": 0},
        "weekdays: mon, wanted sat or sun",
    ),
    (
        OPEN,
        {"circuits": {"p/a": Phase.OPEN, "p/b": Phase.OPEN, "q/a": Phase.CLOSED}},
        "circuit of p/*: open",
        {"circuits": {"p/a": Phase.OPEN, "p/b": Phase.CLOSED}},
        "circuit of p/*: closed (p/b), wanted open",
    ),
    (
        TROUBLED,
        {"circuits": {"p/x": Phase.HALF_OPEN}},
        "circuit of p/x: half_open",
        {"circuits": {"p/x": Phase.CLOSED}},
        "circuit of p/x: closed, wanted open or half_open",
    ),
    (
        TROUBLED,
        {"circuits": {"p/x": Phase.OPEN}},
        "circuit of p/x: open",
        {"circuits": {"q/x": Phase.OPEN}},
        "circuit of p/x: not known, wanted open or half_open",
    ),
    (
        Condition(budget_left_usd=Range(under=1.5)),
        {"budget_left_usd": 1.2},
        "budget_left_usd: 1.20",
        {},
        "budget_left_usd: not known, wanted under 1.5",
    ),
    (
        Condition(budget_left_usd=Range(over=1)),
        {"budget_left_usd": 1.01},
        "budget_left_usd: 1.01",
        {"budget_left_usd": 1.0},
        "budget_left_usd: 1.00, wanted over 1",
    ),
]


@pytest.mark.parametrize(("when", "yes", "why", "no", "why_not"), CASES)
def test_each_condition_holds_or_says_why_not(when: Condition, yes: Any, why: str, no: Any, why_not: str) -> None:
    assert judged(when, **yes) == RuleTrace("r", matched=True, because=why)
    line = judged(when, **no)
    assert (line.matched, line.because) == (False, why_not)
    assert line.unmet is not None
    assert why_not == f"{line.unmet.condition}: {line.unmet.actual}, wanted {line.unmet.wanted}"


def test_every_condition_is_tried_above() -> None:
    tried = {f.name for when, *_ in CASES for f in fields(Condition) if getattr(when, f.name) not in ((), None)}
    assert tried == {f.name for f in fields(Condition)}


def test_all_conditions_have_to_hold_and_the_first_that_does_not_is_told() -> None:
    both = Condition(model=("fast",), tags=("work",), weekdays=(0,))
    line = judged(both)
    assert line.unmet == Clause("tags", "work", "none", holds=False)
    matched = judged(replace(both, weekdays=(5,)), tags=("work",))
    assert matched.because == "model: fast; tags: work; weekdays: sat"
    assert judged(Condition()).because == "it asks nothing"


@pytest.mark.parametrize(("tokens", "inside"), [(99, False), (100, False), (101, True), (199, True), (200, False)])
def test_bounds_are_exclusive(tokens: int, inside: bool) -> None:
    assert Range(100, 200).holds(tokens) is inside


@given(st.integers(0, 1_439), st.integers(0, 1_439), st.integers(0, 1_439))
def test_hours_wrap_past_midnight_and_a_range_and_its_complement_cover_the_day(
    start: int, end: int, minute: int
) -> None:
    if start != end:
        assert Hours(start, end).holds(minute) is not Hours(end, start).holds(minute)
        assert Hours(start, end).holds(start)
        assert not Hours(start, end).holds(end)


@given(st.integers(0, 7 * 24 * 60 - 1))
def test_every_minute_of_the_week_has_its_day_and_its_hour(minute: int) -> None:
    moment = Situation(minute)
    assert moment.weekday * 24 * 60 + moment.minute_of_day == minute
    assert [day for day in range(7) if holds(Condition(weekdays=(day,)), minute_of_week=minute)] == [moment.weekday]


# TAGS AND METADATA


pairs = st.dictionaries(st.sampled_from(["team", "env"]), st.sampled_from(["a", "b", "a=b", ""]))


@given(pairs)
def test_a_tag_with_a_value_and_metadata_are_one_thing(metadata: dict[str, str]) -> None:
    as_tags = tuple(f"{key}={value}" for key, value in metadata.items())
    for when in (
        Condition(metadata=(("team", ("a*",)),)),
        Condition(tags=("env=b",)),
        Condition(metadata=(("env", ("",)), ("team", ("*",)))),
    ):
        assert judged(when, tags=as_tags) == judged(when, metadata=metadata)


def test_tags_that_a_rule_sets_are_metadata_too_and_the_later_value_counts() -> None:
    sets = Rule("sets", tags=("team=legal", "seen"), then_continue=True)
    legal = Condition(metadata=(("team", ("legal",)),), tags=("seen",))
    assert judged(legal, sets).matched
    assert judged(legal, sets, tags=("team=search",)).matched
    assert not judged(legal, tags=("seen",)).matched


@pytest.mark.parametrize(
    ("tag", "known"),
    [("private", True), ("team=search", True), ("team=ads", False), ("team", False), ("privat", False), ("x=1", False)],
)
def test_a_tag_that_could_make_a_difference_is_known(tag: str, known: bool) -> None:
    assert mentions(Condition(tags=("private",), metadata=(("team", ("se*",)),)), tag) is known
