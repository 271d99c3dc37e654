"""Who fails together, and what one failure says about the others."""

import pytest

from llmr.catalog import Model, Provider, WireFormat
from llmr.errors import ErrorKind
from llmr.routing.fate import chance_left, share_fate, strikes_its_domain


def at(name: str, model_id: str = "m", *, url: str = "", key: str = "", shares: str | None = None) -> Model:
    base_url = url or f"https://{name}.example"
    return Model(Provider(name, WireFormat.OPENAI, base_url, key_fingerprint=key, shares=shares), model_id)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (at("a", "x"), at("a", "y"), True),
        (at("a"), at("b"), False),
        (at("a", shares="eu"), at("b", shares="eu"), True),
        (at("a", shares="eu"), at("b", shares="us"), False),
        (at("a", shares="eu"), at("b"), False),
        (at("a", url="https://one", key="1234abcd"), at("b", url="https://one", key="1234abcd"), True),
        (at("a", url="https://one", key="1234abcd"), at("b", url="https://two", key="1234abcd"), False),
        (at("a", url="http://lab"), at("b", url="http://lab"), False),  # two servers without keys are two accounts
        (at("openrouter", "openai/gpt-4o"), at("openai", "gpt-4o"), True),
        (at("openrouter", "anthropic/claude-haiku-4.5"), at("anthropic", "claude-haiku-4-5"), True),
        (at("openrouter", "openai/gpt-4o"), at("openai", "gpt-4o-mini"), False),
        (at("groq", "openai/gpt-oss-120b"), at("openai", "gpt-5-mini"), False),
        (at("openrouter", "openai/gpt-4o"), at("azure", "gpt-4o"), False),
    ],
)
def test_a_failure_domain_is_an_account_a_share_or_an_aggregator_with_its_origin(
    one: Model, other: Model, together: bool
) -> None:
    assert share_fate(one, other) is together
    assert share_fate(other, one) is together
    assert share_fate(one, one)


def test_each_failed_sibling_halves_the_chance_of_the_rest_of_its_domain_and_nobody_elses() -> None:
    first, second, third, stranger = (at("a", "x"), at("a", "y"), at("a", "z"), at("b"))
    assert chance_left(third, ()) == 1
    assert chance_left(third, [first]) == 0.5
    assert chance_left(third, [first, second]) == 0.25
    assert chance_left(stranger, [first, second]) == 1
    assert chance_left(first, [first]) == 1, "its own failure is in its own statistics"


def test_what_is_the_requests_or_the_models_own_says_nothing_about_the_domain() -> None:
    assert {kind for kind in ErrorKind if not strikes_its_domain(kind)} == {
        ErrorKind.TOO_LARGE_FOR_LIMIT, ErrorKind.MODEL_NOT_FOUND, ErrorKind.CONTEXT_LENGTH, ErrorKind.UNSUPPORTED,
        ErrorKind.CONTENT_FILTER, ErrorKind.BAD_REQUEST, ErrorKind.TOOL_USE_FAILED, ErrorKind.NOT_SENT, ErrorKind.CANCELLED,
        ErrorKind.BUDGET, ErrorKind.NOT_ACCEPTED, ErrorKind.DEADLINE,
    }  # fmt: skip
