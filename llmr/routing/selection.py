"""What a ranking comes to: the order to try, and everyone who is not in it, each with its reasons. selector.py makes it.

`llmr rank` shows it, `explain` keeps it, the fallback handler goes down it.
"""

from enum import StrEnum

from llmr.catalog import Strategy
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind
from llmr.routing.action import Awaited
from llmr.routing.estimate import Estimate
from llmr.routing.rules import Candidate, RuleTrace
from llmr.routing.score import Score


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate in its place. `estimate` is what the score was made from: a draw, where this request explores; `habits` is
    what it is known for all the same. `probe`: asking it would be the probe of a circuit."""

    candidate: Candidate
    score: Score
    estimate: Estimate
    habits: Estimate
    probe: bool = False


class Barrier(StrEnum):
    """What keeps a candidate from being asked."""

    RULE = "rule"  # a rule, or the user's own choice of provider
    OFF = "off"  # no key, no endpoint
    UNFIT = "unfit"  # it cannot take this request
    PRICE = "price"  # over a rule's price cap, or not known to be under it
    CIRCUIT = "circuit"
    LIMIT = "limit"
    SPEND = "spend"  # a spend limit would be passed


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that is not asked now.

    `kind` is what it comes down to, None for RULE and OFF; `retry_at`, `early_at` are wall-clock seconds as in
    circuit.Refusal, None: time does not mend it; `estimate` is set for CIRCUIT: an early probe needs to know its habits;
    `probed`: somebody's probe of it is out.
    """

    candidate: Candidate
    barrier: Barrier
    reason: str
    kind: ErrorKind | None = None
    retry_at: float | None = None
    early_at: float | None = None
    estimate: Estimate | None = None
    probed: bool = False

    @property
    def awaited(self) -> Awaited:
        """What waiting for it is waiting for."""
        if self.barrier is not Barrier.CIRCUIT:
            return Awaited.ROOM
        return Awaited.PROBE if self.probed or self.early_at is not None else Awaited.TOLD


@dataclass(frozen=True, slots=True)
class Selection:
    """The order to try, best first, and everyone who is not in it."""

    asked: str
    strategy: Strategy
    ranked: tuple[Ranked, ...]
    rejected: tuple[Rejected, ...]
    trace: tuple[RuleTrace, ...]
    prompt_tokens: int
    explored: bool = False

    def habits_of(self, key: str) -> Estimate | None:
        """What the candidate `key` is known for; None where it cannot be asked at all."""
        for ranked in self.ranked:
            if ranked.candidate.key == key:
                return ranked.habits
        return next((r.estimate for r in self.rejected if r.candidate.key == key), None)
