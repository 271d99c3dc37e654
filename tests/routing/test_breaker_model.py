"""A breadth-first walk through *every* state that a small breaker and three processes can reach.

    world = one circuit × three processes × clock jumps still to come

A process is idle, or holds a grant: an ordinary one or the probe's, with what is left of its lease by its own monotonic
clock. One that dies is replaced by a new one, so an idle process is also a dead one's successor. Events: ask (with and
without last resort), report (ok, error, 429 with and without Retry-After, hard, neutral), first token, die, a second passes,
the wall clock jumps forward or back. Time is whole seconds; the policy is small enough for the space to be finite.

The walk is exact: worlds are merged only when they cannot be told apart. Epochs count relative to the circuit's (a stale
grant is stale, however old), moments relative to now, and what lies further back than any jump still to come can reach is
cut. What is left is checked against the invariants 1–10 and 13 of shared/design/routing.md §7 at every step.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from llmr.routing import breaker
from llmr.routing.circuit import BreakerState, Cause, Grant, Outcome, Phase, Verdict
from llmr.routing.policy import BreakerPolicy

NOW: Final = 1_000.0  # every world is shifted so that it is now NOW
EPOCH: Final = 1_000
LEASE_S: Final = 2
JUMP_S: Final = 3  # more than skew and lease
JUMPS: Final = 2
PROCESSES: Final = 3
POLICY: Final = BreakerPolicy(
    failure_threshold=2, cooldown_s=1, cooldown_cap_s=2, jitter=0.0, stable_s=2, lease_s=LEASE_S,
    rate_backoff_s=1, rate_backoff_cap_s=2, retry_after_cap_s=3, hard_s=3, early_probe_s=1, clock_skew_s=1,
)  # fmt: skip
LONGEST_S: Final = 3  # the longest opening, and longer than the lease
SATURATED: Final = 2  # trips and 429s: from here on the wait no longer grows

VERDICTS: Final = (
    *(Verdict(outcome) for outcome in Outcome),
    Verdict(Outcome.RATE, retry_after_s=1),
    Verdict(Outcome.RATE, retry_after_s=1e9),
)


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """A process with a grant. `lease_left_s` counts by its own clock; 0 for an ordinary grant, or once it has run out."""

    current: bool
    probe: bool
    lease_left_s: int


@dataclass(frozen=True, slots=True)
class World:
    """`holders` sorted: which process is which does not matter; the others are idle."""

    state: BreakerState
    holders: tuple[Holder, ...] = ()
    jumps_left: int = JUMPS


def grant_of(holder: Holder) -> Grant:
    return Grant(EPOCH if holder.current else EPOCH - 1, holder.probe)


def held(world: World, state: BreakerState, holders: list[Holder]) -> World:
    """The next world, normalised."""
    if state.epoch != EPOCH:
        holders = [replace(holder, current=False) for holder in holders]
    oldest = NOW - LONGEST_S - JUMP_S * world.jumps_left - 2
    return World(
        replace(
            state,
            epoch=EPOCH,
            trips=min(state.trips, SATURATED),
            rate_hits=min(state.rate_hits, SATURATED),
            lost=0,
            opened_at=_cut(state.opened_at, oldest) if state.phase is Phase.OPEN else 0.0,
            open_until=_cut(state.open_until, oldest) if state.phase is Phase.OPEN else 0.0,
            cause=state.cause if state.phase is Phase.OPEN else None,
            closed_at=_cut(state.closed_at, oldest) if state.trips and state.phase is Phase.CLOSED else 0.0,
            lease_from=_cut(state.lease_from, oldest),
            lease_until=_cut(state.lease_until, oldest),
        ),
        tuple(sorted(_same_when_stale(holder) for holder in holders)),
        world.jumps_left,
    )


def _cut(moment: float, oldest: float) -> float:
    return moment and max(moment, oldest)


def _same_when_stale(holder: Holder) -> Holder:
    """A stale grant is an ordinary one once its lease has run out: it only ever is ignored."""
    return Holder(current=False, probe=False, lease_left_s=0) if _forgotten(holder) else holder


def _forgotten(holder: Holder) -> bool:
    return not holder.current and not holder.lease_left_s


def later(world: World, seconds: int, *, jump: bool) -> World:
    """The wall clock moves; the processes' own clocks only if it is no jump."""
    state = world.state
    moved = replace(
        state,
        **{
            name: moment - seconds
            for name in ("opened_at", "open_until", "closed_at", "lease_from", "lease_until")
            if (moment := getattr(state, name))
        },
    )
    left = [h if jump else replace(h, lease_left_s=max(0, h.lease_left_s - seconds)) for h in world.holders]
    return held(replace(world, jumps_left=world.jumps_left - jump), moved, left)


def successors(world: World) -> Iterator[World]:
    yield later(world, 1, jump=False)
    if world.jumps_left:
        yield later(world, JUMP_S, jump=True)
        yield later(world, -JUMP_S, jump=True)
    if len(world.holders) < PROCESSES:
        for last_resort in (False, True):
            yield from asked(world, last_resort=last_resort)
    for place, holder in enumerate(world.holders):
        if place and world.holders[place - 1] == holder:
            continue  # its twin was just looked at
        others = [*world.holders[:place], *world.holders[place + 1 :]]
        yield held(world, world.state, others)  # it dies
        yield from reported(world, holder, others)


