"""What one request costs, attempt by attempt as each is booked.

A request may end in an exception, or in nothing at all when its caller leaves, and was paid for all the same. So the bill is
handed out with the first event, grows while the request goes on, and is read when it is over, however it ended.
"""

from llmr.dataclass import dataclass


@dataclass(slots=True)
class Bill:
    """`estimated_usd` is the part of `known_usd` that no provider counted: what came was measured by its length. `attempts`
    were booked; of `unknown` of them nobody knows the cost."""

    known_usd: float = 0.0
    estimated_usd: float = 0.0
    unknown: int = 0
    attempts: int = 0

    def book(self, cost_usd: float | None, *, estimated: bool) -> None:
        """One more attempt. `cost_usd` None: nobody knows."""
        self.attempts += 1
        self.unknown += cost_usd is None
        self.known_usd += cost_usd or 0.0
        self.estimated_usd += cost_usd or 0.0 if estimated else 0.0

    @property
    def cost_usd(self) -> float | None:
        """What all of it cost; None: of some attempt nobody knows, or nobody was asked."""
        return self.known_usd if self.attempts and not self.unknown else None
