"""What an attempt will probably cost, and what is booked for it when it is over."""

from collections.abc import Iterable
from typing import Final

from llmr.catalog import Price
from llmr.chat import Delta, Usage
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, ProviderError
from llmr.router.progress import Progress
from llmr.routing.estimate import estimate
from llmr.routing.rules import Candidate
from llmr.routing.score import expected_price_usd, probable_price_usd, request_cost_usd
from llmr.routing.tokens import estimate_text_tokens

_NEVER_REACHED: Final = frozenset({ErrorKind.CONNECT, ErrorKind.CONNECT_TIMEOUT, ErrorKind.TLS, ErrorKind.NOT_SENT})


def candidate_price_usd(progress: Progress, candidate: Candidate) -> float | None:
    """What asking `candidate` will probably cost; None: nobody knows. What runs on this machine costs nothing."""
    model = candidate.model
    if model.price is None:
        return 0.0 if model.provider.local else None
    habits = progress.handler.selection.habits_of(candidate.key) or estimate((), 0.0, 0.0)
    most, prompt_tokens = progress.request.max_output_tokens, progress.plan.prompt_tokens
    return probable_price_usd(model.price, habits, prompt_tokens=prompt_tokens, most_output_tokens=most)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an attempt is booked at. `usd` None: nobody knows, or there is nothing to know; `estimated`: by length, for nobody
    counted the tokens; `free`: nobody has worked on it, so that it costs nothing."""

    usd: float | None
    estimated: bool = False
    free: bool = False


def attempt_cost(
    price: Price | None,
    came: Iterable[Delta],
    usage: Usage | None,
    error: ProviderError | None,
    *,
    sent: bool,
    prompt_tokens: int,
) -> Cost:
    """What an attempt costs of which `came` is the answer, as far as it came.

    A broken answer's own count may be of its beginning (Anthropic's message_start says one output token), so what came of it
    counts where it is more.
    """
    if not sent:
        return Cost(None, free=True)
    counted_usd = request_cost_usd(price, usage)
    if not _may_be_billed(error):
        return Cost(counted_usd, free=counted_usd is None)
    if error is None and counted_usd is not None:
        return Cost(counted_usd)
    said = sum(estimate_text_tokens(delta.text) + estimate_text_tokens(delta.reasoning) for delta in came)
    by_length_usd = expected_price_usd(price, prompt_tokens=prompt_tokens, output_tokens=said)
    if by_length_usd is None or (counted_usd is not None and counted_usd >= by_length_usd):
        return Cost(counted_usd)
    return Cost(by_length_usd, estimated=True)


def _may_be_billed(error: ProviderError | None) -> bool:
    """Whether the provider may have worked on the request: it took it, and did not refuse it with a status."""
    return error is None or (error.status is None and error.kind not in _NEVER_REACHED)
