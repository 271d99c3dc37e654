"""The score: one index in dollars per candidate, with every term named.

An attempt on candidate i costs cᵢ in expectation whenever it is made and succeeds with probability pᵢ. The expected cost of
trying an order is Σₖ(Πⱼ<ₖ qⱼ)cₖ with q = 1 − p; swapping two neighbours shows that i belongs before j exactly when
cᵢ/pᵢ ≤ cⱼ/pⱼ, so sorting by c/p gives the cheapest order (the exchange argument of Smith's rule, 1956). With
c = λ(p·s + q·f) + $ − p·V this becomes

    index = λ·[ s + (q/p)·f + ρ·(p95 − mean) ] + $/p − V          in dollars; ÷ λ, in seconds

λ  what a second is worth, $/s     s  seconds to the first token, and to read on    f  seconds a failure takes
ρ  dislike of a long tail          $  expected price of the request                V  what the model's quality is worth, $

ρ is .4 where routing.md §3 has .25: the mean costs nothing and the tail is shorter. (CLI seeds 200–279 and 300–459, serve
200–219 and 300–339, p99 / p99.9 s: CLI 2.53 / 5.34 with .25, 2.50 / 5.08 with .4; serve 1.85 / 4.25 and 1.80 / 4.03.)

Strategies are settings of λ, $ and V, in `WEIGHTS`. A price nobody knows counts as the dearest known one among the
candidates: unknown is not free, and not a reason to leave either.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from llmr.catalog import Price, Strategy
from llmr.chat import Usage
from llmr.dataclass import dataclass
from llmr.routing.estimate import Estimate

TAIL_AVERSION: Final = 0.4  # ρ; routing.md §3 has .25: see the header
LEAST_SECOND_USD: Final = 1e-9  # λ = 0 in routing.toml is a wish for the cheapest, not a division
LEAST_SUCCESS: Final = 0.01  # keeps q/p finite for a candidate that has only failed
READING_TOKENS_PER_S: Final = 15.0  # fast silent reading, 350 words a minute at 1.3 tokens a word, with slack
NEUTRAL_QUALITY: Final = 0.5  # a model without a judgement is neither good nor bad


@dataclass(frozen=True, slots=True)
class Weights:
    """How much of each term a strategy looks at, as factors."""

    time: float
    price: float
    quality: float


WEIGHTS: Final[Mapping[Strategy, Weights]] = MappingProxyType(
    {
        Strategy.BALANCED: Weights(1.0, 1.0, 1.0),
        Strategy.LATENCY: Weights(1.0, 0.0, 0.0),  # λ → ∞
        Strategy.COST: Weights(0.0, 1.0, 0.0),  # λ → 0
        Strategy.QUALITY: Weights(1.0, 1.0, 0.0),  # V is compared first, on its own
        Strategy.PRIORITY: Weights(1.0, 1.0, 1.0),  # shown, not used
        Strategy.ROUND_ROBIN: Weights(1.0, 1.0, 1.0),
        Strategy.WEIGHTED: Weights(1.0, 1.0, 1.0),
    }
)


@dataclass(frozen=True, slots=True)
class Score:
    """The terms of the index, each in seconds at the user's rate λ; `index_s` is their sum.

    `time_weight` is how much of the time the strategy looks at. `price_usd` None: no candidate's price is known.
    `price_assumed`: it is another candidate's.
    """

    first_token_s: float
    reading_s: float
    failure_s: float
    tail_s: float
    price_s: float
    quality_s: float
    price_usd: float | None
    price_assumed: bool
    quality: float
    time_weight: float = 1.0

    @property
    def time_s(self) -> float:
        """What the candidate costs in time, risk included."""
        return self.first_token_s + self.reading_s + self.failure_s + self.tail_s

    @property
    def index_s(self) -> float:
        """The whole index, in seconds."""
        return self.time_weight * self.time_s + self.price_s - self.quality_s


def expected_price_usd(
    price: Price | None, *, prompt_tokens: int, output_tokens: float, cached_share: float = 0.0
) -> float | None:
    """Dollars for one request of whose prompt `cached_share` (0 to 1) is in the provider's cache; None where the price is
    unknown."""
    if price is None:
        return None
    price = price.for_prompt(prompt_tokens)
    cached = 0.0 if price.cached_input_usd is None else prompt_tokens * cached_share
    prompt = (prompt_tokens - cached) * price.input_usd + cached * (price.cached_input_usd or 0.0)
    return (prompt + output_tokens * price.output_usd + (price.request_usd or 0.0)) / 1e6


def probable_price_usd(
    price: Price | None, estimate: Estimate, *, prompt_tokens: int, most_output_tokens: int | None
) -> float | None:
    """The same by what the model is known for. `most_output_tokens` None: the request sets no bound."""
    return expected_price_usd(
        price,
        prompt_tokens=prompt_tokens,
        output_tokens=expected_output_tokens(estimate, most_output_tokens),
        cached_share=estimate.cached_share,
    )


def expected_output_tokens(estimate: Estimate, most: int | None) -> float:
    """Tokens that the answer will probably have. `most` None: the request sets no bound."""
    return min(estimate.output_tokens, most or math.inf)


def request_cost_usd(price: Price | None, usage: Usage | None) -> float | None:
    """Dollars that an answer cost: the provider's own figure, else usage × price; None where either is unknown.

    Cached, cache-written and audio tokens are part of the input, reasoning and audio tokens of the output; each kind that
    has its own price pays that, and each web search. A long prompt pays the long-context price for everything.
    """
    if usage is None:
        return None
    if usage.cost_usd is not None:
        return usage.cost_usd
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    price = price.for_prompt(usage.input_tokens)
    spent = (
        _spent(
            usage.input_tokens,
            price.input_usd,
            (usage.cached_tokens, price.cached_input_usd),
            (usage.cache_write_tokens, price.cache_write_usd),
            (usage.audio_input_tokens, price.audio_input_usd),
        )
        + _spent(
            usage.output_tokens,
            price.output_usd,
            (usage.reasoning_tokens, price.reasoning_usd),
            (usage.audio_output_tokens, price.audio_output_usd),
        )
        + (price.request_usd or 0.0)
        + (usage.web_searches or 0) * (price.web_search_usd or 0.0)
    )
    return spent / 1e6


def _spent(tokens: int, price_usd: float, *kinds: tuple[int | None, float | None]) -> float:
    """Millionths of a dollar for `tokens`, of which each kind with its own price is a part."""
    own = [(count, own_usd) for count, own_usd in kinds if count and own_usd is not None]
    plain = max(0, tokens - sum(count for count, _ in own))
    return plain * price_usd + sum(count * own_usd for count, own_usd in own)


def reading_s(tokens_per_s: float, output_tokens: float) -> float:
    """Seconds by which the answer's speed holds a reader up: nothing once it is faster than one reads."""
    return max(0.0, output_tokens / tokens_per_s - output_tokens / READING_TOKENS_PER_S)


def score(
    estimate: Estimate,
    *,
    weights: Weights,
    second_is_worth_usd: float,
    quality_is_worth_usd: float,
    price_usd: float | None,
    price_assumed: bool,
    quality: float | None,
    streamed: bool,
    output_tokens: float,
) -> Score:
    """The index of one candidate. `price_usd` is what to reckon with; see the header for an unknown one."""
    p = max(estimate.success, LEAST_SUCCESS)
    quality = NEUTRAL_QUALITY if quality is None else quality
    second_usd = max(second_is_worth_usd, LEAST_SECOND_USD)
    return Score(
        first_token_s=estimate.mean_s,
        reading_s=reading_s(estimate.tokens_per_s, output_tokens) if streamed else 0.0,
        failure_s=(1 - p) / p * estimate.failure_s,
        tail_s=TAIL_AVERSION * max(0.0, estimate.p95_s - estimate.mean_s),
        price_s=weights.price * (price_usd or 0.0) / p / second_usd,
        quality_s=weights.quality * quality * quality_is_worth_usd / second_usd,
        price_usd=price_usd,
        price_assumed=price_assumed,
        quality=quality,
        time_weight=weights.time,
    )
