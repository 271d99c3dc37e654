"""What comes out of a run, in numbers. Percentiles are over requests, a failed one counted as run.CHARGED_S."""

from collections.abc import Sequence

from llmr.dataclass import dataclass
from llmr.simulation.run import Served


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds to the first token; `extra_per_1000` attempts beyond one per request; shares lie in 0–1.

    `waste_share` is of the money spent, 0 where nothing was; `over_budget` counts requests that failed because a spend limit
    or a price cap left nobody.
    """

    requests: int
    mean_s: float
    p50_s: float
    p99_s: float
    p999_s: float
    extra_per_1000: float
    success: float
    waste_share: float
    usd_per_1000: float
    over_budget: int = 0

    def cost_and_wait_usd_per_1000(self, second_is_worth_usd: float) -> float:
        """What 1,000 requests cost a person to whom a second is worth so much: the objective of `balanced`, risk and quality
        aside."""
        return self.usd_per_1000 + 1000 * self.mean_s * second_is_worth_usd


def figures(served: Sequence[Served]) -> Figures:
    """The figures of at least one request."""
    times = sorted(one.ttft_s for one in served)
    spend_usd = sum(one.spend_usd for one in served)
    extra = sum(max(0, one.attempts - 1) for one in served)
    return Figures(
        requests=len(served),
        mean_s=sum(times) / len(times),
        p50_s=_percentile(times, 0.5),
        p99_s=_percentile(times, 0.99),
        p999_s=_percentile(times, 0.999),
        extra_per_1000=1000 * extra / len(served),
        success=sum(one.answered is not None for one in served) / len(served),
        waste_share=sum(one.waste_usd for one in served) / spend_usd if spend_usd else 0.0,
        usd_per_1000=1000 * spend_usd / len(served),
        over_budget=sum(one.over_budget for one in served),
    )


def _percentile(ascending: Sequence[float], share: float) -> float:
    """The value at rank `share`, linear between neighbours."""
    rank = share * (len(ascending) - 1)
    below = int(rank)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (rank - below) * (ascending[above] - ascending[below])
