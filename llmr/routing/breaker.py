"""The circuit breaker: one pure state machine, run inside the store's transaction by every process on the machine.

                      fails ≥ threshold · 429 · bad key
        ┌──────────┐ ─────────────────────────────────────▶ ┌────────┐ ◀───────────┐
        │  CLOSED  │                                        │  OPEN  │             │ the probe failed
        └──────────┘ ◀──┐                                   └────────┘             │
                        │ the probe's first content token        │ time is up      │
                        │                                        ▼ (or last resort)│
                        └───────────────────────────────── ┌───────────┐ ──────────┘
                                                           │ HALF_OPEN │ ⟲ lease ran out: the prober died, a new probe
                                                           └───────────┘

Why it is so (shared/design/routing.md §1; every row of its table is a branch below):

- **Epochs are fencing tokens.** Each change of phase takes the next number. A result is believed only if it carries the
  current one, so an answer from before the circuit opened can neither close nor re-open it. The probe's grant is the only
  one that carries the half-open epoch: nobody else can end it.
- **A probe is a lease.** pybreaker, aiobreaker and purgatory let 16 of 16 processes probe at once; interlock lost its slot
  for ever when the prober died. Here the slot is one row with a time on it.
- **429 is not illness.** It opens the circuit for as long as the server says, without counting as a trip.
- **What depends on the request never counts**: 400, content filter, a user's Ctrl-C.
- **A clock may jump.** A time that lies before the opening (less a tolerance) ends the wait: at worst one extra probe.

Times are wall-clock seconds, because they are compared between processes; `now` is read after the store's lock is held.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, assert_never

from llmr.dataclass import dataclass, replace
from llmr.routing.circuit import BreakerState, Cause, Forced, Grant, Outcome, Phase, Refusal, Verdict
from llmr.routing.policy import BreakerPolicy

HELD: Final = "held open by hand"  # the one refusal that only a person ends
OUT_OF_SERVICE: Final = (
    "out of service"  # what a person has to mend at the provider's: the key, the purse, the model's name
)
PROBING: Final = "another process is probing it"
MAX_DOUBLINGS: Final = 16  # 2^16 base periods exceed any sane cap; keeps the power finite

_REASONS: Final[Mapping[Cause | None, str]] = MappingProxyType(
    {
        Cause.ERROR: "circuit open after repeated failures",
        Cause.RATE: "rate-limited",
        Cause.HARD: OUT_OF_SERVICE,
        None: OUT_OF_SERVICE,
    }
)

Admission = Grant | Refusal


def admit(
    state: BreakerState, now: float, policy: BreakerPolicy, *, lease_s: float, last_resort: bool = False
) -> tuple[BreakerState, Admission]:
    """Ask to try. A refusal, and a grant by a closed circuit, return `state` itself: nothing is to be written.

    `lease_s` bounds the probe if this turns out to be one. `last_resort` says that no candidate is closed.
    """
    match state.forced:
        case Forced.OPEN:
            return state, Refusal(HELD)
        case Forced.CLOSED:
            return state, Grant(state.epoch)
        case None:
            pass
    match state.phase:
        case Phase.CLOSED:
            return state, Grant(state.epoch)
        case Phase.OPEN:
            if _may_probe(state, now, policy, last_resort=last_resort):
                return _probe(state, now, lease_s)
            return state, _refused_open(state, policy)
        case Phase.HALF_OPEN:
            if now < state.lease_from - policy.clock_skew_s or now >= state.lease_until:
                died = state.lease_until > 0.0
                return _probe(replace(state, lost=state.lost + died), now, lease_s)
            look_again_at = min(state.lease_until, now + policy.probe_poll_s)
            return state, Refusal(PROBING, retry_at=look_again_at, why=state.why, probed=True)
        case _:
            assert_never(state.phase)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Several circuits do not all grant. `place` is that of the one which refuses longest; `refusal` is its answer, with an
    early probe only where every circuit that refuses allows one."""

    place: int
    refusal: Refusal


