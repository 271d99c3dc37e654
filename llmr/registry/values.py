"""What passes between the router and the registry: leave to try, what came of it, and what people are shown."""

from llmr.catalog import LimitsTold, Model
from llmr.chat import Usage
from llmr.dataclass import dataclass
from llmr.errors import ProviderError
from llmr.routing.circuit import Grant
from llmr.routing.health import Circuit
from llmr.routing.spending import Today


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to try one model. Given back with the report. `grants` are per circuit key; `token` is the limiter's; `probe`:
    this attempt is *the* probe of one of its circuits, or was until its first token closed it; `acquits`: that token did close
    one; `urgent`: its success must be known to all at once, for a circuit counts failures or little is left of a limit that was
    told; `today`: the day on which money was set aside for it, None: no spend limit is set."""

    model: Model
    grants: tuple[tuple[str, Grant], ...]
    latency_class: str
    prompt_tokens: int
    token: str
    probe: bool = False
    acquits: bool = False
    urgent: bool = False
    today: Today | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try and what came of it. Durations are monotonic seconds; `at` is wall clock. `error` None: a whole answer.

    `ttft_s` None: no content token came. `cost_usd` None: unknown. `outpaced`: cancelled because the attempt beside it was
    faster. `impatient`: it ended at a bound of the caller's own, which says nothing against the provider. `sent` False:
    nothing of it left this machine, so nothing is charged, learnt or counted. `number`: its place in its request, from 1.
    `hedge`: it was asked beside a late one. `cost_estimated`: by length, for nobody counted the tokens. `told`: what the
    answer's head, `told_at` wall-clock seconds, said of the rate limits.
    """

    request_id: str
    at: float
    streamed: bool
    total_s: float
    ttft_s: float | None = None
    error: ProviderError | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    outpaced: bool = False
    impatient: bool = False
    sent: bool = True
    number: int = 1
    hedge: bool = False
    cost_estimated: bool = False
    told: LimitsTold | None = None
    told_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What `providers status` shows of one model. Seconds; None: no samples. `p50_s`, `p95_s` are of the first token of
    streamed answers: percentiles of the last week, or the fit where that holds too few, which `fitted` says; `assumed`: of
    what that rested on next to nothing is left, as Estimate.samples counts it."""

    model: Model
    circuits: tuple[Circuit, ...]
    attempts: int
    success: float | None
    p50_s: float | None
    p95_s: float | None
    last_error: str
    last_error_at: float
    fitted: bool = False
    assumed: bool = False
