"""The table: rows and back, which name finds which row, and what two sources become."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.catalog import Capabilities, LongContext, Price
from llmr.config.model_files import SHIPPED
from llmr.model_table.build import PROVIDERS, differences, document, text_of
from llmr.model_table.offer import Listed, Offer, Source
from llmr.model_table.rows import Facts, facts_of, row_of
from llmr.model_table.table import ModelTable, UnfitTable, made_on

DAY = date(2026, 11, 23)

figures = st.floats(0, 1e6).map(lambda figure: round(figure, 6))
maybe = st.none() | figures
flat = st.builds(Price, figures, figures, *[maybe] * 7)
prices = st.builds(
    lambda price, longer: Price(
        price.input_usd, price.output_usd, price.cached_input_usd, long_context=LongContext(200_000, longer)
    ),
    flat,
    flat,
)
sizes = st.none() | st.integers(1, 10**9)
able = st.builds(Capabilities, sizes, sizes, *[st.none() | st.booleans()] * 6)


@given(st.builds(Facts, st.none() | flat | prices, able))
def test_a_row_says_the_same_facts_again(facts: Facts) -> None:
    assert facts_of(json.loads(json.dumps(row_of(facts)))) == facts


@pytest.mark.parametrize(
    "row",
    [
        [0], ["128k"], [True], [None, None, 7], [None, None, None, [1]], [None, None, None, [1, -2]],
        [None, None, None, [1, float("nan")]], [None, None, None, [1, "2"]], [None, None, None, [None, 2]],
        [None, None, None, [1, 2, *[None] * 7, [None, [1, 2]]]],
    ],
)  # fmt: skip
def test_a_row_that_is_not_as_drawn_is_refused(row: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"is|has|are"):
        facts_of(row)
    assert ModelTable({"providers": {"p": {"models": {"m": row}}}}).facts("p", "m") is None


def table(**providers: Any) -> ModelTable:
    return ModelTable.parsed(json.dumps({"made": "2026-11-23", "format": 1, "providers": providers}).encode())


LOOKUP = table(
    maker={
        "models": {"big": [1], "small": [2], "big-old": [3], "Mixed/Case": [4], "dated": [5]},
        "aliases": {"big-2026-01-01": "big", "other": "big", "mixed/case": "Mixed/Case", "dated-2025-12-11": "dated"},
        "rules": [
            ["big-old", ["starts_with", "big-old"]],
            ["big", ["or", ["starts_with", "big-"], ["ends_with", "/big"]]],
            ["small", ["and", ["contains", "small"], ["regex", "^(?!.*-tts)"]]],
        ],
    },
    seller={"models": {"big": [9]}, "also": ["maker"]},
)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("big", [1]), ("BIG", [1]), ("big-2026-01-01", [1]), ("other", [1]), ("big-preview", [1]), ("x/big", [1]),
        ("big-old", [3]), ("big-old-2", [3]), ("mixed/case", [4]), ("MIXED/case", [4]), ("my-small-one", [2]),
        ("small-tts", None), ("bigger", None), ("", None), ("dated-20251211", [5]), ("dated-20251399", None),
    ],
)  # fmt: skip
def test_a_name_is_found_exactly_or_by_a_rule_and_never_by_likeness(name: str, row: list[int] | None) -> None:
    assert LOOKUP.row("maker", name) == row


def test_a_seller_of_others_models_knows_its_own_first() -> None:
    assert LOOKUP.row("seller", "big") == [9]
    assert LOOKUP.row("seller", "small") == [2]
    assert LOOKUP.row("stranger", "big") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"format":1}',
        b'{"format":2,"providers":{}}',
        b'{"format":1,"providers":{"a":1}}',
    ],
)
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitTable):
        ModelTable.parsed(content)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"format":1,"made":"2026-11-23"}', b'{"made":"soon"}', b'{"made":"\xff"}']
)
def test_a_table_begins_with_the_day_it_was_made(content: bytes) -> None:
    with pytest.raises(UnfitTable):
        made_on(content)


# Two sources become one table


def source(name: str, **offers: Offer) -> Source:
    return Source(name, "1", "https://example.com", "Copyright", offers)


GENAI = source(
    "genai-prices",
    openai=Offer(
        {
            "one": Listed(Price(1, 2), Capabilities(400_000), ("one", "one-2026-01-01", "one-latest")),
            "embed-1": Listed(Price(1, 2)),
            "nothing": Listed(),
        }
    ),
    azure=Offer({}),
    openrouter=Offer({"openai/one": Listed(Price(1.1, 2.2), names=("openai/one",))}),
)
LITELLM = source(
    "litellm",
    openai=Offer(
        {
            "one": Listed(Price(1, 3), Capabilities(272_000, 128_000, tools=True, images=False)),
            "one-2026-01-01": Listed(Price(1, 3), Capabilities(272_000, 128_000, tools=True, images=False)),
            "one-latest": Listed(Price(1, 3), Capabilities(272_000, 64_000, tools=True)),
            "only-here": Listed(Price(5, 6), Capabilities(8_000)),
        }
    ),
    azure=Offer({"one": Listed(None, Capabilities(100_000))}),
)
MADE = ModelTable(document(GENAI, LITELLM, DAY))


def test_prices_are_the_one_sources_and_windows_the_others() -> None:
    facts = MADE.facts("openai", "one")
    assert facts == Facts(Price(1, 2), Capabilities(400_000, 128_000, tools=True, images=False))


def test_a_model_that_only_one_source_knows_has_that_ones_price() -> None:
    assert MADE.facts("openai", "only-here") == Facts(Price(5, 6), Capabilities(8_000))


def test_the_whole_window_is_taken_only_where_input_and_output_add_up_to_it() -> None:
    facts = MADE.facts("openai", "one-latest")
    assert facts is not None
    assert facts.capabilities.context_window_tokens == 272_000


def test_names_with_the_same_facts_are_one_row() -> None:
    assert ("openai", "one-2026-01-01") not in list(MADE)
    assert ("openai", "one-latest") in list(MADE)
    assert MADE.row("openai", "one-2026-01-01") == MADE.row("openai", "one")


def test_what_does_not_chat_and_what_nobody_knows_has_no_row() -> None:
    assert MADE.row("openai", "embed-1") is None
    assert MADE.row("openai", "nothing") is None


def test_a_seller_without_a_price_of_its_own_has_the_makers() -> None:
    assert MADE.facts("azure", "one") == Facts(Price(1, 2), Capabilities(100_000))


def test_a_gateway_borrows_what_a_model_can_do_but_not_what_it_cannot() -> None:
    assert MADE.facts("openrouter", "openai/one") == Facts(Price(1.1, 2.2), Capabilities(400_000, tools=True))


def test_differences_of_more_than_five_per_cent_are_told() -> None:
    found = {(one.key, one.figure): (one.ours_usd, one.other_usd) for one in differences(GENAI, LITELLM)}
    assert found[("openai/one", "output_usd")] == (2, 3)
    assert ("openai/one", "input_usd") not in found


def test_the_text_is_the_document_with_one_model_a_line() -> None:
    made = document(GENAI, LITELLM, DAY)
    text = text_of(made)
    assert json.loads(text) == made
    assert made_on(text.encode()) == "2026-11-23"
    assert '\n"only-here":[8000,null,null,[5,6]]\n' in text


# The shipped file


def test_the_shipped_table_is_whole_small_and_says_where_it_is_from() -> None:
    content = SHIPPED.read_bytes()
    assert 60_000 < len(content) < 200_000
    shipped = ModelTable.parsed(content)
    assert [name.partition(" ")[0] for name in shipped.sources] == ["genai-prices", "litellm"]
    said = json.loads(content)
    assert {one["licence"] for one in said["sources"]} == {"MIT"}
    assert "Permission is hereby granted" in said["licence"]
    assert made_on(content) == shipped.made == date.fromisoformat(shipped.made).isoformat()
    assert {name for name, _ in shipped} == set(PROVIDERS)
    assert all(shipped.facts(name, model_id) is not None for name, model_id in shipped)


def test_every_other_name_and_rule_of_the_shipped_table_leads_to_a_row() -> None:
    for name, said in json.loads(SHIPPED.read_bytes())["providers"].items():
        assert set(said.get("aliases", {}).values()) <= set(said["models"]), name
        assert {row for row, _ in said.get("rules", ())} <= set(said["models"]), name


@pytest.mark.parametrize(
    ("provider", "model_id", "price", "window"),
    [
        ("openai", "gpt-4o-2024-08-06", Price(2.5, 10, 1.25, web_search_usd=10_000), 128_000),
        ("openai", "gpt-5", Price(1.25, 10, 0.125, web_search_usd=10_000), 400_000),
        ("groq", "openai/gpt-oss-120b", Price(0.15, 0.6, 0.075), 131_072),
    ],
)
def test_well_known_models_are_in_it(provider: str, model_id: str, price: Price, window: int) -> None:
    facts = ModelTable.parsed(SHIPPED.read_bytes()).facts(provider, model_id)
    assert facts is not None
    assert facts.price == price
    assert facts.capabilities.context_window_tokens == window
