"""Every kind of failure has a status, and what no waiting mends says so."""

from random import Random

import pytest

from llmr.errors import AllAttemptsFailed, ErrorKind, Failure, NoProviderReady, ProviderError, RequestDenied, UsageError
from llmr.lab import Behavior, LabProvider
from llmr.secret import Redactor, Secret
from llmr.server.problems import headers_of, problem_of


def failed(kind, reason="it failed", retry_after_s=None):
    error = ProviderError(kind, reason)
    return AllAttemptsFailed("no answer", failures=[Failure("a/x", reason, kind, error)], retry_after_s=retry_after_s)


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_of_failure_is_an_error_status_and_no_401(kind):
    problem = problem_of(failed(kind), Redactor())
    assert 400 <= problem.status <= 504
    assert problem.status != 401
    assert problem.code


@pytest.mark.parametrize("kind", [ErrorKind.QUOTA, ErrorKind.BUDGET, ErrorKind.AUTH, ErrorKind.NOT_SENT])
def test_what_no_waiting_mends_tells_clients_not_to_try_again(kind):
    assert headers_of(problem_of(failed(kind), Redactor()))["x-should-retry"] == "false"


def test_the_wait_is_rounded_up_to_whole_seconds_and_told_to_the_millisecond():
    headers = headers_of(problem_of(failed(ErrorKind.RATE_LIMIT, retry_after_s=1.2), Redactor()))
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1200")
    soon = headers_of(problem_of(failed(ErrorKind.RATE_LIMIT, retry_after_s=0.0), Redactor()))
    assert (soon["retry-after"], soon["retry-after-ms"]) == ("1", "1000")


def test_a_secret_in_a_provider_s_message_is_masked():
    problem = problem_of(
        failed(ErrorKind.SERVER, "your key hunter2-hunter2 is bad"), Redactor((Secret("hunter2-hunter2"),))
    )
    assert "hunter2" not in problem.message


def test_the_router_s_refusals_have_statuses_of_their_own():
    assert problem_of(UsageError("unknown model"), Redactor()).status == 404
    assert problem_of(RequestDenied("rule x"), Redactor()).status == 403
    ready = problem_of(NoProviderReady("nobody", missing=("A_KEY",)), Redactor())
    assert (ready.status, ready.should_retry) == (503, False)
    assert "A_KEY" in ready.message


def test_while_nobody_can_answer_requests_are_turned_away_in_the_caller_s_words(serve):
    lab = LabProvider("a", [Behavior(status=503)])
    served = serve(lab, extra="[fallback]\nmax_wait_s = 0")
    served.app.router._throttle._chance = Never()
    for _ in range(12):
        assert served.chat().status_code == 503
    served.app.router._throttle._chance = Always()
    asked = len(lab.requests)
    reply = served.chat(stream=True)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "no_provider_available")
    assert "turned away unasked" in reply.json()["error"]["message"]
    assert int(reply.headers["retry-after"]) >= 1
    assert "x-llmr-attempts" not in reply.headers
    told = served.message().json()
    assert (told["type"], told["error"]["type"]) == ("error", "api_error")
    assert len(lab.requests) == asked
    assert "llmr_throttled_total 2.0" in served.get("/metrics").text


class Never(Random):
    """Chance that never strikes."""

    def random(self) -> float:
        return 1.0


class Always(Random):
    """Chance that always does."""

    def random(self) -> float:
        return 0.0
