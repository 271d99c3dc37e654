"""The rate limiter: requests and tokens a minute, and how many at once, over every process on the machine. GCRA, pure.

The generic cell rate algorithm (ITU-T I.371; the form is Brandur Leach's "Rate limiting, cells and GCRA") keeps one number
per limit: the theoretical arrival time `tat` of the next conforming request. A request costs T·cost seconds of it and
conforms while tat runs no more than the burst ahead of now. So in any interval t it grants at most burst + t/T, one row
holds it, and no timer is needed. A clock that went back must not lock anyone out: tat never counts for more than the burst
ahead of `now`.

Concurrency is a list of leases with an end each, since a holder may be killed.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from llmr.catalog import RateLimit

MINUTE_S: Final = 60.0
BURST_SHARE: Final = (
    0.1  # of a minute's requests may come at once: vendors enforce sub-minute windows too (OpenAI docs)
)

CONCURRENCY_POLL_S: Final = 0.25  # a slot comes free when someone finishes, which no clock knows


@dataclass(frozen=True, slots=True)
class LimiterState:
    """One account. `requests_tat`, `tokens_tat` wall-clock seconds; `leases` are (token, ends_at) of requests under way."""

    requests_tat: float = 0.0
    tokens_tat: float = 0.0
    leases: tuple[tuple[str, float], ...] = ()

    def to_row(self) -> list[Any]:
        """JSON values in field order."""
        return [self.requests_tat, self.tokens_tat, [list(lease) for lease in self.leases]]

    @staticmethod
    def from_row(row: Any) -> "LimiterState":
        """The state in `row`; missing or unreadable: nothing used."""
        try:
            requests_tat, tokens_tat, leases = row
            held = tuple((str(token), float(ends_at)) for token, ends_at in leases)
            return LimiterState(float(requests_tat), float(tokens_tat), held)
        except (TypeError, ValueError):
            return LimiterState()


@dataclass(frozen=True, slots=True)
class Full:
    """No head-room. `retry_at` wall-clock seconds; None: this request never fits."""

    reason: str
    retry_at: float | None


def head_room(state: LimiterState, limit: RateLimit, tokens: int, now: float) -> Full | None:
    """Why a request of `tokens` has to wait, None if it need not. Reads only."""
    if limit.concurrent is not None:
        under_way = sum(ends_at > now for _, ends_at in state.leases)
        if under_way >= limit.concurrent:
            return Full(f"{under_way} requests already under way", now + CONCURRENCY_POLL_S)
    if limit.requests_per_minute is not None:
        burst = max(1.0, limit.requests_per_minute * BURST_SHARE)
        wait = _wait_s(state.requests_tat, limit.requests_per_minute, burst, 1.0, now)
        if wait > 0:
            return Full(f"{limit.requests_per_minute:g} requests a minute used up", now + wait)
    if limit.tokens_per_minute is not None:
        if tokens > limit.tokens_per_minute:
            return Full(f"~{tokens:,} tokens never fit {limit.tokens_per_minute:,.0f} tokens a minute", None)
        wait = _wait_s(state.tokens_tat, limit.tokens_per_minute, limit.tokens_per_minute, tokens, now)
        if wait > 0:
            return Full(f"{limit.tokens_per_minute:,.0f} tokens a minute used up", now + wait)
    return None


def take(
    state: LimiterState, limit: RateLimit, tokens: int, now: float, *, token: str, lease_s: float
) -> tuple[LimiterState, Full | None]:
    """Use up head-room for one request of `tokens`, or say why not; a refusal returns `state` itself."""
    full = head_room(state, limit, tokens, now)
    if full is not None:
        return state, full
    taken = state
    if limit.requests_per_minute is not None:
        burst = max(1.0, limit.requests_per_minute * BURST_SHARE)
        tat = _advance(state.requests_tat, limit.requests_per_minute, burst, 1.0, now)
        taken = replace(taken, requests_tat=tat)
    if limit.tokens_per_minute is not None:
        tat = _advance(state.tokens_tat, limit.tokens_per_minute, limit.tokens_per_minute, tokens, now)
        taken = replace(taken, tokens_tat=tat)
    if limit.concurrent is not None:
        alive = tuple(lease for lease in state.leases if lease[1] > now)
        taken = replace(taken, leases=(*alive, (token, now + lease_s)))
    return taken, None


def release(state: LimiterState, limit: RateLimit, token: str, *, tokens_over: int = 0) -> LimiterState:
    """The request `token` is over. `tokens_over` corrects the estimate by what usage said (negative: it took fewer)."""
    leases = tuple(lease for lease in state.leases if lease[0] != token)
    released = state if leases == state.leases else replace(state, leases=leases)
    if tokens_over and limit.tokens_per_minute is not None:
        shift = tokens_over * MINUTE_S / limit.tokens_per_minute
        released = replace(released, tokens_tat=released.tokens_tat + shift)
    return released


def _wait_s(tat: float, per_minute: float, burst: float, cost: float, now: float) -> float:
    """Seconds until a request of `cost` conforms; 0 or less: now."""
    period_s = MINUTE_S / per_minute
    ahead_s = max(0.0, min(tat - now, burst * period_s))
    return ahead_s + (cost - burst) * period_s


def _advance(tat: float, per_minute: float, burst: float, cost: float, now: float) -> float:
    period_s = MINUTE_S / per_minute
    return now + max(0.0, min(tat - now, burst * period_s)) + cost * period_s
