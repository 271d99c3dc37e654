"""The answer cache over a socket: marked, replayed in either form and dialect, and obedient to `Cache-Control`."""

import json

import pytest
from served import events, eventually

from llmr.lab import Behavior, LabProvider

ON = "[cache]\nenabled = true"
ONCE = "Hello from the lab, which says it once."


def text_of(body: bytes) -> str:
    chunks = [json.loads(one) for one in events(body)[:-1]]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


def test_the_second_time_the_answer_comes_out_of_the_cache_and_says_so(serve):
    lab = LabProvider("a", [Behavior(text=ONCE)])
    served = serve(lab, extra=ON)
    first, second = served.chat(), served.chat()
    assert [reply.headers["x-llmr-cache"] for reply in (first, second)] == ["miss", "hit"]
    assert second.json()["choices"] == first.json()["choices"]
    assert second.json()["usage"] == first.json()["usage"]
    assert (second.headers["x-llmr-provider"], second.headers["x-llmr-attempts"]) == ("a", "0")
    assert second.headers["x-llmr-request-id"] != first.headers["x-llmr-request-id"]
    assert len(lab.requests) == 1
    eventually(lambda: len(served.log) == 2)  # a thread writes it
    assert [json.loads(line)["cache"] for line in served.log] == ["miss", "hit"]
    counted = served.get("/metrics").text
    assert 'llmr_cache_lookups_total{result="hit"} 1.0' in counted
    assert 'llmr_cache_lookups_total{result="miss"} 1.0' in counted


def test_a_kept_answer_streams_and_a_streamed_one_comes_whole_and_in_the_other_dialect(serve):
    lab = LabProvider("a", [Behavior(text=ONCE)])
    served = serve(lab, extra=ON)
    asked = {"max_tokens": 64}
    streamed = served.chat(stream=True, **asked)
    assert streamed.headers["x-llmr-cache"] == "miss"
    again = served.chat(stream=True, **asked)
    assert again.headers["x-llmr-cache"] == "hit"
    assert again.headers["content-type"].startswith("text/event-stream")
    assert (text_of(again.content), events(again.content)[-1]) == (ONCE, "[DONE]")
    whole = served.chat(**asked)
    assert (whole.headers["x-llmr-cache"], whole.json()["choices"][0]["message"]["content"]) == ("hit", ONCE)
    other = served.message()
    assert (other.headers["x-llmr-cache"], other.json()["content"][0]["text"]) == ("hit", ONCE)
    assert len(lab.requests) == 1


def test_it_is_off_unless_somebody_turns_it_on(serve):
    lab = LabProvider("a")
    served = serve(lab)
    for _ in range(2):
        assert "x-llmr-cache" not in served.chat().headers
    assert not list(served.home.rglob("cache.db"))
    assert served.chat(headers={"x-llmr-cache": "true"}).headers["x-llmr-cache"] == "miss"
    assert served.chat(headers={"x-llmr-cache": "true"}).headers["x-llmr-cache"] == "hit"
    (kept,) = served.home.rglob("cache.db")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_cache_control_is_obeyed(serve):
    lab = LabProvider("a")
    served = serve(lab, extra=ON)
    assert served.chat(headers={"cache-control": "no-store"}).headers["x-llmr-cache"] == "miss"
    assert served.chat().headers["x-llmr-cache"] == "miss"
    assert "x-llmr-cache" not in served.chat(headers={"cache-control": "no-cache"}).headers
    assert served.chat(headers={"Cache-Control": 'Max-Age="600", x=1'}).headers["x-llmr-cache"] == "hit"
    assert served.chat(headers={"cache-control": "max-age=0"}).headers["x-llmr-cache"] == "miss"
    assert len(lab.requests) == 4


@pytest.mark.parametrize("said", [{"x-llmr-cache": "false"}, {"x-llmr-cache": "False"}])
def test_a_client_may_say_no(serve, said):
    served = serve(LabProvider("a"), extra=ON)
    assert "x-llmr-cache" not in served.chat(headers=said).headers
    assert served.chat(metadata={"llmr_cache": "perhaps"}).status_code == 400


def test_tools_are_not_cached_unless_that_is_asked_for(serve):
    served = serve(LabProvider("a"), extra=ON)
    tools = [{"type": "function", "function": {"name": "send_money", "parameters": {"type": "object"}}}]
    for _ in range(2):
        assert "x-llmr-cache" not in served.chat(tools=tools).headers
        served.chat(tools=tools, metadata={"llmr_cache": "true"})
    assert served.chat(tools=tools, metadata={"llmr_cache": "true"}).headers["x-llmr-cache"] == "hit"


def test_an_error_is_not_kept_and_a_broken_stream_neither(serve):
    lab = LabProvider("a", [Behavior(status=400), Behavior(text="fine")])
    served = serve(lab, extra=ON)
    assert served.chat().status_code == 400
    assert served.chat().headers["x-llmr-cache"] == "miss"
    assert served.chat().headers["x-llmr-cache"] == "hit"
