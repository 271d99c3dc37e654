"""JSON from strangers: an error of ours or a defined value, never a traceback (trust.md T24, B10, B22)."""

import contextlib
import json
import math
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.wire.json_text import (
    MAX_DEPTH,
    JsonError,
    dump,
    encode,
    list_of,
    object_of,
    parse,
    text_of,
    without_surrogates,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_dumped_is_parsed_back(value: object) -> None:
    assert parse(dump(value)) == value
    assert parse(json.dumps(value)) == value


@given(st.text(alphabet='{}[]",:\\ud8e01.-tfn \n'))
def test_any_text_is_a_value_or_a_json_error(text: str) -> None:
    with contextlib.suppress(JsonError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "[" * 200_000 + "]" * 200_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "9" * 5000,
        "NaN",
        "[Infinity]",
        '{"a":-Infinity}',
        "1e999",
        "-1e999",
        "",
        "{",
        "{} {}",
        "data",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_or_broken_text_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        parse(text)


def test_depth_is_limited_at_a_defined_place() -> None:
    def nested(depth: int) -> str:
        return "[" * depth + "1" + "]" * depth

    assert parse(nested(MAX_DEPTH))
    with pytest.raises(JsonError, match="deeply"):
        parse(nested(MAX_DEPTH + 1))
    with pytest.raises(JsonError, match="deeply"):
        parse('{"a":' * (MAX_DEPTH + 1) + "{}" + "}" * (MAX_DEPTH + 1))
    assert parse("[" + ",".join(["[]"] * 1000) + "]") == [[]] * 1000


def test_the_last_of_two_equal_keys_counts() -> None:
    assert parse('{"a":1,"a":2}') == {"a": 2}


def test_a_lone_surrogate_becomes_the_replacement_character_everywhere() -> None:
    assert parse('{"\\ud800k":["\\uDC00",{"x":"a\\ud83d"},1,null]}') == {
        "\ufffdk": ["\ufffd", {"x": "a\ufffd"}, 1, None]
    }


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse('"\\ud83c\\udf0d"') == "🌍"


def test_huge_but_finite_numbers_are_kept() -> None:
    assert parse("1e308") == 1e308
    assert parse("[1.5e-999]") == [0.0]


def test_mappings_of_any_kind_are_objects() -> None:
    assert dump({"a": MappingProxyType({"b": (1, 2)})}) == '{"a":{"b":[1,2]}}'


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object()])
def test_what_json_cannot_say_is_a_value_error(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        dump(value)


def test_encoded_text_is_always_valid_utf8() -> None:
    assert encode("é") == '"é"'.encode()
    assert encode("a\ud800") == '"a\ufffd"'.encode()
    assert without_surrogates("\udfff") == "\ufffd"


def test_readers_of_foreign_shapes_go_on_with_nothing() -> None:
    assert (object_of([1]), list_of({}), text_of(3)) == ({}, [], "")
    assert (object_of({"a": 1}), list_of([1]), text_of("x")) == ({"a": 1}, [1], "x")
