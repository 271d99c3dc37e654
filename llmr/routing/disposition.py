"""What follows from each kind of failure, as one table.

Three questions, answered per `ErrorKind` and nowhere else: may the same candidate be asked again in this request, who may
be asked instead, and what does it say about the circuit of the provider's account, of the model at it, and of the quota
that the provider `shares` with others? Reasons: shared/design/wire.md §A.4 and routing.md §1. In short: a failure that
depends on the request must not open a circuit, or one bad prompt disables a provider; a bad key and an empty purse do not
heal in seconds; a 429 brings its own clock.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind
from llmr.routing.circuit import Outcome
from llmr.routing.policy import FallbackPolicy, OnRejection


class Onward(StrEnum):
    """Who may be asked after this failure."""

    ANYONE = "anyone"
    LARGER_WINDOW = "larger_window"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Disposition:
    """One row. `again`: whether the same candidate may be asked again, as often as the policy says."""

    again: bool
    onward: Onward
    provider: Outcome
    model: Outcome
    shared: Outcome = Outcome.NEUTRAL

    @property
    def is_providers_fault(self) -> bool:
        """Whether a failure says something about the provider, rather than about the request, a quota or the user."""
        return self.model is Outcome.ERROR or (self.provider is Outcome.ERROR and self.model is Outcome.NEUTRAL)


_OK, _ERROR, _RATE, _HARD, _NEUTRAL = Outcome.OK, Outcome.ERROR, Outcome.RATE, Outcome.HARD, Outcome.NEUTRAL
_AGAIN, _ONCE = True, False
_ANYONE, _LARGER, _NOBODY = Onward.ANYONE, Onward.LARGER_WINDOW, Onward.NOBODY

DISPOSITIONS: Final[Mapping[ErrorKind, Disposition]] = MappingProxyType(
    {
        # kind                                      again   onward   provider  model     shared
        ErrorKind.CONNECT:             Disposition(_AGAIN, _ANYONE, _ERROR, _NEUTRAL),
        ErrorKind.CONNECT_TIMEOUT:     Disposition(_AGAIN, _ANYONE, _ERROR, _NEUTRAL),
        ErrorKind.TLS:                 Disposition(_ONCE,  _ANYONE, _ERROR, _NEUTRAL),
        ErrorKind.FIRST_TOKEN_TIMEOUT: Disposition(_AGAIN, _ANYONE, _ERROR, _ERROR),
        ErrorKind.DEADLINE:            Disposition(_ONCE,  _ANYONE, _NEUTRAL, _NEUTRAL),
        ErrorKind.STALL:               Disposition(_AGAIN, _ANYONE, _ERROR, _ERROR),
        ErrorKind.SERVER:              Disposition(_AGAIN, _ANYONE, _ERROR, _ERROR),
        ErrorKind.GATEWAY:             Disposition(_AGAIN, _ANYONE, _ERROR, _NEUTRAL),
        ErrorKind.OVERLOADED:          Disposition(_AGAIN, _ANYONE, _ERROR, _ERROR),
        ErrorKind.RATE_LIMIT:          Disposition(_AGAIN, _ANYONE, _ERROR, _RATE, _RATE),
        ErrorKind.TOO_LARGE_FOR_LIMIT: Disposition(_ONCE,  _ANYONE, _NEUTRAL, _NEUTRAL),
        ErrorKind.QUOTA:               Disposition(_ONCE,  _ANYONE, _HARD, _NEUTRAL, _HARD),
        ErrorKind.AUTH:                Disposition(_ONCE,  _ANYONE, _HARD, _NEUTRAL),
        ErrorKind.MODEL_NOT_FOUND:     Disposition(_ONCE,  _ANYONE, _NEUTRAL, _HARD),
        ErrorKind.CONTEXT_LENGTH:      Disposition(_ONCE,  _LARGER, _NEUTRAL, _NEUTRAL),
        ErrorKind.UNSUPPORTED:         Disposition(_ONCE,  _ANYONE, _NEUTRAL, _NEUTRAL),
        ErrorKind.CONTENT_FILTER:      Disposition(_ONCE,  _NOBODY, _NEUTRAL, _NEUTRAL),
        ErrorKind.BAD_REQUEST:         Disposition(_ONCE,  _NOBODY, _NEUTRAL, _NEUTRAL),
        ErrorKind.TOOL_USE_FAILED:     Disposition(_AGAIN, _ANYONE, _NEUTRAL, _NEUTRAL),
        ErrorKind.NOT_ACCEPTED:        Disposition(_ONCE,  _ANYONE, _NEUTRAL, _NEUTRAL),
        ErrorKind.BAD_RESPONSE:        Disposition(_AGAIN, _ANYONE, _ERROR, _ERROR),
        ErrorKind.INCOMPLETE:          Disposition(_AGAIN, _ANYONE, _ERROR, _ERROR),
        ErrorKind.NOT_SENT:            Disposition(_ONCE,  _ANYONE, _NEUTRAL, _NEUTRAL),
        ErrorKind.BUDGET:              Disposition(_ONCE,  _ANYONE, _NEUTRAL, _NEUTRAL),
        ErrorKind.CANCELLED:           Disposition(_ONCE,  _NOBODY, _NEUTRAL, _NEUTRAL),
    }
)  # fmt: skip

SUCCESS: Final = Disposition(_ONCE, _NOBODY, _OK, _OK, _OK)

_RETRY_AFTER_MEANS_RATE: Final = frozenset({ErrorKind.SERVER, ErrorKind.OVERLOADED})  # routing.md §1: 503/529 with RA


_OPT_IN: Final[Mapping[ErrorKind, str]] = MappingProxyType(
    {ErrorKind.CONTENT_FILTER: "content_filter", ErrorKind.BAD_REQUEST: "bad_request"}
)  # kinds of which the user may say that somebody else is to be asked all the same, by the policy's field


def onward(kind: ErrorKind, policy: FallbackPolicy) -> Onward:
    """Who may be asked after this failure: the table's word, unless the user wished otherwise."""
    wish = _OPT_IN.get(kind)
    if wish is not None and getattr(policy, wish) is OnRejection.NEXT:
        return Onward.ANYONE
    return DISPOSITIONS[kind].onward


def disposition(kind: ErrorKind | None, *, retry_after_s: float | None = None) -> Disposition:
    """The row for `kind`; None is success. A 503 or 529 that says when to come back is a rate limit to the model's circuit."""
    if kind is None:
        return SUCCESS
    row = DISPOSITIONS[kind]
    if kind in _RETRY_AFTER_MEANS_RATE and retry_after_s is not None:
        return Disposition(row.again, row.onward, row.provider, Outcome.RATE, row.shared)
    return row
