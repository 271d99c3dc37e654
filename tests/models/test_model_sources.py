"""The two packages, read: what is taken of them, and what is not."""

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace as Foreign
from typing import Any
from zipfile import ZipFile

import pytest

from llmr.catalog import Capabilities, LongContext, Price
from llmr.model_table import genai, litellm
from llmr.model_table.__main__ import main
from llmr.model_table.offer import Listed, SourceMissing

DAY = date(2026, 11, 23)
BEFORE, AFTER = Foreign(start_date=date(2026, 9, 1)), Foreign(start_date=date(2027, 1, 1))
PEAK = Foreign(start_time="01:00", end_time="04:00")


def tiered(base: float, *tiers: tuple[int, float]) -> Foreign:
    return Foreign(base=base, tiers=[Foreign(start=start, price=price) for start, price in tiers])


def listed(monkeypatch: pytest.MonkeyPatch, *, model_id: str = "m", match: Any = None, prices: Any = None) -> Listed:
    """How a model of this shape is listed."""
    model = Foreign(
        id=model_id, match=match or Foreign(equals=model_id), context_window=None, prices=prices or Foreign()
    )
    snapshot = Foreign(get_snapshot=lambda: Foreign(providers=[Foreign(id="x-ai", models=[model])]))
    monkeypatch.setattr(genai, "import_module", lambda _: snapshot)
    monkeypatch.setattr(genai, "version", lambda _: "9")
    return genai.read(["xai"], DAY).offers["xai"].models[model_id]


def conditional(*pairs: tuple[Foreign | None, float]) -> list[Foreign]:
    return [Foreign(constraint=when, prices=Foreign(input_mtok=usd, output_mtok=usd)) for when, usd in pairs]


def test_the_last_price_that_applies_on_the_day_is_taken_whatever_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = conditional((None, 1), (BEFORE, 2), (AFTER, 3), (PEAK, 4))
    assert listed(monkeypatch, prices=prices).price == Price(2, 2)
    assert listed(monkeypatch, prices=conditional((AFTER, 3))).price == Price(3, 3)


def test_tiers_become_long_contexts_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = Foreign(input_mtok=tiered(1, (100, 2), (200, 3)), output_mtok=tiered(10, (200, 30)), cache_read_mtok=0.5)
    assert listed(monkeypatch, prices=prices).price == Price(
        1, 10, 0.5, long_context=LongContext(100, Price(2, 10, 0.5, long_context=LongContext(200, Price(3, 30, 0.5))))
    )


def test_no_price_is_unknown_unless_the_model_is_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listed(monkeypatch).price is None
    assert listed(monkeypatch, model_id="m:free").price == Price(0, 0)
    assert listed(monkeypatch, prices=Foreign(input_mtok=1)).price is None


def test_exact_names_and_rules_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    match = Foreign(or_=[Foreign(equals="M-1"), Foreign(and_=[Foreign(starts_with="M-"), Foreign(regex="^(?!.*TTS)")])])
    found = listed(monkeypatch, match=match)
    assert found.names == ("m-1",)
    assert found.rules == (["and", ["starts_with", "m-"], ["regex", "^(?!.*TTS)"]],)


def test_a_rule_of_a_new_kind_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceMissing, match="matches by SimpleNamespace"):
        listed(monkeypatch, match=Foreign(sounds_like="m"))


def test_a_missing_package_names_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "genai_prices.data_snapshot", None)
    with pytest.raises(SourceMissing, match="pip install 'genai-prices"):
        genai.read(["openai"], DAY)


# LiteLLM

ENTRY = {"litellm_provider": "groq", "mode": "chat", "max_input_tokens": 1000, "max_output_tokens": 100}


def from_table(tmp_path: Path, entry: dict[str, Any]) -> Listed:
    file = tmp_path / "table.json"
    file.write_text(json.dumps({"groq/m": {**ENTRY, **entry}}))
    return litellm.read(["groq"], file).offers["groq"].models["m"]


def test_a_capability_that_is_not_mentioned_is_unknown(tmp_path: Path) -> None:
    found = from_table(tmp_path, {"supports_vision": False, "supports_function_calling": True})
    assert found.capabilities == Capabilities(1000, 100, tools=True, images=False)


def test_a_list_of_all_that_a_model_takes_says_no_to_the_rest(tmp_path: Path) -> None:
    found = from_table(tmp_path, {"supported_modalities": ["text", "image"]})
    assert (found.capabilities.images, found.capabilities.audio) == (True, False)


def test_costs_are_per_million_and_tiers_are_read_from_the_keys(tmp_path: Path) -> None:
    found = from_table(
        tmp_path,
        {
            "input_cost_per_token": 1.25e-06,
            "output_cost_per_token": 1e-05,
            "cache_read_input_token_cost": 1.25e-07,
            "input_cost_per_token_above_200k_tokens": 2.5e-06,
            "input_cost_per_token_above_200k_tokens_priority": 9.0,
            "output_cost_per_token_priority": 9.0,
        },
    )
    assert found.price == Price(1.25, 10, 0.125, long_context=LongContext(200_000, Price(2.5, 10, 0.125)))


def test_nothing_for_both_is_an_open_price(tmp_path: Path) -> None:
    assert from_table(tmp_path, {"input_cost_per_token": 0, "output_cost_per_token": 0}).price is None


def test_other_modes_and_other_providers_are_no_chat_models(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(
        json.dumps(
            {
                "groq/w": {**ENTRY, "mode": "audio_transcription"},
                "groq/o": {**ENTRY, "litellm_provider": "other"},
                "azure/eu/m": {**ENTRY, "litellm_provider": "azure"},
            }
        )
    )
    offers = litellm.read(["groq", "azure", "openrouter"], file).offers
    assert dict(offers["groq"].models) == dict(offers["azure"].models) == {}
    assert offers["groq"].not_chat == {"w"}
    assert "openrouter" not in offers


def test_the_table_is_read_out_of_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "litellm-1.2.3-py3-none-any.whl"
    with ZipFile(wheel, "w") as out:
        out.writestr(f"litellm/{litellm.FILE}", json.dumps({"groq/m": ENTRY}))
    found = litellm.read(["groq"], wheel)
    assert found.version == "1.2.3"
    assert set(found.offers["groq"].models) == {"m"}


@pytest.mark.parametrize("name", ["absent.whl", "absent.json", "litellm-1-py3.whl"])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "litellm-1-py3.whl").write_bytes(b"no zip")
    with pytest.raises(SourceMissing, match=name):
        litellm.read(["groq"], tmp_path / name)


def test_the_maintainers_command_makes_a_table_and_lists_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("genai_prices", reason="genai-prices is not installed")
    file, made = tmp_path / "table.json", tmp_path / "models.json"
    dear = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.0, "output_cost_per_token": 1.0}
    file.write_text(json.dumps({"gpt-4o": dear}))
    assert main(["--litellm", str(file), "--output", str(made), "--day", "2026-11-23"]) == 0
    assert made.read_text().startswith('{"made":"2026-11-23"')
    assert main(["--litellm", str(file), "--check"]) == 0
    assert "openai/gpt-4o" in capsys.readouterr().out
    assert main(["--litellm", str(tmp_path / "absent.json")]) == 2
