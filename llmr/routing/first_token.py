"""How long the first token may take before somebody else is asked (shared/design/routing.md §4)."""

from typing import Final

from llmr.catalog import Timeouts
from llmr.routing.estimate import Estimate

FIRST_TOKEN_UNSURE_S: Final = 5.0  # routing.md §4: until n ≥ 20
FIRST_TOKEN_LEAST_S: Final = 2.0
FIRST_TOKEN_MOST_S: Final = 30.0
FIRST_TOKEN_REASONING_S: Final = 60.0
SURE_AFTER: Final = 20.0
PREFILL_TOKENS_PER_S: Final = 2_000.0  # a slow hosted model; 40,000 tokens then take 20 s before the first one


def first_token_timeout_s(estimate: Estimate | None, *, reasoning: bool) -> float:
    """By what the model is known for: max(2 s, 1.5·p99), 5 s until 20 samples, ≤ 30 s.

    Reasoning models think before they speak: 60 s (routing.md §4).
    """
    if reasoning:
        return FIRST_TOKEN_REASONING_S
    if estimate is None or estimate.samples < SURE_AFTER:
        return FIRST_TOKEN_UNSURE_S
    return min(max(FIRST_TOKEN_LEAST_S, 1.5 * estimate.p99_s), FIRST_TOKEN_MOST_S)


def first_token_limit_s(
    timeouts: Timeouts,
    estimate: Estimate | None,
    *,
    reasoning: bool,
    alone: bool,
    left_s: float,
    prompt_tokens: int = 0,
) -> float:
    """How long one attempt's first token may take: what is configured, else what the model is known for and what reading
    the prompt may take; where nobody else could be asked (`alone`), all that is left of the deadline, `left_s`.

    While somebody else could, never more than half of that: or one who hangs would leave nothing to the others.
    """
    if timeouts.first_token_s is not None:
        return min(timeouts.first_token_s, left_s)
    if alone:
        return left_s
    usual_s = first_token_timeout_s(estimate, reasoning=reasoning) + prompt_tokens / PREFILL_TOKENS_PER_S
    return min(usual_s, left_s / 2)
