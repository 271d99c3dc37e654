"""Every kind of failure has its row, and the rows say what the design says (routing.md §1 and §4)."""

import pytest

from llmr.errors import ErrorKind
from llmr.routing.circuit import Outcome
from llmr.routing.disposition import DISPOSITIONS, SUCCESS, Onward, disposition

K = ErrorKind


def test_every_kind_has_a_row() -> None:
    assert set(DISPOSITIONS) == set(ErrorKind)


def test_success_is_a_row_too() -> None:
    assert disposition(None) is SUCCESS
    assert (SUCCESS.provider, SUCCESS.model, SUCCESS.shared) == (Outcome.OK,) * 3


def test_no_failure_counts_as_a_success_anywhere() -> None:
    assert all(Outcome.OK not in (row.provider, row.model, row.shared) for row in DISPOSITIONS.values())


def kinds(**wanted: object) -> set[ErrorKind]:
    return {kind for kind, row in DISPOSITIONS.items() if all(getattr(row, k) == v for k, v in wanted.items())}


def test_what_is_the_requests_own_fault_stops_the_request() -> None:
    assert kinds(onward=Onward.NOBODY) == {K.BAD_REQUEST, K.CONTENT_FILTER, K.CANCELLED}


def test_a_prompt_that_is_too_long_goes_to_larger_windows_only() -> None:
    assert kinds(onward=Onward.LARGER_WINDOW) == {K.CONTEXT_LENGTH}


def test_what_depends_on_the_request_counts_against_nobody() -> None:
    assert kinds(provider=Outcome.NEUTRAL, model=Outcome.NEUTRAL, shared=Outcome.NEUTRAL) == {
        K.BAD_REQUEST, K.CONTENT_FILTER, K.CANCELLED, K.CONTEXT_LENGTH, K.UNSUPPORTED, K.TOO_LARGE_FOR_LIMIT,
        K.TOOL_USE_FAILED, K.NOT_SENT, K.BUDGET, K.NOT_ACCEPTED, K.DEADLINE,
    }  # fmt: skip


def test_dead_keys_and_empty_purses_are_the_accounts_and_a_missing_model_the_models() -> None:
    assert kinds(provider=Outcome.HARD) == {K.AUTH, K.QUOTA}
    assert kinds(model=Outcome.HARD) == {K.MODEL_NOT_FOUND}
    assert kinds(shared=Outcome.HARD) == {K.QUOTA}


def test_the_network_is_the_providers_and_what_came_of_the_model_is_both_their_fault() -> None:
    assert kinds(provider=Outcome.ERROR, model=Outcome.NEUTRAL) == {K.CONNECT, K.CONNECT_TIMEOUT, K.TLS, K.GATEWAY}
    assert kinds(provider=Outcome.ERROR, model=Outcome.ERROR) == {
        K.FIRST_TOKEN_TIMEOUT, K.STALL, K.SERVER, K.OVERLOADED, K.BAD_RESPONSE, K.INCOMPLETE,
    }  # fmt: skip


def test_a_429_limits_the_model_and_the_shared_quota_and_counts_against_the_provider() -> None:
    assert kinds(model=Outcome.RATE) == kinds(shared=Outcome.RATE) == {K.RATE_LIMIT}
    assert disposition(K.RATE_LIMIT).provider is Outcome.ERROR


def test_nothing_that_cannot_heal_is_asked_again() -> None:
    assert kinds(again=False) == {
        K.TLS, K.TOO_LARGE_FOR_LIMIT, K.QUOTA, K.AUTH, K.MODEL_NOT_FOUND, K.CONTEXT_LENGTH, K.UNSUPPORTED,
        K.CONTENT_FILTER, K.BAD_REQUEST, K.CANCELLED, K.NOT_SENT, K.BUDGET, K.NOT_ACCEPTED, K.DEADLINE,
    }  # fmt: skip
    assert kinds(again=True) == set(ErrorKind) - kinds(again=False)


@pytest.mark.parametrize("kind", [K.SERVER, K.OVERLOADED])
def test_a_503_that_says_when_to_come_back_limits_the_model(kind: ErrorKind) -> None:
    assert disposition(kind).model is Outcome.ERROR
    row = disposition(kind, retry_after_s=3)
    assert row.model is Outcome.RATE
    assert (row.provider, row.again, row.onward) == (Outcome.ERROR, True, Onward.ANYONE)


def test_retry_after_changes_no_other_row() -> None:
    for kind in set(ErrorKind) - {K.SERVER, K.OVERLOADED}:
        assert disposition(kind, retry_after_s=3) is DISPOSITIONS[kind]
