"""Every wire over sockets, by the installed `llmr`: against two emulators that strangers wrote, and against the lab.

llmock judges its client: a verdict without a finding is asked for wherever that verdict can be had by a client that never
repeats text it has shown (see test_llmock.py). aimock answers from fixtures (strangers.py says where it comes from). The lab
speaks all four wires, so a fallback may cross from one wire to another here.
"""

from collections.abc import Iterator
from typing import Final

import pytest
from strangers import TONGUES, Tongue, running_aimock, table, with_aimock

from llmr.catalog import WireFormat
from llmr.lab import Behavior, Fault, LabProvider, rate_limited

KEY: Final = "sk-stranger-0123456789"
WORDS: Final = "one two three four five six seven eight"
SHAPES: Final = [(), ("--no-stream",), ("--json",), ("--json", "--no-stream")]


every_wire: Final = pytest.mark.parametrize("wire", list(WireFormat))
every_foreign_wire: Final = pytest.mark.parametrize(
    "wire", [wire for wire in WireFormat if wire is not WireFormat.OPENAI]
)


def text_of(ended, shape) -> str:
    """The answer, wherever this shape of output puts it."""
    return ended.json["text"] if "--json" in shape else ended.out


# llmock


class Mocked:
    """`llmr` with llmock as its only provider, in one wire."""

    def __init__(self, here, llmock, tongue: Tongue) -> None:
        self.here, self.llmock, self.tongue = here, llmock, tongue
        base_url = llmock.base_url(tongue.host) + tongue.version
        here.config_file.write_text(table("mock", tongue.wire, base_url, tongue.model))
        here.variables["MOCK_KEY"] = KEY

    def ask(self, *more: str):
        ended = self.here.run("chat", "-m", f"mock/{self.tongue.model}", *more, "Say hello")
        assert KEY not in ended.out + ended.err
        return ended


@pytest.fixture
def mocked(box, llmock, wire):
    return Mocked(box([LabProvider("unused")]), llmock, TONGUES[wire])


@every_foreign_wire
@pytest.mark.parametrize("shape", SHAPES, ids=" ".join)
def test_a_stranger_s_answer_reads_the_same_in_every_wire(mocked, llmock, shape) -> None:
    llmock.reply("Hello from a stranger.")
    ended = mocked.ask(*shape)
    assert (ended.code, text_of(ended, shape)) == (0, "Hello from a stranger.")
    llmock.assert_resilient(strict=True)
    if "--json" in shape:
        usage = ended.json["usage"]
        assert usage["input"] > 0
        assert usage["output"] > 0
        assert ended.json["finish_reason"] == "stop"


@every_foreign_wire
def test_a_stranger_s_short_rate_limit_is_waited_out_in_every_wire(mocked, llmock) -> None:
    llmock.rate_limit(times=1, retry_after=1.0).reply("after the wait")
    assert mocked.ask().out == "after the wait"
    assert len(llmock.requests) == 2
    llmock.assert_resilient(strict=True)


@every_foreign_wire
def test_a_stranger_s_outage_of_a_moment_is_retried_in_every_wire(mocked, llmock) -> None:
    llmock.fail(503, times=1)
    llmock.reply("second time lucky")
    assert mocked.ask().out == "second time lucky"
    assert len(llmock.requests) == 2
    llmock.assert_resilient(strict=True)


@every_foreign_wire
@pytest.mark.parametrize(("status", "code"), [(401, 4), (404, 9)])
def test_a_stranger_s_refusal_is_not_asked_twice_in_any_wire(mocked, llmock, status, code) -> None:
    llmock.fail(status, times=None)
    assert mocked.ask().code == code
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


@every_foreign_wire
def test_a_stranger_s_stream_that_ends_before_its_first_word_is_retried_in_every_wire(mocked, llmock) -> None:
    llmock.truncate(
        after_chunks=0 if mocked.tongue.wire is WireFormat.GEMINI else 1, times=1
    )  # Gemini begins with a word
    assert mocked.ask().code == 0
    assert len(llmock.requests) == 2
    llmock.assert_resilient(strict=True)


@every_foreign_wire
@pytest.mark.parametrize("fault", ["truncate", "disconnect", "corrupt"])
def test_a_stranger_s_broken_answer_is_partial_and_not_repeated_in_any_wire(mocked, llmock, fault) -> None:
    llmock.reply(WORDS, times=None)
    getattr(llmock, fault)(after_chunks=6, times=None)
    ended = mocked.ask()
    assert ended.code == 8
    assert ended.out
    assert WORDS.startswith(ended.out)
    assert ended.out != WORDS
    assert len(llmock.requests) == 1


