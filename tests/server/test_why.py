"""A client's exception says who failed of what, who was not asked and why, and when to come back."""

from llmr.errors import AllAttemptsFailed, ErrorKind, Failure, ProviderError
from llmr.lab import Behavior, LabProvider
from llmr.server.why import why


def failure(name, kind, message, status=None):
    return Failure(name, message, kind, ProviderError(kind, message, status=status))


def told(*failures, nobody_there=False, **more):
    return why(AllAttemptsFailed("no answer", failures=failures, asked="m", **more), nobody_there=nobody_there)


def test_a_failure_is_told_with_its_status_and_that_there_was_nobody_else():
    assert told(failure("a/x", ErrorKind.SERVER, "boom", 500), nobody_there=True) == (
        "No providers available for 'm': a/x failed with HTTP 500: boom; there is no other candidate"
    )


def test_a_key_that_a_provider_rejects_is_said_to_be_the_gateway_s():
    said = told(failure("a/x", ErrorKind.AUTH, "Incorrect API key provided", 401))
    assert "a/x rejects the API key that llmr has for it, which is not yours for llmr (HTTP 401): Incorrect" in said


def test_who_was_not_asked_has_a_reason_and_the_wait_is_told():
    said = told(
        failure("a/x", ErrorKind.SERVER, "boom", 500),
        failure("a/x", ErrorKind.SERVER, "boom", 502),
        Failure("b/x", "its circuit is open", ErrorKind.SERVER, retry_at=5.0),
        retry_after_s=11.2,
    )
    assert said == (
        "No provider could answer for 'm': a/x failed with HTTP 502, 2 times: boom; b/x was not asked: its circuit is open"
        "; ask again in 12 s"
    )


def test_why_it_ended_before_everybody_was_asked_is_told():
    said = told(failure("a/x", ErrorKind.BAD_REQUEST, "no", 400), ended="the request itself was rejected")
    assert said.endswith("a/x rejects the request (HTTP 400): no; the request itself was rejected")


def test_a_status_that_the_reason_begins_with_is_not_said_twice():
    assert told(failure("a/x", ErrorKind.SERVER, "HTTP 502 with an empty body", 502)).count("HTTP 502") == 1


def test_both_dialects_say_so(serve):
    served = serve(LabProvider("a", [Behavior(status=500)]), extra="[fallback]\nmax_attempts = 1")
    for reply in (served.chat(), served.message()):
        message = reply.json()["error"]["message"]
        assert "a/lab-model failed with HTTP 500" in message
        assert message.endswith("enough has been tried")
        assert "nobody else can be asked" not in message


def test_a_time_that_is_already_over_is_told_without_an_exponent(serve):
    served = serve(LabProvider("a"))
    said = served.chat(headers={"x-llmr-timeout": "0.0000328"}).json()["error"]["message"]
    assert "e-0" not in said, said
