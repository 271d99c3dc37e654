"""One request under way: what it wants and how far it came."""

from dataclasses import field
from typing import TYPE_CHECKING

from llmr.catalog import Provider
from llmr.chat import ChatRequest, Delta
from llmr.dataclass import dataclass
from llmr.errors import StreamInterrupted
from llmr.router.bill import Bill
from llmr.routing.budget import Charge, Extra
from llmr.routing.fallback import FallbackHandler
from llmr.routing.policy import OnBreak
from llmr.routing.rules import Candidate, Plan
from llmr.routing.selection import Selection

if TYPE_CHECKING:
    from llmr.router.throttle import Turn


@dataclass(slots=True)
class Progress:
    """One request under way. `started_at` wall clock, `started_s` monotonic; `hedges`: a late attempt may get a second
    beside it; `owner` is the provider that was asked first, whose budget pays for what is extra."""

    request: ChatRequest
    plan: Plan
    decided: Selection
    handler: FallbackHandler
    request_id: str
    started_at: float
    started_s: float
    seed: int
    explore: bool
    hedges: bool
    attempts: int = 0
    recorded: bool = False
    turn: "Turn | None" = None  # at the throttle, where there is one
    owner: Provider | None = None
    asked: set[str] = field(default_factory=set[str])  # keys
    kept: tuple[Delta, ...] = ()  # of answers that broke and are being continued
    broken: StreamInterrupted | None = None  # the last break that the request went on from
    bill: Bill = field(default_factory=Bill)

    def is_answered(self) -> None:
        """Somebody took it."""
        if self.turn is not None:
            self.turn.accepted()

    @property
    def on_break(self) -> OnBreak:
        """What to do when the answer breaks. One that is still to be judged is not shown, so nobody sees it break."""
        if self.request.accept is not None:
            return OnBreak.BUFFER
        if self.request.on_break:
            return OnBreak(self.request.on_break)
        return self.plan.on_break or self.handler.policy.on_break

    @property
    def kept_text(self) -> str:
        """The text that stands before the answer under way."""
        return "".join(delta.text for delta in self.kept)

    def cost_usd(self, answer_usd: float | None) -> float | None:
        """What the whole request costs, if its answer, which is not booked yet, costs `answer_usd`."""
        return None if answer_usd is None else answer_usd + self.bill.known_usd

    def charge(self, candidate: Candidate, *, hedge: bool) -> Charge | None:
        """What asking `candidate` costs of the budget; None: it is the request itself."""
        if self.owner is None:
            return None
        if hedge:
            return Charge(self.owner, Extra.HEDGE)
        if candidate.key in self.asked:
            return Charge(self.owner, Extra.RETRY)
        return Charge(self.owner, Extra.FALLBACK if len(self.asked) > 1 else Extra.FIRST_FALLBACK)

    def asks(self, candidate: Candidate) -> int:
        """Note that `candidate` is being asked; the attempt's number, from 1."""
        self.owner = self.owner or candidate.model.provider
        self.asked.add(candidate.key)
        self.attempts += 1
        return self.attempts
