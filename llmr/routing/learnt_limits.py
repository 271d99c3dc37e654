"""Rate limits that nobody configured: learnt from what providers tell with every answer. Pure; one row per model at an account.

A provider's limit is a bucket that refills steadily: of `most`, `left` were left at `read_at`, and it is full at `full_at`
(OpenAI tells 499 of 500, full in 120 ms: 60 s / 500). Between two answers the line between those points is the best guess:

    left(t) = left + (most − left)·(t − read_at)/(full_at − read_at)     until full_at, then most

Where `most` was not told the bucket is empty until `full_at` or not known; a window without a reset is taken for a minute.
One number per kind is kept, so what is used between two answers has to be counted here: `used` does, but only while room
is short (`is_short`): an account that has plenty left costs no write before a request.
"""

import math
from typing import Any, Final

from llmr.catalog import LimitsTold, Window
from llmr.dataclass import dataclass, replace
from llmr.routing.rate_limit import CLOCK_SKEW_S, Full

WINDOW_S: Final = 60.0  # where no reset is told: every vendor's unit is the minute
LONGEST_S: Final = 900.0  # routing.md §1: no word of a provider benches it for longer than that
SHORT_REQUESTS: Final = 10.0  # fewer left than so many: count each
SHORT_PROMPTS: Final = 10.0  # tokens for fewer than so many requests like this one: likewise


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit. `most` None: not told. Times are wall-clock seconds."""

    left: float
    most: float | None
    read_at: float
    full_at: float

    def left_at(self, now: float) -> float:
        """What is left at `now`; infinite where nothing is known any more."""
        if now < self.read_at - CLOCK_SKEW_S:
            return math.inf  # the clock went back
        if now >= self.full_at:
            return math.inf if self.most is None else self.most
        if self.most is None:
            return self.left
        share = max(0.0, now - self.read_at) / (self.full_at - self.read_at)
        return self.left + (self.most - self.left) * share

    def ready_at(self, wanted: float) -> float:
        """When `wanted` will be left; what is more than the whole bucket waits for a full one."""
        if self.most is None or self.most <= self.left:
            return self.full_at
        share = (min(wanted, self.most) - self.left) / (self.most - self.left)
        return self.read_at + share * (self.full_at - self.read_at)


@dataclass(frozen=True, slots=True)
class LearntLimits:
    """What is known of one model's limits. None: never told."""

    requests: Bucket | None = None
    tokens: Bucket | None = None

    def to_row(self) -> list[Any]:
        """JSON values."""
        return [None if b is None else [b.left, b.most, b.read_at, b.full_at] for b in (self.requests, self.tokens)]

    @staticmethod
    def from_row(row: Any) -> "LearntLimits":
        """The limits in `row`; a missing or unreadable one knows nothing."""
        try:
            requests, tokens = row
            return LearntLimits(_bucket(requests), _bucket(tokens))
        except (TypeError, ValueError, OverflowError):
            return LearntLimits()


UNTOLD: Final = LearntLimits()


def learn(told: LimitsTold, before: LearntLimits, at: float) -> LearntLimits:
    """What an answer whose head came `at` wall-clock seconds tells; a kind it is silent about stays as it was, and so does
    what a later answer has told already."""
    return LearntLimits(_newer(told.requests, before.requests, at), _newer(told.tokens, before.tokens, at))


def learnt_room(limits: LearntLimits, tokens: int, now: float) -> Full | None:
    """Why a request of `tokens` has to wait, None if it need not."""
    for bucket, wanted, unit in ((limits.requests, 1.0, "requests"), (limits.tokens, float(tokens), "tokens")):
        if bucket is None:
            continue
        needed = wanted if bucket.most is None else min(wanted, bucket.most)  # an estimate may exceed any bucket
        left = bucket.left_at(now)
        if left < needed:
            said = f"{max(0.0, left):,.0f} {unit} left" + ("" if bucket.most is None else f" of {bucket.most:,.0f}")
            return Full(f"it says {said}", min(bucket.ready_at(needed), now + LONGEST_S))
    return None


def is_short(limits: LearntLimits, tokens: int, now: float) -> bool:
    """Whether so little is left that each request has to be counted."""
    requests, spare = limits.requests, limits.tokens
    return (requests is not None and requests.left_at(now) < SHORT_REQUESTS) or (
        spare is not None and spare.left_at(now) < SHORT_PROMPTS * tokens
    )


def used(limits: LearntLimits, tokens: int, now: float) -> LearntLimits:
    """The limits after one more request of `tokens` has left."""
    return LearntLimits(_less(limits.requests, 1.0, now), _less(limits.tokens, float(tokens), now))


def _less(bucket: Bucket | None, amount: float, now: float) -> Bucket | None:
    """The same line, lowered by `amount`: it refills as fast as before, so it is full later. The bucket itself where nothing
    is known of this moment."""
    if bucket is None or math.isinf(left := bucket.left_at(now)):
        return bucket
    if bucket.most is None:
        return replace(bucket, left=left - amount)
    refilled = bucket.most - bucket.left
    rate = refilled / (bucket.full_at - bucket.read_at) if refilled > 0 else bucket.most / WINDOW_S
    full_in_s = (bucket.most - left + amount) / rate
    return Bucket(left - amount, bucket.most, now, now + min(full_in_s, LONGEST_S))


def _newer(window: Window | None, before: Bucket | None, at: float) -> Bucket | None:
    if window is None or (before is not None and at < before.read_at <= at + LONGEST_S):
        return before
    full_in_s = WINDOW_S if window.full_in_s is None else min(window.full_in_s, LONGEST_S)
    return Bucket(window.left, window.most, at, at + max(full_in_s, 1e-3))


def _bucket(row: Any) -> Bucket | None:
    if row is None:
        return None
    left, most, read_at, full_at = row
    bucket = Bucket(float(left), None if most is None else float(most), float(read_at), float(full_at))
    numbers = (bucket.left, bucket.most or 0.0, bucket.read_at, bucket.full_at)
    sound = all(map(math.isfinite, numbers)) and bucket.full_at > bucket.read_at
    return bucket if sound else None