# aimock

SLOW_DOWN: Final = {"error": {"message": "Slow down", "type": "rate_limit_error"}, "status": 429, "retryAfter": 1}
OVERLOADED: Final = {"error": {"message": "Try later", "type": "server_error"}, "status": 503}
TOO_BAD: Final = {"error": {"message": "No such thing", "type": "invalid_request_error"}, "status": 400}
PIECES: Final = {"chunkSize": 6, "latency": 20}  # milliseconds, so that each piece is a write of its own


def scripted() -> Iterator[dict]:
    """Fixtures, told apart by the prompt; those that change have a prompt for each wire, since aimock counts by prompt."""
    usage = {"input_tokens": 11, "output_tokens": 7, "prompt_tokens": 11, "completion_tokens": 7}
    yield {
        "match": {"userMessage": "greet"},
        "response": {"content": "Hello, stranger.", "reasoning": "hm", "usage": usage},
    }
    yield {"match": {"userMessage": "refuse"}, "response": TOO_BAD}
    yield {"match": {"userMessage": "break off"}, "response": {"content": WORDS}, "truncateAfterChunks": 4, **PIECES}
    yield {"match": {"userMessage": "garble"}, "response": {"content": WORDS}, "chaos": {"malformedRate": 1}}
    yield {"match": {"userMessage": "hang up"}, "response": {"content": WORDS}, "chaos": {"disconnectRate": 1}}
    for wire in WireFormat:
        for prompt, first in (("limit", SLOW_DOWN), ("overload", OVERLOADED)):
            said = f"{prompt} {wire}"
            yield {"match": {"userMessage": said, "sequenceIndex": 0}, "response": first}
            yield {"match": {"userMessage": said}, "response": {"content": "second time lucky"}}


@pytest.fixture(scope="module")
def aimock(tmp_path_factory) -> Iterator[str]:
    """Its URL. The server ends with the module."""
    with running_aimock(tmp_path_factory.mktemp("aimock"), scripted()) as url:
        yield url


class Aimocked:
    """`llmr` with aimock as its only provider, in one wire. aimock serves each maker's paths at one port."""

    def __init__(self, here, url: str, tongue: Tongue) -> None:
        self.here, self.tongue = here, tongue
        here.config_file.write_text(table("mock", tongue.wire, url + (tongue.version or "/v1"), tongue.model))
        here.variables["MOCK_KEY"] = KEY

    def ask(self, prompt: str, *more: str):
        return self.here.run("chat", "-m", f"mock/{self.tongue.model}", *more, prompt)


@pytest.fixture
def aimocked(box, aimock, wire):
    return Aimocked(box([LabProvider("unused")]), aimock, TONGUES[wire])


@with_aimock
@every_wire
@pytest.mark.parametrize("shape", [("--no-stream",), ("--json",)], ids=" ".join)
def test_aimock_s_answer_reads_the_same_in_every_wire(aimocked, shape) -> None:
    ended = aimocked.ask("greet", *shape)
    assert (ended.code, text_of(ended, shape)) == (0, "Hello, stranger.")
    if "--json" in shape:
        assert ended.json["reasoning"] == "hm"


@with_aimock
@every_wire
@pytest.mark.parametrize("prompt", ["limit", "overload"])
def test_aimock_s_passing_failure_is_sat_out_in_every_wire(aimocked, wire, prompt) -> None:
    ended = aimocked.ask(f"{prompt} {wire}")
    assert (ended.code, ended.out) == (0, "second time lucky")


@with_aimock
@every_wire
def test_aimock_s_refusal_is_told_in_its_own_words_in_every_wire(aimocked) -> None:
    ended = aimocked.ask("refuse")
    assert (ended.code, ended.out) == (9, "")
    assert "No such thing" in ended.err


@with_aimock
@every_wire
def test_aimock_s_answer_cut_after_a_word_is_partial_in_every_wire(aimocked) -> None:
    ended = aimocked.ask("break off")
    assert ended.code in (5, 8), ended.err
    assert WORDS.startswith(ended.out)
    assert ended.out != WORDS
    assert ended.code == (8 if ended.out else 5)


