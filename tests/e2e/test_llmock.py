"""Against an emulator that strangers wrote (llmock, PyPI): its faults, and its verdict on us as a client.

llmock's process-wide `llmock` fixture starts a real server. Two of its rules cannot be met by a client that never repeats
text it has shown: it calls a stream cut *after* content "accepted" unless the call is retried. Those faults are tested for
what we do instead: the partial answer, exit code 8.
"""

import pytest

from llmr.lab import LabProvider


@pytest.fixture
def mock(box, llmock):
    """A box whose only provider is llmock's OpenAI."""
    here = box([LabProvider("unused")])
    here.config_file.write_text(
        f'[providers.mock]\nwire = "openai"\nbase_url = "{llmock.base_url("openai")}"\napi_key_env = "MOCK_KEY"\n'
        'models = ["gpt-4o"]\n'
    )
    here.variables["MOCK_KEY"] = "sk-llmock-0123456789"
    return here


def ask(mock, *more):
    return mock.run("chat", "-m", "mock/gpt-4o", *more, "Say hello")


@pytest.mark.parametrize("more", [(), ("--no-stream",)])
def test_a_healthy_answer_of_a_stranger(mock, llmock, more):
    llmock.reply("Hello from a stranger.")
    ended = ask(mock, *more)
    assert (ended.code, ended.out) == (0, "Hello from a stranger.")
    llmock.assert_resilient(strict=True)


def test_usage_of_a_stranger_is_counted(mock, llmock):
    llmock.reply("one two three")
    usage = ask(mock, "--json").json["usage"]
    assert usage["input"] > 0
    assert usage["output"] > 0


def test_a_short_rate_limit_is_waited_out(mock, llmock):
    llmock.rate_limit(times=1, retry_after=1.0).reply("after the wait")
    assert ask(mock).out == "after the wait"
    llmock.assert_resilient(strict=True)


def test_a_server_error_is_retried_with_back_off(mock, llmock):
    llmock.fail(503, times=1)
    llmock.reply("second time lucky")
    assert ask(mock).out == "second time lucky"
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize(("status", "code"), [(400, 9), (401, 4), (403, 4), (404, 9), (422, 9)])
def test_what_no_retry_mends_is_not_retried(mock, llmock, status, code):
    llmock.fail(status, times=None)
    assert ask(mock).code == code
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


def test_an_outage_is_given_up_on_after_a_bounded_number_of_attempts(mock, llmock):
    llmock.outage()
    assert ask(mock).code == 5
    llmock.assert_resilient(strict=True)


def test_a_prompt_that_is_too_long_is_told_as_such(mock, llmock):
    llmock.context_overflow()
    assert ask(mock).code == 9
    llmock.assert_resilient(strict=True)


def test_a_stream_that_ends_before_its_first_word_is_retried(mock, llmock):
    llmock.truncate(after_chunks=1, times=1)  # the first chunk holds a role and no word
    assert ask(mock).code == 0
    assert len(llmock.requests) == 2
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("fault", ["truncate", "disconnect", "corrupt"])
def test_a_stream_that_breaks_after_its_first_word_is_partial_and_not_repeated(mock, llmock, fault):
    llmock.reply("one two three four five six seven eight", times=None)
    getattr(llmock, fault)(after_chunks=3, times=None)
    ended = ask(mock)
    assert ended.code == 8
    assert ended.out
    assert "one two three four five six seven eight".startswith(ended.out)
    assert len(llmock.requests) == 1


def test_a_stall_is_not_sat_through(mock, llmock):
    mock.variables["LLMR_TIMEOUTS__STALL_S"] = "0.5"
    llmock.reply("one two three four five six", times=None)
    llmock.stall(after_chunks=3, seconds=30, times=None)
    assert ask(mock).code == 8
    llmock.assert_resilient(strict=True)