def admit_all(
    states: Sequence[BreakerState],
    now: float,
    policy: BreakerPolicy,
    *,
    lease_s: float,
    last_resort: bool = False,
) -> tuple[tuple[BreakerState, Grant], ...] | Blocked:
    """Ask several circuits at once: every one grants, or nothing changes. In the order of `states`, the new state and grant.

    Where a person holds one of them closed, the others are passed as they are: "ask it whatever happens" means that.
    """
    held_closed = any(state.forced is Forced.CLOSED for state in states)
    granted: list[tuple[BreakerState, Grant]] = []
    refused: list[tuple[int, Refusal]] = []
    for place, state in enumerate(states):
        if held_closed and state.forced is not Forced.OPEN:
            granted.append((state, Grant(state.epoch)))
            continue
        after, admission = admit(state, now, policy, lease_s=lease_s, last_resort=last_resort)
        if isinstance(admission, Refusal):
            refused.append((place, admission))
        else:
            granted.append((after, admission))
    return _blocked(refused) if refused else tuple(granted)


def _blocked(refused: Sequence[tuple[int, Refusal]]) -> Blocked:
    place, longest = max(refused, key=lambda pair: math.inf if pair[1].retry_at is None else pair[1].retry_at)
    early = [refusal.early_at for _, refusal in refused if refusal.early_at is not None]
    return Blocked(place, replace(longest, early_at=max(early) if len(early) == len(refused) else None))


def report(state: BreakerState, grant: Grant, verdict: Verdict, now: float, policy: BreakerPolicy) -> BreakerState:
    """Take the result of an attempt. Equal state back: nothing is to be written."""
    if grant.epoch != state.epoch:
        return _stale(state, verdict, now, policy)
    match state.phase:
        case Phase.CLOSED:
            return _report_closed(state, verdict, now, policy)
        case Phase.HALF_OPEN:
            return _report_probe(state, verdict, now, policy) if grant.probe else state
        case Phase.OPEN:
            return state  # an open epoch is only granted where a person holds a circuit closed; that proves nothing
        case _:
            assert_never(state.phase)


def force(state: BreakerState, forced: Forced | None) -> BreakerState:
    """Hold the circuit open or closed by hand, or (None) let it judge again. Answers in flight become stale."""
    return replace(state, forced=forced, epoch=state.epoch + 1)


def reset(state: BreakerState) -> BreakerState:
    """Forget everything but the epoch, which goes on so that answers in flight are stale."""
    return BreakerState(epoch=state.epoch + 1)


def remaining_s(state: BreakerState, now: float) -> float | None:
    """Seconds until the circuit may be probed, for people; None when that is not a matter of time."""
    if state.forced is not None or state.phase is Phase.CLOSED:
        return None
    return max(0.0, (state.open_until if state.phase is Phase.OPEN else state.lease_until) - now)


def _may_probe(state: BreakerState, now: float, policy: BreakerPolicy, *, last_resort: bool) -> bool:
    if now >= min(state.open_until, state.opened_at + _longest_open_s(policy)):
        return True
    if now < state.opened_at - policy.clock_skew_s:
        return True  # the clock went back: what is stored no longer bounds anything
    early_at = _early_at(state, policy)
    return last_resort and early_at is not None and now >= early_at


def _longest_open_s(policy: BreakerPolicy) -> float:
    """No honest opening is longer, so a longer one on disk is damage and counts as expired (trust.md §5)."""
    return max(
        policy.cooldown_cap_s * (1 + policy.jitter), policy.rate_backoff_cap_s, policy.retry_after_cap_s, policy.hard_s
    )


def _probe(state: BreakerState, now: float, lease_s: float) -> tuple[BreakerState, Grant]:
    epoch = state.epoch + 1
    probing = replace(state, phase=Phase.HALF_OPEN, epoch=epoch, lease_from=now, lease_until=now + lease_s)
    return probing, Grant(epoch, probe=True)


def _refused_open(state: BreakerState, policy: BreakerPolicy) -> Refusal:
    until = min(state.open_until, state.opened_at + _longest_open_s(policy))
    return Refusal(_REASONS[state.cause], until, _early_at(state, policy), state.why)


def _early_at(state: BreakerState, policy: BreakerPolicy) -> float | None:
    """Wall-clock seconds from which an early probe may be sent; None: what opened it does not heal before its time."""
    return state.opened_at + policy.early_probe_s if state.cause in policy.early_causes else None