@with_aimock
@every_wire
@pytest.mark.parametrize("prompt", ["garble", "hang up"])
def test_aimock_s_chaos_is_an_error_and_never_an_answer_in_every_wire(aimocked, prompt) -> None:
    ended = aimocked.ask(prompt)
    assert (ended.code, ended.out) == (5, "")


# The lab


def tongues(here, **wires: WireFormat) -> None:
    """A routing.toml in which the lab's providers speak these wires and are asked in this order."""
    candidates = ", ".join(f'"{name}/lab-model"' for name in wires)
    lines = [
        'strategy = "priority"\nexploration = 0\ndefault_model = "m"',
        f"[models.m]\ncandidates = [{candidates}]",
        *(f'[providers.{name}]\nwire = "{wire}"\nbase_url = "{here.lab.url(name)}"' for name, wire in wires.items()),
    ]
    here.config_file.write_text("\n".join(lines))


@every_foreign_wire
@pytest.mark.parametrize("shape", [("--no-stream",), ("--json",)], ids=" ".join)
def test_the_lab_answers_in_every_wire(box, wire, shape) -> None:
    here = box([LabProvider("a", [Behavior("The answer.", reasoning="hm, well", input_tokens=9)], wire=wire)])
    tongues(here, a=wire)
    ended = here.run("chat", *shape, "hi")
    assert (ended.code, text_of(ended, shape)) == (0, "The answer.")
    if "--json" in shape:
        said = ended.json
        assert (said["usage"]["input"], said["usage"]["output"]) == (9, 4)
        assert (said["reasoning"], said["finish_reason"]) == ("hm, well", "stop")


@every_wire
@pytest.mark.parametrize(
    "failure", [Behavior(status=500), rate_limited("600"), Behavior(fault=Fault.ERROR_EVENT, fault_at=0)]
)
def test_a_failure_in_one_wire_is_answered_in_another(box, wire, failure) -> None:
    other = WireFormat.GEMINI if wire is not WireFormat.GEMINI else WireFormat.ANTHROPIC
    here = box([LabProvider("a", [failure], wire=wire), LabProvider("b", [Behavior("from b")], wire=other)])
    tongues(here, a=wire, b=other)
    ended = here.run("chat", "hi")
    assert (ended.code, ended.out) == (0, "from b"), ended.err
    assert "a/lab-model" in ended.err


@every_foreign_wire
@pytest.mark.parametrize("fault", [Fault.CUT, Fault.END, Fault.RESET, Fault.ERROR_EVENT])
def test_an_answer_that_breaks_after_a_word_is_partial_in_every_wire(box, wire, fault) -> None:
    breaking = Behavior(WORDS, fault=fault, fault_at=3)
    here = box([LabProvider("a", [breaking], wire=wire), LabProvider("b", wire=wire)])
    tongues(here, a=wire, b=wire)
    ended = here.run("chat", "hi")
    assert ended.code == 8
    assert WORDS.startswith(ended.out)
    assert ended.out != WORDS
    assert here.lab.provider("b").requests == ()


@every_foreign_wire
def test_a_bad_key_is_a_matter_of_the_key_in_every_wire(box, wire) -> None:
    here = box([LabProvider("a", [Behavior(status=401, error_message="bad key")], wire=wire)])
    tongues(here, a=wire)
    assert here.run("chat", "hi").code == 4


@every_foreign_wire
def test_a_system_prompt_and_options_reach_the_provider_in_its_own_words(box, wire) -> None:
    here = box([LabProvider("a", wire=wire)])
    tongues(here, a=wire)
    assert here.run("chat", "-s", "be brief", "--max-tokens", "70", "--temperature", "0.5", "hi").code == 0
    (request,) = here.lab.provider("a").requests
    sent = request.json
    match wire:
        case WireFormat.ANTHROPIC:
            assert sent["system"] == [{"type": "text", "text": "be brief"}]
            assert (sent["max_tokens"], sent["temperature"]) == (70, 0.5)
            assert request.header("anthropic-version") == "2023-06-01"
        case WireFormat.GEMINI:
            assert sent["systemInstruction"] == {"parts": [{"text": "be brief"}]}
            assert sent["generationConfig"] == {"maxOutputTokens": 70, "temperature": 0.5}
        case _:
            assert sent["input"][0]["content"] == "be brief"
            assert (sent["max_output_tokens"], sent["temperature"]) == (70, 0.5)
