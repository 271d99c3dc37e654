"""What one request tells, in order, in one stream with the answer.

    LookedUp  Decided  (AttemptStarted  (AttemptFailed | Outpaced | Answering Delta… (BrokeOff | Finished)) | Waiting)…

`LookedUp` comes only where the answer cache is in use. Where it found something, nobody is asked: Answering, the deltas and
Finished follow at once, with attempt number 0.

Two attempts overlap where the second is a hedge; `number` says which one an event is about. `Answering` is the commit point:
what was asked beside the winner has been given up by then (its socket is closed behind the first text), and no other attempt's
text follows without a `BrokeOff`.
"""

from dataclasses import field

from llmr.chat import ChatResponse, Delta
from llmr.dataclass import dataclass
from llmr.errors import ProviderError
from llmr.router.bill import Bill
from llmr.routing.policy import OnBreak
from llmr.routing.rules import Candidate
from llmr.routing.selection import Selection


@dataclass(frozen=True, slots=True)
class Found:
    """An answer that was kept: who gave it, `age_s` seconds ago. `likeness`: of the prompt to the one it answered, 0 to 1;
    None: it is the same request."""

    candidate: Candidate
    age_s: float
    likeness: float | None = None


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The answer cache was asked. `found` None: it has nothing. `request_id` is set where it has."""

    found: Found | None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """The ranking that the request `request_id` starts with, and its bill, which grows until the request is over."""

    selection: Selection
    request_id: str = ""
    bill: Bill = field(default_factory=Bill)


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A candidate is being asked. `number` counts from 1; `hedge`: beside another one that is late."""

    candidate: Candidate
    number: int
    probe: bool
    hedge: bool = False


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt failed with nothing shown; the loop goes on. `after_s` seconds from its start. `refused`: the whole answer,
    where one came that the request's own check refused."""

    candidate: Candidate
    error: ProviderError
    after_s: float
    number: int
    refused: ChatResponse | None = None


@dataclass(frozen=True, slots=True)
class Outpaced:
    """An attempt was cancelled after `after_s` seconds because the one beside it spoke first."""

    candidate: Candidate
    after_s: float
    number: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nobody can be asked for `seconds`; `reason`, `within_s` and `tries` as `Wait` has them. `goes_on`: the wait that the
    event before told of is not over yet."""

    seconds: float
    reason: str
    within_s: float | None = None
    tries: int = 0
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Answering:
    """The commit point: the first content token, `ttft_s` seconds after this attempt began."""

    candidate: Candidate
    ttft_s: float
    number: int


@dataclass(frozen=True, slots=True)
class BrokeOff:
    """An answer broke after text was shown, and another candidate goes on, as the user wished: CONTINUE takes the text up
    where it stops, RESTART begins anew."""

    candidate: Candidate
    error: ProviderError
    after_s: float
    then: OnBreak
    number: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer came. Durations in seconds; `total_s` of the whole request, `attempt_s` of the attempt that
    answered, `streamed` whether in pieces. `cost_usd` of all attempts, None: the answer's is unknown."""

    candidate: Candidate
    response: ChatResponse
    ttft_s: float
    attempt_s: float
    total_s: float
    attempts: int
    cost_usd: float | None
    request_id: str
    streamed: bool = True


Event = (
    LookedUp | Decided | AttemptStarted | AttemptFailed | Outpaced | BrokeOff | Waiting | Answering | Delta | Finished
)
