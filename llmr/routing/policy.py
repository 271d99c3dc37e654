"""The settings that routing obeys, as values. Defaults are shared/design/routing.md §1 and §4, all tunable in routing.toml.

Durations are seconds. The pure parts take one of these and never read a setting from anywhere else.
"""

from dataclasses import field
from enum import StrEnum

from llmr.catalog import SpendLimits, Strategy, Timeouts
from llmr.dataclass import dataclass, replace
from llmr.routing.circuit import Cause


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a circuit opens, and for how long.

    The n-th trip in a row stays open for min(cooldown_s · 2ⁿ⁻¹, cooldown_cap_s), ± `jitter` of it. A probe holds a lease of
    `lease_s`; a prober that dies costs that long and no more.
    """

    failure_threshold: int = 5
    cooldown_s: float = 30.0
    # routing.md §1 has 120 s, ± 10 % of which is two minutes gone before anybody looks; goal G6 wants traffic back within two
    # minutes of an outage's end. Seeds 200–399, of 200 outages later than that: 20 with 75 s, 10 with 60 s; the price is one
    # or two extra requests in 1,000.
    cooldown_cap_s: float = 60.0
    jitter: float = 0.1
    stable_s: float = 300.0  # closed for so long, earlier trips are forgotten
    lease_s: float = 45.0
    rate_backoff_s: float = 5.0  # a 429 without Retry-After: rate_backoff_s · 2^k, at most rate_backoff_cap_s
    rate_backoff_cap_s: float = 60.0
    retry_after_cap_s: float = 900.0
    hard_s: float = 900.0  # bad key, no money, no such model: none of these heals in seconds
    early_probe_s: float = 2.0  # with nobody else left, an open circuit may be probed after this
    probe_poll_s: float = 1.0  # while another process probes, look again so often: its verdict may come at any moment
    clock_skew_s: float = 5.0  # a clock that went back by more is recognised as such
    early_causes: frozenset[Cause] = frozenset(
        {Cause.ERROR}
    )  # what may heal before its time; a person may know of more

    @property
    def asked_by_hand(self) -> "BreakerPolicy":
        """The same for somebody who asks about a provider by name, and may have mended its key or its purse just now: any
        open circuit lets an early probe through, at once. There is still one at a time, and its verdict is as good as any.
        """
        return replace(self, early_probe_s=0.0, early_causes=frozenset(Cause))


class OnBreak(StrEnum):
    """What to do when a stream breaks after text was shown."""

    FAIL = "fail"
    RESTART = "restart"
    CONTINUE = "continue"
    BUFFER = "buffer"


class OnRejection(StrEnum):
    """What to do when a provider rejects the request itself: the next one probably would too."""

    STOP = "stop"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class FallbackPolicy:
    """How hard to try. `max_attempts` bounds the whole request, retries included. `content_filter` and `bad_request` say
    whether somebody else is asked after a failure of that kind."""

    max_candidates: int = 4
    retries_per_candidate: int = 1
    max_attempts: int = 6
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 8.0
    max_wait_s: float = 10.0  # never wait longer inside a request, nor longer than half of what is left of it
    on_break: OnBreak = OnBreak.FAIL
    content_filter: OnRejection = OnRejection.STOP
    bad_request: OnRejection = OnRejection.STOP


@dataclass(frozen=True, slots=True)
class HedgingPolicy:
    """Whether a second candidate is asked while the first is slow: for every request, unless a name, a rule or the user says
    otherwise."""

    enabled: bool = False


@dataclass(frozen=True, slots=True)
class SemanticPolicy:
    """Whether an answer to *nearly* the same prompt will do. `model` makes the vectors; `threshold` is the least cosine."""

    enabled: bool = False
    model: str = "openai/text-embedding-3-small"
    threshold: float = 0.97  # "safe" ~ "unsafe" is .980: alone it is not enough, see cache/agreement.py


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """The answer cache. `enabled`: for every request that `llmr serve` gets, unless a rule or the request says otherwise."""

    enabled: bool = False
    ttl_s: float = 86_400.0
    max_mb: float = 256.0
    semantic: SemanticPolicy = field(default_factory=SemanticPolicy)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything routing obeys. `exploration` is the share of requests ranked by a draw from what is still possible."""

    strategy: Strategy = Strategy.BALANCED
    second_is_worth_usd: float = 0.002
    quality_is_worth_usd: float = 0.002  # what quality 1 over quality 0 is worth, per request
    exploration: float = 0.1
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    fallback: FallbackPolicy = field(default_factory=FallbackPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    hedging: HedgingPolicy = field(default_factory=HedgingPolicy)
    spend: SpendLimits = field(default_factory=SpendLimits)  # over all providers
    cache: CachePolicy = field(default_factory=CachePolicy)
