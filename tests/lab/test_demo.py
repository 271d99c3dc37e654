"""The demo providers: honest about what they are, different in what routing is about."""

import random

import pytest

from llmr.lab import Behavior, Fault, LabRequest, LogNormal
from llmr.lab.behavior import seconds
from llmr.lab.demo import DEMO_MODEL, demo_config, demo_lab, demo_providers

ASKED = b'{"messages":[{"role":"system","content":"s"},{"role":"user","content":"What is {2+2}?"}]}'


def request(body: bytes = ASKED, n: int = 1) -> LabRequest:
    return LabRequest(n, 1, "POST", "/v1/chat/completions", (), body, 0.0)


def behaviors(name: str, count: int, body: bytes = ASKED) -> list[Behavior]:
    provider = next(one for one in demo_providers(random.Random(7)) if one.name == name)
    return [provider.arrived(lambda n: request(body, n))[1] for _ in range(count)]


@pytest.mark.parametrize("name", ["demo-fast", "demo-steady", "demo-slow"])
def test_an_answer_says_that_it_is_a_demo_and_echoes_the_prompt(name: str) -> None:
    answer = next(one for one in behaviors(name, 20) if one.status == 200 and one.fault is None)
    assert answer.text.startswith(f"This is {name}, a demo provider that runs inside llmr: no model was asked")
    assert 'You said: "What is {2+2}?"' in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"messages":[]}',
        b'{"messages":[1]}',
        b'{"messages":[{"content":null}]}',
        b'{"messages":"x"}',
    ],
)
def test_a_request_without_a_prompt_is_answered_as_well(body: bytes) -> None:
    assert 'You said: ""' in behaviors("demo-steady", 1, body)[0].text


def test_a_long_prompt_is_cut_and_one_in_parts_is_joined() -> None:
    parts = b'{"messages":[{"role":"user","content":[{"type":"text","text":"one\\n"},{"type":"image_url"},{"text":"two"}]}]}'
    assert 'You said: "one two"' in behaviors("demo-steady", 1, parts)[0].text
    long = b'{"messages":[{"role":"user","content":"' + b"x" * 5000 + b'"}]}'
    assert len(behaviors("demo-steady", 1, long)[0].text) < 800


def test_the_fast_one_fails_three_times_in_ten_and_never_after_its_first_token() -> None:
    asked = behaviors("demo-fast", 1000)
    failures = [one for one in asked if one.status >= 400 or one.fault is not None]
    assert 250 <= len(failures) <= 350
    assert all(one.fault is not Fault.CUT or one.fault_at == 0 for one in failures)
    assert all(one.status == 200 for name in ("demo-steady", "demo-slow") for one in behaviors(name, 100))


def test_the_first_request_of_a_run_falls_back_and_the_answer_says_that_this_was_arranged() -> None:
    assert [behaviors("demo-fast", 1)[0].status for _ in range(9)] == [503] * 9
    assert "demo-fast fails the first time that it is asked, as it was told to" in behaviors("demo-steady", 1)[0].text


def test_they_differ_in_speed() -> None:
    def median_s(name: str) -> float:
        rng = random.Random(7)
        healthy = [one for one in behaviors(name, 50) if one.status == 200 and one.fault is None]
        assert all(isinstance(one.ttft_s, LogNormal) for one in healthy)
        return sorted(seconds(one.ttft_s, rng) for one in healthy)[len(healthy) // 2]

    assert median_s("demo-fast") < median_s("demo-steady") < median_s("demo-slow") < 2.0


def test_the_configuration_knows_the_lab_and_nothing_else() -> None:
    import asyncio

    async def scenario() -> None:
        lab = demo_lab(random.Random(7))
        async with lab.serving():
            config = demo_config(lab)
            assert sorted(config.catalog.providers) == ["demo-fast", "demo-slow", "demo-steady"]
            assert [provider.base_url for provider in config.catalog.providers.values()] == [
                lab.url(one.name) for one in lab.providers
            ]
            named = config.catalog.names[DEMO_MODEL]
            assert all(config.catalog.model(key) is not None for key in named.candidates)
            assert (config.catalog.default_model, config.state_path, config.secrets()) == (DEMO_MODEL, None, ())

    asyncio.run(scenario())
