"""One circuit as a value: where it stands, what is told to it, and what it answers. The machine is breaker.py.

    admit    BreakerState ─▶ Grant | Refusal          report    BreakerState, Grant, Verdict ─▶ BreakerState

A state is a row of the store, written by whatever version of llmr ran last: `from_row` takes damage for a fresh circuit.
"""

import math
from enum import StrEnum
from typing import Any

from llmr.dataclass import dataclass, replace


class Phase(StrEnum):
    """Where the machine stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Cause(StrEnum):
    """Why a circuit is open."""

    ERROR = "error"
    RATE = "rate"
    HARD = "hard"


class Forced(StrEnum):
    """A person's override; it survives restarts."""

    OPEN = "open"
    CLOSED = "closed"


class Outcome(StrEnum):
    """What an attempt says about the scope it was admitted to."""

    OK = "ok"
    ERROR = "error"
    RATE = "rate"
    HARD = "hard"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A result as the circuit sees it. `retry_after_s` is the server's word, clamped here; `jitter` a draw from [-1, 1];
    `why` the ErrorKind, kept for people."""

    outcome: Outcome
    retry_after_s: float | None = None
    jitter: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class BreakerState:
    """One circuit. `lease_until` 0: no probe is out. `opened_at`, `closed_at` 0: never. `why` is the ErrorKind that
    opened it, "" while it never was."""

    phase: Phase = Phase.CLOSED
    epoch: int = 0
    fails: int = 0  # the current run of countable errors
    trips: int = 0  # consecutive openings by error; sets the cool-down
    rate_hits: int = 0  # consecutive 429s without Retry-After
    opened_at: float = 0.0
    open_until: float = 0.0
    cause: Cause | None = None
    closed_at: float = 0.0
    lease_from: float = 0.0
    lease_until: float = 0.0
    lost: int = 0  # probes whose process died
    forced: Forced | None = None
    why: str = ""

    def to_row(self) -> list[Any]:
        """The state as JSON values, in field order."""
        return [
            self.phase.value, self.epoch, self.fails, self.trips, self.rate_hits, self.opened_at, self.open_until,
            self.cause and self.cause.value, self.closed_at, self.lease_from, self.lease_until, self.lost,
            self.forced and self.forced.value, self.why,
        ]  # fmt: skip

    @staticmethod
    def from_row(row: Any) -> "BreakerState":
        """The state in `row`; a missing or unreadable row is a fresh, closed circuit."""
        try:
            phase, epoch, fails, trips, hits, opened, until, cause, closed, lent, lease, lost, forced, why = row
            numbers = (epoch, fails, trips, hits, opened, until, closed, lent, lease, lost)
            if not all(math.isfinite(number) and number >= 0 for number in numbers):
                return BreakerState()  # JSON text may say NaN and 1e999, which no comparison gets out of
            return BreakerState(
                Phase(phase), int(epoch), int(fails), int(trips), int(hits), float(opened), float(until),
                Cause(cause) if cause else None, float(closed), float(lent), float(lease), int(lost),
                Forced(forced) if forced else None, str(why),
            )  # fmt: skip
        except (TypeError, ValueError, OverflowError):
            return BreakerState()


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to try. Results carry it back; only the current epoch's are believed."""

    epoch: int
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """No. `retry_at` is when to ask again, None: not before somebody changes something. `early_at`: from then on an early
    probe is possible if there is nobody else, None: it is not. `why` is the ErrorKind behind it, "" where there is none.
    `probed`: somebody's probe is out, and its verdict is awaited."""

    reason: str
    retry_at: float | None = None
    early_at: float | None = None
    why: str = ""
    probed: bool = False

    def by(self, scope: str, key: str) -> "Refusal":
        """The same, saying whose circuit it is where it is not the model's own: who reads it has read the model's name."""
        return self if scope == key else replace(self, reason=f"{scope}: {self.reason}")