def _stale(state: BreakerState, verdict: Verdict, now: float, policy: BreakerPolicy) -> BreakerState:
    """A result from an earlier era changes nothing, but for a 429 that knows of a longer wait."""
    if state.phase is not Phase.OPEN or verdict.outcome is not Outcome.RATE or verdict.retry_after_s is None:
        return state
    until = min(now + max(0.0, verdict.retry_after_s), state.opened_at + policy.retry_after_cap_s)
    return replace(state, open_until=until, cause=Cause.RATE, why=verdict.why) if until > state.open_until else state


def _report_closed(state: BreakerState, verdict: Verdict, now: float, policy: BreakerPolicy) -> BreakerState:
    match verdict.outcome:
        case Outcome.OK:
            trips = 0 if abs(now - state.closed_at) >= policy.stable_s else state.trips
            if (state.fails, state.rate_hits, state.trips) == (0, 0, trips):
                return state  # nearly always
            return replace(state, fails=0, rate_hits=0, trips=trips)
        case Outcome.ERROR:
            failed = replace(state, fails=state.fails + 1)
            return failed if failed.fails < policy.failure_threshold else _trip(failed, verdict, now, policy)
        case Outcome.RATE:
            return _open_for_rate(state, verdict, now, policy)
        case Outcome.HARD:
            return _open(state, Cause.HARD, now, now + policy.hard_s, verdict.why)
        case Outcome.NEUTRAL:
            return state


def _report_probe(state: BreakerState, verdict: Verdict, now: float, policy: BreakerPolicy) -> BreakerState:
    match verdict.outcome:
        case Outcome.OK:
            return replace(
                state, phase=Phase.CLOSED, epoch=state.epoch + 1, fails=0, rate_hits=0, cause=None, closed_at=now,
                lease_from=0.0, lease_until=0.0, lost=0,
            )  # fmt: skip
        case Outcome.ERROR:
            was_early = state.lease_from < state.open_until
            return _trip(state, verdict, now, policy, doubling=not was_early)
        case Outcome.RATE:
            return _open_for_rate(state, verdict, now, policy)
        case Outcome.HARD:
            again = replace(state, trips=state.trips + 1)
            return _open(again, Cause.HARD, now, now + policy.hard_s, verdict.why)
        case Outcome.NEUTRAL:
            return replace(state, lease_from=0.0, lease_until=0.0)  # the slot is free; no verdict


def _trip(
    state: BreakerState, verdict: Verdict, now: float, policy: BreakerPolicy, *, doubling: bool = True
) -> BreakerState:
    """Open after an error. A probe sent before its time proves nothing about how long to wait: it does not double it, or
    one person's retries, with nobody else to ask, would bench a provider for minutes (found by hand, not in routing.md)."""
    trips = state.trips + doubling
    base_s = min(policy.cooldown_s * 2 ** min(max(trips, 1) - 1, MAX_DOUBLINGS), policy.cooldown_cap_s)
    wait_s = max(base_s * (1 + policy.jitter * verdict.jitter), _clamped(verdict.retry_after_s, policy) or 0.0)
    return _open(replace(state, trips=trips), Cause.ERROR, now, now + wait_s, verdict.why)


def _open_for_rate(state: BreakerState, verdict: Verdict, now: float, policy: BreakerPolicy) -> BreakerState:
    told_s = _clamped(verdict.retry_after_s, policy)
    if told_s is not None:
        return _open(replace(state, rate_hits=0), Cause.RATE, now, now + told_s, verdict.why)
    wait_s = min(policy.rate_backoff_s * 2 ** min(state.rate_hits, MAX_DOUBLINGS), policy.rate_backoff_cap_s)
    return _open(replace(state, rate_hits=state.rate_hits + 1), Cause.RATE, now, now + wait_s, verdict.why)


def _open(state: BreakerState, cause: Cause, now: float, until: float, why: str) -> BreakerState:
    return replace(
        state, phase=Phase.OPEN, epoch=state.epoch + 1, cause=cause, why=why, opened_at=now, open_until=until,
        lease_from=0.0, lease_until=0.0,
    )  # fmt: skip


def _clamped(retry_after_s: float | None, policy: BreakerPolicy) -> float | None:
    return None if retry_after_s is None else min(max(0.0, retry_after_s), policy.retry_after_cap_s)
