"""The catalogue's values: keys, defaults, prices by length, and models made on the spot."""

from dataclasses import fields, replace

import pytest

from llmr.catalog import (
    Catalog,
    FirstToken,
    LongContext,
    Model,
    Price,
    Provider,
    TimeoutOverrides,
    Timeouts,
    WireFormat,
)

OPENAI = Provider("openai", WireFormat.OPENAI, "https://api.openai.com/v1")
ROUTER = Provider("openrouter", WireFormat.OPENAI, "https://openrouter.ai/api/v1", key_fingerprint="0a1b2c3d")
KNOWN = Model(OPENAI, "gpt-4o", price=Price(2.5, 10))
CATALOG = Catalog({"openai": OPENAI, "openrouter": ROUTER}, {}, {"openai/gpt-4o": KNOWN})


def test_a_models_key_is_its_provider_and_its_id_which_may_hold_slashes() -> None:
    assert KNOWN.key == "openai/gpt-4o"
    assert Model(ROUTER, "openai/gpt-4o").key == "openrouter/openai/gpt-4o"


def test_an_account_is_its_name_and_its_key() -> None:
    assert (OPENAI.account, ROUTER.account) == ("openai#", "openrouter#0a1b2c3d")


def test_a_described_model_is_found_and_an_undescribed_one_is_made() -> None:
    assert CATALOG.model("openai/gpt-4o") is KNOWN
    assert CATALOG.model("openai/new") == Model(OPENAI, "new")
    assert CATALOG.model("openrouter/openai/gpt-4o") == Model(ROUTER, "openai/gpt-4o")


@pytest.mark.parametrize("key", ["", "openai", "openai/", "/gpt-4o", "nobody/gpt-4o"])
def test_without_a_provider_or_an_id_there_is_no_model(key: str) -> None:
    assert CATALOG.model(key) is None


def test_a_providers_own_time_outs_lie_over_the_general_ones() -> None:
    general = Timeouts(1, 2, 3, 4, 5)
    assert TimeoutOverrides().over(general) == general
    assert TimeoutOverrides(10, 20, 30).over(general) == Timeouts(10, 20, 30, 4, 5)
    assert TimeoutOverrides(deadline_s=40, total_s=50).over(general) == replace(general, deadline_s=40, total_s=50)
    assert TimeoutOverrides(first_token_s=9).over(Timeouts()) == Timeouts(first_token_s=9)
    assert TimeoutOverrides(first_token_s=FirstToken.AUTO).over(Timeouts(first_token_s=9)) == Timeouts()


def test_every_override_names_a_time_out_that_exists() -> None:
    assert {f.name for f in fields(TimeoutOverrides)} <= {f.name for f in fields(Timeouts)}


def test_a_long_prompt_has_its_own_price_and_a_longer_one_another() -> None:
    huge = Price(6, 30)
    long = Price(5, 25, long_context=LongContext(1_000_000, huge))
    price = Price(2.5, 15, long_context=LongContext(200_000, long))
    assert price.for_prompt(200_000) is price
    assert price.for_prompt(200_001) is long
    assert price.for_prompt(1_000_001) is huge
    assert Price(1, 2).for_prompt(10**9) == Price(1, 2)
