"""The fallback handler: what to do next, as a value. The loop in router/loop.py obeys it.

    Selection ─┐                       ┌─▶ Try(candidate)      ask it now
    failures ──┼─▶ next_action(…) ─────┼─▶ Wait(seconds)       nobody can be asked yet, and waiting is worth it
    clock ─────┘                       └─▶ GiveUp(why)         keeps every failure

In this order (shared/design/routing.md §4): someone who has not been tried, at once, for back-off protects only the one that
failed; then a retry of one that may be retried, after full jitter; then, with every circuit open, the earliest moment at
which one may be asked or probed; then the end. A wait is never longer than `max_wait_s`, nor than half of what is left of
the request; nor are all waits for told Retry-Afters together, for who says 7 s twice has said 14. Nobody is waited for whom
the retry budget would refuse afterwards. Nothing is tried after the deadline, and at most `max_attempts` times in all.

With every circuit open, the last one to fail speaks for all: an early probe is sent once *nobody* has failed for
`early_probe_s`, and to who was left alone longest. Were each circuit probed at its own pace, six providers that are down
together would take three probes a second, and everyone who waits would have used up their attempts within ten seconds (a
blackout of 45 s in 1,800 s, seeds 1–6: 97.9 % of the requests were answered; so it is 99.0 %). Those who have used up most
wait longest: a request pauses 2, 4, 8 s between its own early probes, and looks each second whether somebody else's got
through.

Two clocks come in: `now`, wall-clock seconds, for what other processes wrote down; `elapsed_s`, monotonic seconds since the
request began, for everything about this request.
"""

import math
from collections.abc import Collection
from dataclasses import field
from random import Random
from typing import Final

from llmr.catalog import Model, Timeouts
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, Failure, ProviderError
from llmr.routing.action import Action, Awaited, Ending, GiveUp, Try, Wait
from llmr.routing.breaker import PROBING
from llmr.routing.disposition import Disposition, Onward, disposition, onward
from llmr.routing.fate import strikes_its_domain
from llmr.routing.hedging import partner
from llmr.routing.moments import first_moment, longest_silent, moment, moment_of_retry
from llmr.routing.policy import FallbackPolicy
from llmr.routing.rules import Candidate
from llmr.routing.selection import Barrier, Ranked, Selection

_LOOK_AGAIN_S: Final = 1.0  # while others probe: their verdict may come at any moment
NOBODY_BACK: Final = "until somebody is back: everybody is left alone for a while"
_SHORTEST_WAIT_S: Final = 0.02  # so that a refusal that names this very moment cannot spin


@dataclass(slots=True)
class _Tried:
    """One candidate in this request."""

    attempts: int = 0
    retries_left: int = 0
    not_before_s: float = 0.0  # elapsed seconds
    told: bool = False  # by itself, with its last failure


