"""The rate limiter: requests and tokens a minute, and how many at once, over every process on the machine. GCRA, pure.

The generic cell rate algorithm (ITU-T I.371; the form is Brandur Leach's "Rate limiting, cells and GCRA") keeps one number
per limit: the theoretical arrival time `tat` of the next conforming request. A request costs T·cost seconds of it and
conforms while tat runs no more than the burst ahead of now. So in any interval t it grants at most burst + t/T, one row
holds it, and no timer is needed. A clock that went back must not lock anyone out: no writer leaves tat more than the burst
ahead of its own `now`, so one that lies further ahead than that and a tolerance was written before the clock went back, and
counts for nothing.

The bucket of requests holds ten, or a tenth of the minute where that is more, but never more than the minute: vendors' own
hold the whole minute, but some look at seconds too (OpenAI's documentation), and a limit of three a minute means three.

Concurrency is a list of leases with a beginning and an end each, since a holder may be killed and the clock set back. They
are short, and whoever is alive renews its own.
"""

import math
from typing import Any, Final

from llmr.catalog import RateLimit
from llmr.dataclass import dataclass, replace

MINUTE_S: Final = 60.0
BURST_SHARE: Final = 0.1  # of a minute's requests may come at once
BURST_LEAST: Final = 10.0  # or so many, where the minute has them
CLOCK_SKEW_S: Final = 5.0  # routing.md §7, 17
CONCURRENCY_POLL_S: Final = 0.25  # a slot comes free when someone finishes, which no clock knows


@dataclass(frozen=True, slots=True)
class LimiterState:
    """One account. `requests_tat`, `tokens_tat` wall-clock seconds; `leases` are (token, began_at, ends_at) of requests under
    way."""

    requests_tat: float = 0.0
    tokens_tat: float = 0.0
    leases: tuple[tuple[str, float, float], ...] = ()

    def to_row(self) -> list[Any]:
        """JSON values in field order."""
        return [self.requests_tat, self.tokens_tat, [list(lease) for lease in self.leases]]

    @staticmethod
    def from_row(row: Any) -> "LimiterState":
        """The state in `row`; missing or unreadable: nothing used."""
        try:
            requests_tat, tokens_tat, leases = row
            held = tuple((str(token), float(began_at), float(ends_at)) for token, began_at, ends_at in leases)
            state = LimiterState(float(requests_tat), float(tokens_tat), held)
        except (TypeError, ValueError, OverflowError):
            return LimiterState()
        times = (state.requests_tat, state.tokens_tat, *(moment for _, *span in held for moment in span))
        return state if all(map(math.isfinite, times)) else LimiterState()


@dataclass(frozen=True, slots=True)
class Full:
    """No head-room. `retry_at` wall-clock seconds; None: this request never fits."""

    reason: str
    retry_at: float | None


def head_room(state: LimiterState, limit: RateLimit, tokens: int, now: float) -> Full | None:
    """Why a request of `tokens` has to wait, None if it need not. Reads only."""
    if limit.concurrent is not None:
        under_way = len(_alive(state, now))
        if under_way >= limit.concurrent:
            return Full(_no_slot(under_way), now + CONCURRENCY_POLL_S)
    if limit.requests_per_minute is not None:
        burst = _burst_requests(limit.requests_per_minute)
        wait = _wait_s(state.requests_tat, limit.requests_per_minute, burst, 1.0, now)
        if wait > 0:
            return Full(_paced(limit.requests_per_minute, burst), now + wait)
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
        burst = _burst_requests(limit.requests_per_minute)
        tat = _advance(state.requests_tat, limit.requests_per_minute, burst, 1.0, now)
        taken = replace(taken, requests_tat=tat)
    if limit.tokens_per_minute is not None:
        tat = _advance(state.tokens_tat, limit.tokens_per_minute, limit.tokens_per_minute, tokens, now)
        taken = replace(taken, tokens_tat=tat)
    if limit.concurrent is not None:
        taken = replace(taken, leases=(*_alive(state, now), (token, now, now + lease_s)))
    return taken, None


def renew(state: LimiterState, token: str, now: float, *, lease_s: float) -> LimiterState:
    """Hold the slot of `token` for `lease_s` from now on; the state itself where it holds none."""
    if all(lease[0] != token for lease in state.leases):
        return state
    leases = tuple((t, began, now + lease_s if t == token else ends) for t, began, ends in state.leases)
    return replace(state, leases=leases)


def release(
    state: LimiterState, limit: RateLimit, token: str, now: float, *, tokens_over: int = 0, requests_over: int = 0
) -> LimiterState:
    """The request `token` is over. `tokens_over` corrects the estimate by what usage said (negative: it took fewer); what
    exceeds a whole minute's tokens is forgotten, as the provider's own window forgets it. `requests_over` −1: it never left.
    """
    leases = tuple(lease for lease in state.leases if lease[0] != token)
    released = state if leases == state.leases else replace(state, leases=leases)
    if tokens_over and limit.tokens_per_minute is not None:
        ahead_s = _ahead_s(state.tokens_tat, MINUTE_S, now) + tokens_over * MINUTE_S / limit.tokens_per_minute
        released = replace(released, tokens_tat=now + min(max(0.0, ahead_s), MINUTE_S))
    if requests_over and limit.requests_per_minute is not None:
        ahead_s = _ahead_s(state.requests_tat, MINUTE_S, now) + requests_over * MINUTE_S / limit.requests_per_minute
        released = replace(released, requests_tat=now + min(max(0.0, ahead_s), MINUTE_S))
    return released


def _alive(state: LimiterState, now: float) -> tuple[tuple[str, float, float], ...]:
    """Leases that have not run out; one from the future is from before the clock went back."""
    return tuple(lease for lease in state.leases if lease[1] - CLOCK_SKEW_S <= now < lease[2])


def _burst_requests(per_minute: float) -> float:
    return max(1.0, min(per_minute, max(BURST_LEAST, per_minute * BURST_SHARE)))


def _no_slot(under_way: int) -> str:
    if under_way == 1:
        return "1 request under way, a slot is free when it ends"
    return f"{under_way} requests under way, a slot is free when one ends"


def _paced(per_minute: float, burst: float) -> str:
    return f"paced to {per_minute:g} a minute: {int(burst)} at once, then one every {MINUTE_S / per_minute:.3g} s"


def _wait_s(tat: float, per_minute: float, burst: float, cost: float, now: float) -> float:
    """Seconds until a request of `cost` conforms; 0 or less: now."""
    period_s = MINUTE_S / per_minute
    return _ahead_s(tat, burst * period_s, now) + (cost - burst) * period_s


def _advance(tat: float, per_minute: float, burst: float, cost: float, now: float) -> float:
    period_s = MINUTE_S / per_minute
    return now + _ahead_s(tat, burst * period_s, now) + cost * period_s


def _ahead_s(tat: float, burst_s: float, now: float) -> float:
    """How far `tat` runs ahead of now; 0 where it is past, or where only a clock that went back explains it."""
    ahead_s = tat - now
    return ahead_s if 0.0 < ahead_s <= burst_s + CLOCK_SKEW_S else 0.0
