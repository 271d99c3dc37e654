"""What a request does next, as a value: whoever drives it obeys (router/loop.py). fallback.py decides which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from llmr.dataclass import dataclass
from llmr.errors import Failure
from llmr.routing.rules import Candidate


class Ending(StrEnum):
    """Why there is no further attempt."""

    EXHAUSTED = "exhausted"  # everyone was tried or cannot be
    FATAL = "fatal"  # the failure is the request's own: the next one would reject it too
    DEADLINE = "deadline"
    ATTEMPTS = "attempts"
    BUDGET = "budget"  # somebody could be asked again, but the retry budget does not cover it
    WATCHED = "watched"  # a server: another request waits for the same providers, and one is enough


ENDINGS_IN_WORDS: Final[Mapping[Ending, str]] = MappingProxyType(
    {
        Ending.EXHAUSTED: "nobody else can be asked",
        Ending.FATAL: "the request itself was rejected",
        Ending.DEADLINE: "the deadline is over",
        Ending.ATTEMPTS: "enough has been tried",
        Ending.BUDGET: "retry budget spent, and nobody is left who was not asked yet",
        Ending.WATCHED: "every circuit is open, and another request waits for the first to be asked again",
    }
)


@dataclass(frozen=True, slots=True)
class Try:
    """Ask this candidate now. `last_resort`: an early probe of an open circuit is allowed. `alone`: nobody else is left, so
    its first token may take whatever is left of the deadline."""

    candidate: Candidate
    last_resort: bool = False
    alone: bool = False


class Awaited(StrEnum):
    """What a wait is for."""

    BACKOFF = "backoff"  # before one that failed is asked again
    TOLD = "told"  # the moment that a provider named: Retry-After
    PROBE = "probe"  # of a circuit that failures opened: until one may be sent, or another's has spoken
    ROOM = "room"  # in a limit of the user's, or at a door where another process was faster


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody can be asked before `seconds` from now; then look again. `reason` goes on after "waiting".

    `within_s` None: somebody is asked then. Else it is a look at what others have found out meanwhile, and more of them may
    follow, for `within_s` seconds at most; `tries` is how often this request may ask somebody in that time, at most.
    """

    seconds: float
    reason: str
    awaited: Awaited
    within_s: float | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It is over. `retry_at` is the earliest wall-clock second at which anyone may be asked, None: not a matter of time.
    `because`: what kept those from being asked again who might have been, "" where nothing did."""

    ending: Ending
    failures: tuple[Failure, ...]
    retry_at: float | None
    because: str = ""


Action = Try | Wait | GiveUp
