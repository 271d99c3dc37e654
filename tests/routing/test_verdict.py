"""What a request comes down to when every attempt failed."""

import pytest

from llmr.errors import ErrorKind, Failure, ProviderError
from llmr.routing.verdict import verdict


def tried(*kinds: ErrorKind) -> list[Failure]:
    return [Failure("a/x", "reason", kind, ProviderError(kind, "reason")) for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ([ErrorKind.SERVER, ErrorKind.RATE_LIMIT, ErrorKind.AUTH], ErrorKind.RATE_LIMIT),
        ([ErrorKind.SERVER, ErrorKind.STALL], ErrorKind.STALL),
        ([ErrorKind.AUTH, ErrorKind.CONNECT], ErrorKind.CONNECT),
        ([ErrorKind.CONNECT, ErrorKind.SERVER], ErrorKind.SERVER),
        ([ErrorKind.UNSUPPORTED, ErrorKind.AUTH], ErrorKind.AUTH),
        ([ErrorKind.NOT_ACCEPTED, ErrorKind.AUTH], ErrorKind.NOT_ACCEPTED),
        ([ErrorKind.NOT_ACCEPTED, ErrorKind.STALL], ErrorKind.STALL),
        ([ErrorKind.RATE_LIMIT, ErrorKind.BAD_REQUEST], ErrorKind.BAD_REQUEST),
        ([ErrorKind.RATE_LIMIT, ErrorKind.CONTENT_FILTER], ErrorKind.CONTENT_FILTER),
    ],
)
def test_the_most_retryable_class_wins_but_for_an_end_of_the_request_s_own(kinds, told):
    assert verdict(tried(*kinds)) is told


def test_who_was_not_even_tried_counts_too():
    assert verdict([Failure("a/x", "open", ErrorKind.RATE_LIMIT), *tried(ErrorKind.AUTH)]) is ErrorKind.RATE_LIMIT


def test_nobody_knows_why_is_the_server_s():
    assert verdict([]) is verdict([Failure("a/x", "a rule")]) is ErrorKind.SERVER


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_alone_is_its_own_verdict(kind):
    assert verdict(tried(kind)) is (ErrorKind.SERVER if kind is ErrorKind.CANCELLED else kind)
