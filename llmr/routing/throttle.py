"""When everybody fails, ask less: a share of the requests is turned away here, before anybody is asked. Pure.

Circuits keep a failing provider from being asked; this keeps a whole name from being waited for. A gateway whose providers are
all down would otherwise hold every request until its deadline, and let all of them go at the moment when one comes back.

    turned away with probability  max(0, (requests − K·accepts − spare) / (requests + 1))

Source: Beyer et al., Site Reliability Engineering, chapter 21 (client-side throttling), K = 2: for every two requests that are
let through one may fail unnoticed. Those that were turned away count as requests, so the more is asked the less gets through;
what gets through is the probe, and each success lets K more in. From one success to all of the traffic it takes some five
times the constant with which counts fade, so that is a quarter of the book's minute: a herd of 50 a second is served again
within two minutes of an outage's end (goal G6), where the book's window needs more than four. `spare` is ours too: the formula
alone would turn away every second request after a single failure, and a person who tries again by hand is no herd.
"""

import math
from typing import Final

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind

K: Final = 2.0  # issue 6; the book's own figure
SPARE: Final = 10.0  # failures that are nobody's pattern yet
FADES_S: Final = 15.0  # mean age of what is counted, as of a window of 30 s

NOBODY_COULD: Final = frozenset(
    {ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.SERVER, ErrorKind.OVERLOADED, ErrorKind.RATE_LIMIT, ErrorKind.STALL}
    | {
        ErrorKind.CONNECT_TIMEOUT,
        ErrorKind.FIRST_TOKEN_TIMEOUT,
        ErrorKind.GATEWAY,
        ErrorKind.BAD_RESPONSE,
        ErrorKind.INCOMPLETE,
    }
)
"""Ends that tell of the providers. Every other end was an answer of sorts, or the request's own doing: a deadline of its own,
a limit of the user's, a prompt that is too long."""


@dataclass(frozen=True, slots=True)
class Load:
    """What was asked and what came of it, fading. `at_s` monotonic: as of when."""

    requests: float = 0.0
    accepts: float = 0.0
    at_s: float = 0.0

    def as_of(self, now_s: float) -> "Load":
        """The same, faded until now."""
        kept = math.exp(-max(0.0, now_s - self.at_s) / FADES_S)
        return Load(self.requests * kept, self.accepts * kept, now_s)

    def asked(self) -> "Load":
        """One request more, whether it is let through or not."""
        return Load(self.requests + 1, self.accepts, self.at_s)

    def accepted(self) -> "Load":
        """One that somebody took."""
        return Load(self.requests, self.accepts + 1, self.at_s)

    @property
    def is_forgotten(self) -> bool:
        """Whether it says nothing any more."""
        return self.requests < 0.5


def turned_away_share(load: Load, *, k: float = K, spare: float = SPARE) -> float:
    """The probability with which the next request is turned away, 0 to 1."""
    return max(0.0, (load.requests - k * load.accepts - spare) / (load.requests + 1.0))
