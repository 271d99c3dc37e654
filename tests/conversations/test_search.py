"""Searching: what a person types finds what was said, and never fails to parse."""

import pytest
from fakes import turn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture
def told(store):
    """A few turns, by the word that tells them apart."""
    for prompt, answer in [
        ("How do foxes hunt?", "A fox listens for mice under the snow. Fox, fox, fox."),
        ("Why is the café closed?", "Because C++ developers own it."),
        ("東京の天気は？", "晴れです。"),
        ("Explain foo:bar AND baz", "NEAR(a b)"),
        ("one fox in a very long text " + "word " * 500, "nothing"),
    ]:
        store.add(turn(prompt, answer))
    return store


def found(store, query):
    return [hit.title[:12] for hit in store.search(query, 10)]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("hunt", ["How do foxes"]),
        ("MICE snow", ["How do foxes"]),
        ("mice café", []),
        ("cafe", ["Why is the c"]),
        ("dev*", ["Why is the c"]),
        ('"is the cafe"', ["Why is the c"]),
        ('"the is cafe"', []),
        ("foo:bar", ["Explain foo:"]),
        ("AND", ["Explain foo:"]),
        ("天気", ["東京の天気は？"]),
        ("晴れ", ["東京の天気は？"]),
        ("雪", []),
        ("!!!", []),
    ],
)
def test_words_beginnings_phrases_and_unspaced_scripts(told, query, titles):
    assert found(told, query) == titles


def test_the_best_match_is_first_and_shows_where(told):
    first, second = told.search("fox", 10)
    assert first.title == "How do foxes hunt?"
    assert "[fox]" in first.snippet
    assert second.title.startswith("one fox")


@given(st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_no_query_is_an_error(store, query):
    store.search(query, 5)