def asked(world: World, *, last_resort: bool) -> Iterator[World]:
    before = world.state
    after, answer = breaker.admit(before, NOW, POLICY, lease_s=LEASE_S, last_resort=last_resort)
    if not isinstance(answer, Grant):
        assert after is before, "9: a refusal writes"
        assert answer.retry_at is not None
        assert answer.retry_at > NOW, "a refusal names a moment to come"
        return
    if answer.probe:
        assert after.phase is Phase.HALF_OPEN
        assert after.epoch == before.epoch + 1, "6"
        assert (after.lease_from, after.lease_until) == (NOW, NOW + LEASE_S)
        early = last_resort and before.cause is Cause.ERROR and before.opened_at + POLICY.early_probe_s <= NOW
        back = max(before.opened_at, before.lease_from) - POLICY.clock_skew_s > NOW
        assert max(before.open_until, before.lease_until) <= NOW or early or back, "a probe goes out before its time"
    else:
        assert before.phase is Phase.CLOSED, "only a closed circuit admits freely"
        assert after is before
    holders = list(world.holders)
    if after.epoch != before.epoch:
        holders = [replace(holder, current=False) for holder in holders]
    fresh = Holder(current=True, probe=answer.probe, lease_left_s=LEASE_S if answer.probe else 0)
    following = held(world, replace(after, epoch=EPOCH), [*holders, fresh])
    probes = sum(holder.lease_left_s > 0 for holder in following.holders)
    assert probes <= 1 + JUMPS - world.jumps_left, "1, 13: a probe too many"
    yield following


def reported(world: World, holder: Holder, others: list[Holder]) -> Iterator[World]:
    before, grant = world.state, grant_of(holder)
    for verdict in VERDICTS:
        after = breaker.report(before, grant, verdict, NOW, POLICY)
        check_report(before, holder, verdict, after)
        if after is not before:  # else it is as if the process had died
            yield held(world, after, others)
        if verdict.outcome is Outcome.OK and holder.probe and after.phase is Phase.CLOSED:
            staled = [replace(other, current=False) for other in others]
            goes_on = Holder(current=True, probe=False, lease_left_s=0)  # the first token: the answer is still to come
            yield held(world, replace(after, epoch=EPOCH), [*staled, goes_on])


def check_report(before: BreakerState, holder: Holder, verdict: Verdict, after: BreakerState) -> None:
    assert after.epoch - before.epoch == (after.phase is not before.phase), "6: an epoch for each change of phase"
    if not holder.current:
        longer = before.phase is Phase.OPEN and verdict.retry_after_s is not None
        assert replace(after, open_until=before.open_until, cause=before.cause) == before, "3: a stale result counts"
        assert after == before or longer, "3"
    if before.phase is Phase.HALF_OPEN and after.phase is Phase.CLOSED:
        assert holder.current, "2: closed by a stranger"
        assert holder.probe, "2: closed by a stranger"
        assert verdict.outcome is Outcome.OK, "2"
    if before.phase is Phase.OPEN:
        assert after.phase is Phase.OPEN, "a result ends an opening"
        assert after.open_until >= before.open_until, "4: an opening shrinks"
    if after.phase is Phase.OPEN:
        assert after.open_until <= after.opened_at + LONGEST_S, "5: an opening without bound"
    if verdict.outcome is Outcome.NEUTRAL:
        freed = holder.current and holder.probe and before.phase is Phase.HALF_OPEN
        assert after == (replace(before, lease_from=0.0, lease_until=0.0) if freed else before), "10"
    if holder.current and verdict.outcome is Outcome.OK and after.phase is Phase.CLOSED:
        assert after.fails == 0, "11: a success ends the run"
    if before.phase is Phase.CLOSED and holder.current and verdict.outcome is Outcome.ERROR:
        assert after.fails == before.fails + 1, "11"
        assert (after.phase is Phase.OPEN) == (after.fails == POLICY.failure_threshold)


def check_world(world: World) -> None:
    """7, 8: with every process dead, one that asks each second is admitted in time, and can close the circuit."""
    for second in range(LONGEST_S + int(POLICY.clock_skew_s) + 1):
        now = NOW + second
        state, answer = breaker.admit(world.state, now, POLICY, lease_s=LEASE_S)
        if isinstance(answer, Grant):
            closed = breaker.report(state, answer, Verdict(Outcome.OK), now, POLICY)
            assert closed.phase is Phase.CLOSED, "8: it cannot be closed"
            return
    raise AssertionError("7: nobody is ever admitted again")


def walk() -> dict[Phase, int]:
    """Visits every reachable world; how many there are of each phase."""
    first = held(World(BreakerState()), BreakerState(epoch=EPOCH), [])
    seen, ahead = {first}, deque([first])
    count = dict.fromkeys(Phase, 0)
    while ahead:
        world = ahead.popleft()
        count[world.state.phase] += 1
        check_world(world)
        for following in successors(world):
            if following not in seen:
                seen.add(following)
                ahead.append(following)
    return count


def test_no_reachable_state_breaks_an_invariant() -> None:
    count = walk()
    print(f"\nmodel checker: {sum(count.values()):,} states, {count}")
    assert all(count.values()), "a phase that is never reached is not checked"
