"""`POST /v1/chat/completions`: one request through every layer, in both forms, with fallback and with failures."""

import json

import pytest
from served import TOKEN, events, eventually

from llmr.catalog import WireFormat
from llmr.lab import Behavior, Fault, LabProvider, LabToolCall, rate_limited


def test_a_request_passes_every_layer_and_is_found_in_the_store(serve):
    lab = LabProvider("a", [Behavior(text="Hello from the lab.")])
    served = serve(lab)
    reply = served.chat("what is up?")
    assert reply.status_code == 200
    assert reply.json()["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello from the lab.", "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert reply.json()["usage"]["completion_tokens"] == 4
    (asked,) = lab.requests
    assert asked.json["model"] == "lab-model"
    assert asked.json["messages"] == [{"role": "user", "content": "what is up?"}]
    assert TOKEN not in str(asked.headers)
    (request,) = served.stored("requests")
    (attempt,) = served.stored("attempts")
    assert request.id == reply.headers["x-llmr-request-id"] == attempt.request_id
    assert (attempt.provider, attempt.model, attempt.outcome) == ("a", "lab-model", "ok")
    assert attempt.ttft_s is not None
    assert 0 < attempt.ttft_s <= attempt.total_s
    assert (reply.headers["x-llmr-provider"], reply.headers["x-llmr-model"]) == ("a", "lab-model")
    assert reply.headers["x-llmr-attempts"] == "1"
    line = json.loads(served.log[-1])
    assert (line["request_id"], line["status"], line["provider"], line["outcome"]) == (request.id, 200, "a", "ok")
    assert "what is up" not in str(served.log)


def test_a_stream_ends_in_one_finish_reason_usage_where_wanted_and_done(serve):
    served = serve(LabProvider("a", [Behavior(text="one two three")]))
    reply = served.chat(stream=True, stream_options={"include_usage": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    *chunks, usage, done = events(reply.content)
    assert done == "[DONE]"
    assert json.loads(usage)["choices"] == []
    assert json.loads(usage)["usage"]["completion_tokens"] == 3
    deltas = [json.loads(chunk)["choices"][0] for chunk in chunks]
    assert "".join(delta["delta"].get("content") or "" for delta in deltas) == "one two three"
    assert [delta["finish_reason"] for delta in deltas if delta["finish_reason"]] == ["stop"]
    assert deltas[0]["delta"]["role"] == "assistant"
    assert "usage" not in json.loads(events(served.chat(stream=True).content)[-2])


def test_before_the_first_byte_the_next_provider_answers(serve):
    broken = LabProvider("a", [Behavior(status=500)])
    served = serve(broken, LabProvider("b", [Behavior(text="from b")]))
    for stream in (False, True):
        reply = served.chat(stream=stream)
        assert reply.status_code == 200
        assert reply.headers["x-llmr-provider"] == "b"
        assert int(reply.headers["x-llmr-attempts"]) > 1
        assert b"from" in reply.content


def test_an_error_in_the_stream_before_its_first_token_is_an_ordinary_failure(serve):
    served = serve(
        LabProvider("a", [Behavior(fault=Fault.ERROR_EVENT, fault_at=0)]), LabProvider("b", [Behavior(text="from b")])
    )
    assert served.chat(stream=True).headers["x-llmr-provider"] == "b"


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.END, Fault.RESET, Fault.ERROR_EVENT])
def test_after_the_first_byte_a_break_is_an_error_event_and_no_done(serve, fault):
    other = LabProvider("b")
    served = serve(LabProvider("a", [Behavior(text="one two three four", fault=fault, fault_at=2)]), other)
    reply = served.chat(stream=True)
    assert reply.status_code == 200
    *chunks, last = events(reply.content)
    assert "one" in "".join(chunks)
    assert set(json.loads(last)) == {"error"}
    assert "[DONE]" not in reply.text
    assert '"finish_reason":"stop"' not in reply.text
    assert other.requests == ()


def test_an_answer_in_one_piece_begins_anew_when_it_breaks(serve):
    served = serve(
        LabProvider("a", [Behavior(text="one two three four", fault=Fault.CUT, fault_at=2)]),
        LabProvider("b", [Behavior(text="from b")]),
    )
    assert served.chat().json()["choices"][0]["message"]["content"] == "from b"


def test_an_answer_in_one_piece_begins_anew_even_where_the_provider_streamed_it_unasked(serve):
    half = b'data: {"choices": [{"index": 0, "delta": {"content": "half an "}}]}\n\n'
    served = serve(
        LabProvider("a", [Behavior(body=half, content_type="text/event-stream")]),
        LabProvider("b", [Behavior(text="from b")]),
    )
    assert served.chat().json()["choices"][0]["message"]["content"] == "from b"


def test_nobody_left_says_who_failed_and_when_to_come_back(serve):
    served = serve(LabProvider("a", [rate_limited("20")]), LabProvider("b", [rate_limited("30")]))
    reply = served.chat()
    assert reply.status_code == 429
    error = reply.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "a/lab-model" in error["message"]
    assert 18 <= int(reply.headers["retry-after"]) <= 20
    again = served.chat()  # nobody is asked: the circuits know
    assert again.status_code == 429
    assert int(again.headers["retry-after"]) <= 20
    assert "x-llmr-attempts" not in again.headers


def test_when_every_provider_is_down_it_is_503_no_provider_available(serve):
    served = serve(LabProvider("a", [Behavior(status=500)]))
    error = served.chat(headers={"x-llmr-timeout": "2"})
    assert error.status_code == 503
    assert error.json()["error"]["code"] == "no_provider_available"
    assert error.json()["error"]["type"] == "server_error"


def test_a_provider_s_own_401_does_not_look_like_a_wrong_token(serve):
    reply = serve(LabProvider("a", [Behavior(status=401)])).chat()
    assert (reply.status_code, reply.headers["x-should-retry"]) == (502, "false")
    assert reply.json()["error"]["code"] == "provider_key_rejected"


def test_a_bad_request_is_the_client_s_and_stops_at_the_first_provider(serve):
    other = LabProvider("b")
    served = serve(LabProvider("a", [Behavior(status=400, error_message="temperature is out of range")]), other)
    reply = served.chat()
    assert reply.status_code == 400
    assert "temperature is out of range" in reply.json()["error"]["message"]
    assert other.requests == ()


def test_a_model_that_nobody_knows_is_404(serve):
    reply = serve(LabProvider("a")).chat(model="nonsense")
    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "model_not_found"


def test_tools_go_in_and_calls_come_out(serve):
    lab = LabProvider(
        "a", [Behavior(text="", tool_calls=(LabToolCall("weather", '{"city": "Rome"}'),), finish_reason="tool_calls")]
    )
    served = serve(lab)
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    for stream in (False, True):
        reply = served.chat(tools=[tool], tool_choice="required", stream=stream)
        assert lab.requests[-1].json["tools"][0]["function"]["name"] == "weather"
        assert lab.requests[-1].json["tool_choice"] == "required"
        if not stream:
            (choice,) = reply.json()["choices"]
            assert choice["finish_reason"] == "tool_calls"
            assert choice["message"]["tool_calls"][0]["function"] == {
                "name": "weather",
                "arguments": '{"city": "Rome"}',
            }
        else:
            said = [json.loads(event) for event in events(reply.content)[:-1]]
            pieces = [p for s in said for c in s["choices"] for p in c["delta"].get("tool_calls", ())]
            assert "".join(piece["function"]["arguments"] for piece in pieces) == '{"city": "Rome"}'


def test_a_client_that_leaves_takes_the_upstream_with_it_and_is_held_against_nobody(serve):
    lab = LabProvider("a", [Behavior(text="one two three", fault=Fault.HANG, fault_at=1)])
    served = serve(lab)
    with (
        served.client() as client,
        client.stream(
            "POST",
            "/v1/chat/completions",
            json={"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]},
        ) as reply,
    ):
        next(reply.iter_bytes())
    assert lab.requests[0].client_closed.wait()
    assert lab.requests[0].settled.wait()
    (attempt,) = served.stored("attempts")
    assert attempt.outcome == "cancelled"
    assert len(lab.requests) == 1
    assert not served.on_loop(lambda: list(served.app.store.scan("b:")))
    assert eventually(lambda: served.log)
    assert json.loads(served.log[-1])["outcome"] == "client_gone"


def test_hints_steer_the_routing_and_do_not_leave_the_machine(serve):
    a, b = LabProvider("a"), LabProvider("b")
    served = serve(a, b)
    assert served.chat(headers={"x-llmr-provider": "b"}).headers["x-llmr-provider"] == "b"
    assert served.chat(metadata={"llmr_provider": "b", "team": "x"}).headers["x-llmr-provider"] == "b"
    assert "metadata" not in b.requests[-1].json
    assert not [name for name, _ in b.requests[-1].headers if name.startswith("x-llmr")]


def test_metadata_and_tags_meet_the_rules(serve):
    rule = '[[rules]]\nname = "team y asks b"\nwhen = { metadata = { team = "y" } }\nonly = ["b/*"]'
    served = serve(LabProvider("a"), LabProvider("b"), extra=rule)
    assert served.chat(metadata={"team": "y"}).headers["x-llmr-provider"] == "b"
    assert served.chat(headers={"x-llmr-tags": "team=y"}).headers["x-llmr-provider"] == "b"
    assert served.chat(metadata={"team": "z"}).headers["x-llmr-provider"] == "a"


def test_a_price_cap_refuses_what_nobody_knows_the_price_of_with_a_status_that_no_client_tries_again(serve):
    reply = serve(LabProvider("a")).chat(headers={"x-llmr-max-price": "0.01"})
    assert reply.status_code == 402
    assert reply.json()["error"]["code"] == "budget_exceeded"


def test_a_time_out_of_the_client_s_own_holds(serve):
    served = serve(LabProvider("a", [Behavior(fault=Fault.HANG)]))
    reply = served.chat(headers={"x-llmr-timeout": "0.3"})  # ours is longer than its patience
    assert reply.status_code == 504


@pytest.mark.parametrize(
    "headers",
    [
        {"x-llmr-stratgy": "cost"},
        {"x-llmr-strategy": "cheapest"},
        {"x-llmr-timeout": "-1"},
        {"x-llmr-max-price": "nan"},
        {"x-llmr-on-break": "restart"},
        {"x-llmr-hedge": "perhaps"},
    ],
)
def test_a_hint_that_is_misspelt_is_refused_by_name(serve, headers):
    reply = serve(LabProvider("a")).chat(headers=headers)
    assert reply.status_code == 400
    assert next(iter(headers)) in reply.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_provider_has_no_words_for_is_told_in_a_header(serve, stream):
    served = serve(LabProvider("a", wire=WireFormat.ANTHROPIC))
    assert served.chat(stream=stream, user="u1").headers["x-llmr-left-out"] == "user"
    assert "x-llmr-left-out" not in served.chat(stream=stream).headers
    marked = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
    told = served.message(stream=stream, system=marked, service_tier="auto")
    assert told.headers["x-llmr-left-out"] == "service_tier"
    elsewhere = serve(LabProvider("b"))
    told = elsewhere.message(stream=stream, system=marked, service_tier="auto")
    assert told.headers["x-llmr-left-out"] == "service_tier, cache_control"


def test_a_message_in_anthropic_s_words_meets_the_same_fallback_and_the_same_rules(serve):
    served = serve(LabProvider("a", [Behavior(status=500)]), LabProvider("b", [Behavior(text="from b")]))
    reply = served.message()
    assert (reply.json()["content"], reply.headers["x-llmr-provider"]) == ([{"type": "text", "text": "from b"}], "b")
    refused = served.message(model="nobody")
    assert (refused.status_code, refused.json()["error"]["type"]) == (404, "not_found_error")
    assert refused.json()["request_id"] == refused.headers["x-llmr-request-id"]
