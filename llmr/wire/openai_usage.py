"""What thirty OpenAI-like providers call usage, in our terms (wire.md §B.5): input with cached tokens, output with
reasoning.

The names differ, and one sum does: xAI counts reasoning beside `completion_tokens`, wherever Grok is hosted.
"""

from typing import Any, Final

from llmr.chat import Usage
from llmr.wire.json_text import count_of, object_of

_USD_PER_TICK: Final = 1e-10  # xAI's cost_in_usd_ticks: 10^10 ticks are one dollar (docs.x.ai, usage)
_MOST_CHARGED: Final = 1e18  # ticks or dollars: more is no price, and would overflow a float


def usage_of(said: dict[str, Any], *, reasoning_excluded: bool, cost: Any = None) -> Usage:
    """Usage in our terms (wire.md §B.5): output includes reasoning.

    xAI, and Grok at other hosts, count reasoning beside completion_tokens; there total = prompt + completion
    + reasoning, so the sum itself tells, and `reasoning_excluded` only decides where no total was given.
    """
    prompt = object_of(said.get("prompt_tokens_details"))
    completion = object_of(said.get("completion_tokens_details"))
    input_tokens = _first_count(count_of(said, "prompt_tokens"), count_of(said, "input_tokens"))
    output_tokens = _first_count(count_of(said, "completion_tokens"), count_of(said, "output_tokens"))
    total = count_of(said, "total_tokens")
    reasoning = _first_count(count_of(completion, "reasoning_tokens"), count_of(said, "reasoning_tokens"))
    if output_tokens is not None and reasoning:
        apart = reasoning_excluded
        if total is not None and input_tokens is not None:
            apart = total == input_tokens + output_tokens + reasoning
        output_tokens += reasoning if apart else 0
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        reasoning_tokens=reasoning,
        cached_tokens=_first_count(
            count_of(prompt, "cached_tokens"),
            count_of(said, "prompt_cache_hit_tokens"),  # DeepSeek
            count_of(said, "cache_read_input_tokens"),  # Databricks, Venice
            count_of(said, "cached_tokens"),  # Together
        ),
        cache_write_tokens=_first_count(
            count_of(prompt, "cache_write_tokens"),  # OpenRouter
            count_of(said, "cache_creation_input_tokens"),  # Databricks, Vercel
        ),
        audio_input_tokens=count_of(prompt, "audio_tokens"),
        audio_output_tokens=count_of(completion, "audio_tokens"),
        cost_usd=cost_usd(said, cost),
    )


def cost_usd(usage: dict[str, Any], beside: Any = None) -> float | None:
    """What the provider itself charges: OpenRouter and Vercel, Perplexity, Venice, xAI."""
    said = usage.get("cost")
    for value, scale in (
        (said, 1.0),
        (object_of(said).get("total_cost"), 1.0),
        (object_of(beside).get("usd"), 1.0),
        (usage.get("cost_in_usd_ticks"), _USD_PER_TICK),
    ):
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST_CHARGED:
            return value * scale
    return None


def _first_count(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)