@dataclass(slots=True)
class FallbackHandler:
    """One request's way through its candidates. `selection` is the newest ranking: replace it after each failure, by one
    made with `failed=struck.values()`. `may_retry`: the budget covers asking one again; keep it as new as the ranking."""

    selection: Selection
    policy: FallbackPolicy
    timeouts: Timeouts
    chance: Random
    may_retry: bool = True
    failures: list[Failure] = field(default_factory=list[Failure])
    struck: dict[str, Model] = field(default_factory=dict[str, Model])  # by key: whose failure domain is in doubt
    _tried: dict[str, _Tried] = field(default_factory=dict[str, _Tried])
    _attempts: int = 0
    _fatal: bool = False
    _may_probe_s: float = 0.0  # elapsed seconds from which this request may send its next early probe
    _told_s: float = 0.0  # waited so far because a provider said so
    _told_since_s: float | None = None  # elapsed seconds at which such a wait began
    _least_window_tokens: int | None = None
    _refused: dict[str, Failure] = field(default_factory=dict[str, Failure])  # the last refusal of each
    _barred_until_s: dict[str, float] = field(default_factory=dict[str, float])  # elapsed seconds, inf: for good

    def next_action(self, now: float, elapsed_s: float) -> Action:
        """What to do at this moment."""
        if self._told_since_s is not None:
            self._told_s += elapsed_s - self._told_since_s
            self._told_since_s = None
        if self._fatal:
            return self._give_up(Ending.FATAL)
        if elapsed_s >= self.timeouts.deadline_s:
            return self._give_up(Ending.DEADLINE)
        if self._attempts >= self.policy.max_attempts:
            return self._give_up(Ending.ATTEMPTS)
        fresh = self._fresh(elapsed_s)
        if fresh:
            alone = (
                len(fresh) == 1 and not self._retryable(elapsed_s) and not self._somebody_is_back_soon(now, elapsed_s)
            )
            return Try(fresh[0], alone=self._is_last() or alone)
        return self._again(elapsed_s) or self._later(now, elapsed_s) or self._give_up(self._ending(elapsed_s))

    def give_up(self, ending: Ending) -> GiveUp:
        """The end, whatever else could be done: whoever drives the request has a reason of its own."""
        return self._give_up(ending)

    def failed(self, candidate: Candidate, error: ProviderError, elapsed_s: float) -> None:
        """An attempt failed before anything was shown. `error` decides who may be asked now."""
        row = disposition(error.kind)
        if strikes_its_domain(error.kind):
            self.struck[candidate.key] = candidate.model
        self.failures.append(Failure(candidate.key, error.message, error.kind, error))
        self._attempts += 1
        tried = self._tried.setdefault(candidate.key, _Tried(retries_left=self._retries(row, error)))
        tried.attempts += 1
        if tried.attempts > 1:
            tried.retries_left = min(tried.retries_left, self._retries(row, error)) - 1
        backoff_s = min(self.policy.backoff_cap_s, self.policy.backoff_base_s * 2.0 ** (tried.attempts - 1))
        self._may_probe_s = elapsed_s + min(
            self.policy.backoff_cap_s, self.policy.backoff_base_s * 2.0 ** (self._attempts + 1)
        )
        told_s = error.retry_after_s or 0.0
        tried.not_before_s = elapsed_s + max(self.chance.uniform(0.0, backoff_s), told_s)
        tried.told = told_s > 0.0
        match onward(error.kind, self.policy):
            case Onward.ANYONE:
                pass
            case Onward.LARGER_WINDOW:
                window = candidate.model.capabilities.context_window_tokens or self.selection.prompt_tokens
                self._least_window_tokens = max(window, self._least_window_tokens or 0)
            case Onward.NOBODY:
                self._fatal = True

    def outpaced(self) -> None:
        """An attempt was given up because the one beside it spoke first: it counts, and is held against nobody."""
        self._attempts += 1

    def refused(
        self,
        candidate: Candidate,
        retry_at: float | None,
        now: float,
        elapsed_s: float,
        *,
        reason: str = "another process was faster",
        kind: ErrorKind | None = None,
    ) -> None:
        """Admission was refused although the ranking allowed it: another process was faster, or the state cannot be
        written; `kind` is what it comes down to. Until `retry_at` (None: for the rest of this request) the candidate is
        passed over."""
        self._refused[candidate.key] = Failure(candidate.key, reason, kind, retry_at=retry_at)
        wait_s = math.inf if retry_at is None else max(retry_at - now, _SHORTEST_WAIT_S)
        self._barred_until_s[candidate.key] = elapsed_s + wait_s

    def beside(self, first: Candidate, asked: Collection[str], elapsed_s: float) -> Ranked | None:
        """Whom to ask beside `first`, which is late; None: nobody. `asked` are the keys that this request has asked so far."""
        if len(asked) >= self.policy.max_candidates or self._attempts + 1 >= self.policy.max_attempts:
            return None
        open_keys = {candidate.key for candidate in self._open_to_us(elapsed_s)}
        ranked = [one for one in self.selection.ranked if one.candidate.key in open_keys]
        return partner(ranked, first, tried=asked)

    def _somebody_is_back_soon(self, now: float, elapsed_s: float) -> bool:
        """Whether somebody who is refused now may be asked before half of what is left is over: then the one who is asked
        meanwhile does not get all of it."""
        soon_s = (self.timeouts.deadline_s - elapsed_s) / 2
        return any(
            first_moment(rejected) - now < soon_s and self._may_follow(rejected.candidate)
            for rejected in self.selection.rejected
        )

    def _is_last(self) -> bool:
        """Whether nothing may follow the next attempt."""
        return self._attempts + 1 >= self.policy.max_attempts

    def _retries(self, row: Disposition, error: ProviderError) -> int:
        return self.policy.retries_per_candidate if row.again and error.should_retry is not False else 0

    def _fresh(self, elapsed_s: float) -> list[Candidate]:
        """Candidates in order that this request has not tried and may still try."""
        more = max(0, self.policy.max_candidates - len(self._tried))
        return [c for c in self._open_to_us(elapsed_s) if c.key not in self._tried][:more]

    def _retryable(self, elapsed_s: float) -> list[Candidate]:
        """Candidates in order that failed and may be asked once more."""
        return [c for c in self._open_to_us(elapsed_s) if c.key in self._tried and self._may_follow(c)]

    def _ending(self, elapsed_s: float) -> Ending:
        """Why nobody is left: the budget, where it alone keeps somebody from being asked again."""
        longest_s = self._longest_wait_s(Awaited.BACKOFF, elapsed_s)
        again = (t for t in self._tried.values() if t.retries_left > 0 and t.not_before_s - elapsed_s <= longest_s)
        return Ending.EXHAUSTED if self.may_retry or not any(again) else Ending.BUDGET

    def _open_to_us(self, elapsed_s: float) -> list[Candidate]:
        return [
            ranked.candidate
            for ranked in self.selection.ranked
            if self._window_suffices(ranked.candidate)
            and self._barred_until_s.get(ranked.candidate.key, 0.0) <= elapsed_s
        ]

    def _window_suffices(self, candidate: Candidate) -> bool:
        if self._least_window_tokens is None:
            return True
        window = candidate.model.capabilities.context_window_tokens
        return window is not None and window > self._least_window_tokens

    def _again(self, elapsed_s: float) -> Action | None:
        candidates = self._retryable(elapsed_s)
        if not candidates:
            return None
        first = min(candidates, key=lambda c: self._tried[c.key].not_before_s)
        wait_s = self._tried[first.key].not_before_s - elapsed_s
        if wait_s <= 0:
            return Try(first, alone=self._is_last() or len(candidates) == 1)
        awaited = Awaited.TOLD if self._tried[first.key].told else Awaited.BACKOFF
        return self._worth_waiting(wait_s, f"before asking {first.key} again", awaited, elapsed_s)

    def _later(self, now: float, elapsed_s: float) -> Action | None:
        """Everyone left is refused for a time: probe early where that is possible, else wait for the first."""
        blocked = [
            rejected
            for rejected in self.selection.rejected
            if rejected.retry_at is not None and self._may_follow(rejected.candidate)
        ]
        pace_s = 0.0 if len(blocked) == 1 else self._may_probe_s - elapsed_s  # one alone has its own back-off
        moments = [rejected.early_at for rejected in blocked if rejected.early_at is not None]
        early_at = max(moments, default=math.inf)  # one for all: see the header
        early = [
            rejected
            for rejected in blocked
            if rejected.early_at is not None and self._held_back_s(rejected.candidate, elapsed_s) <= 0
        ]
        if early and early_at <= now and pace_s <= 0:
            best = min(early, key=longest_silent)
            return Try(best.candidate, last_resort=True, alone=self._is_last() or len(blocked) == 1)
        probe_in_s = max(early_at - now, min(pace_s, _LOOK_AGAIN_S))
        waits = [
            (
                max(
                    min(moment_of_retry(r) - now, math.inf if r.early_at is None else probe_in_s),
                    self._held_back_s(r.candidate, elapsed_s),
                ),
                f"for {r.candidate.key}: {r.reason}",
                r.awaited,
                r.probed or (r.early_at is not None and len(blocked) > 1),
            )
            for r in blocked
        ]
        waits += [
            (
                self._held_back_s(one, elapsed_s),
                f"for {one.key}: {self._refusal(one)}",
                Awaited.PROBE if PROBING in self._refusal(one) else Awaited.ROOM,
                PROBING in self._refusal(one),
            )
            for one in (ranked.candidate for ranked in self.selection.ranked)
            if self._may_follow(one)
        ]
        for wait_s, reason, awaited, looks in sorted(waits):
            wait = self._worth_waiting(wait_s, reason, awaited, elapsed_s)
            if wait is not None and looks:
                within_s = self.timeouts.deadline_s - elapsed_s
                told = reason if len(waits) == 1 else NOBODY_BACK
                return Wait(wait.seconds, told, awaited, within_s, self._tries_left())
            if wait is not None:
                return wait
        return None

    def _refusal(self, candidate: Candidate) -> str:
        """Why the candidate was refused at the door."""
        refused = self._refused.get(candidate.key)
        return "another process was faster" if refused is None else refused.reason

    def _tries_left(self) -> int:
        """How often somebody may be asked yet, at most."""
        ranked = [one.candidate for one in self.selection.ranked]
        able = [one for one in (*ranked, *(r.candidate for r in self.selection.rejected)) if self._may_follow(one)]
        fresh = [candidate for candidate in able if candidate.key not in self._tried]
        again = sum(self._tried[one.key].retries_left for one in able if one.key in self._tried)
        new = min(len(fresh), self.policy.max_candidates - len(self._tried))
        tries = again + new * (1 + self.policy.retries_per_candidate)
        return min(tries, self.policy.max_attempts - self._attempts)

    def _held_back_s(self, candidate: Candidate, elapsed_s: float) -> float:
        """Seconds for which this request itself passes the candidate over; 0 or less: it does not, inf: for good."""
        tried = self._tried.get(candidate.key)
        until_s = max(self._barred_until_s.get(candidate.key, 0.0), tried.not_before_s if tried else 0.0)
        return until_s - elapsed_s

    def _may_follow(self, candidate: Candidate) -> bool:
        tried = self._tried.get(candidate.key)
        if tried is None:
            return len(self._tried) < self.policy.max_candidates and self._window_suffices(candidate)
        return tried.retries_left > 0 and self.may_retry and self._window_suffices(candidate)

    def _worth_waiting(self, wait_s: float, reason: str, awaited: Awaited, elapsed_s: float) -> Wait | None:
        wait_s = max(wait_s, _SHORTEST_WAIT_S)
        if wait_s > self._longest_wait_s(awaited, elapsed_s):
            return None
        if awaited is Awaited.TOLD:
            self._told_since_s = elapsed_s
        return Wait(wait_s, reason, awaited)

    def _longest_wait_s(self, awaited: Awaited, elapsed_s: float) -> float:
        """Seconds that a wait for this may take; what was waited for told moments before is taken off."""
        longest_s = min(self.policy.max_wait_s, (self.timeouts.deadline_s - elapsed_s) / 2)
        if awaited is not Awaited.TOLD:
            return longest_s
        return min(longest_s, self.timeouts.deadline_s / 2 - self._told_s, self.policy.max_wait_s - self._told_s)

    def _give_up(self, ending: Ending) -> GiveUp:
        early = [r.early_at for r in self.selection.rejected if r.early_at is not None]
        early_at = max(early, default=math.inf)  # one for all, as in _later: whoever asks next finds it so
        rejected = {
            r.candidate.key: Failure(r.candidate.key, r.reason, r.kind, retry_at=moment(r, early_at))
            for r in self.selection.rejected
            if r.barrier is not Barrier.RULE  # the user's own choice is no news to them
        }
        too_small = {
            ranked.candidate.key: Failure(ranked.candidate.key, _too_small(ranked.candidate), ErrorKind.CONTEXT_LENGTH)
            for ranked in self.selection.ranked
            if not self._window_suffices(ranked.candidate)
        }
        asked_in_vain = {**self._refused, **rejected, **too_small}
        untried = (failure for key, failure in asked_in_vain.items() if key not in self._tried)
        moments = [failure.retry_at for failure in asked_in_vain.values() if failure.retry_at is not None]
        kept = dict.fromkeys(
            self._refused[key].reason
            for key, tried in self._tried.items()
            if tried.retries_left > 0 and math.isinf(self._barred_until_s.get(key, 0.0))
        )
        because = "; ".join(kept) if ending is Ending.EXHAUSTED else ""
        return GiveUp(ending, (*self.failures, *untried), min(moments, default=None), because)


def _too_small(candidate: Candidate) -> str:
    window = candidate.model.capabilities.context_window_tokens
    if window is None:
        return "its window is not known to be larger (context_window_tokens in routing.toml says it)"
    return f"its window of {window:,} tokens is no larger"
