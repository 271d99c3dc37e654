"""The adaptive throttle of a server: one count per name and per way of asking for it, in memory, of this process alone.

What a caller asks for is part of the key: somebody who insists on a provider that is down says nothing about the others. Keys
are made of a plan, so a name that nobody knows never gets here; what has faded is forgotten.

A request counts as not accepted from the moment at which nobody is left to be asked at once, so that it has to wait: for a
retry, for a moment that was told, for a circuit. That is taken back when somebody answers after all. Were it counted at its end
only, a server whose providers are all down would hold everybody for most of a minute before it noticed (40 requests, ten at a
time, of two providers that answer 500 in 1 ms: 15 done in 55 s, nobody turned away). Were it counted at its beginning, or at a
failure that somebody else makes good, a burst of slow answers would be an outage.

While failures keep every circuit open, one request of a kind keeps watch: it waits and probes as routing.md §4 has it,
until its deadline, and so does who asks alone. Whoever comes beside it stays for `BESIDE_S`, in which the next early probe
is sent and a quick one has spoken, and is then told when to come back. Who asks a library has nobody else to wait for him;
who asks a server is one of many, they can come again, and a queue of them brings no provider back: it fills up, and lets go
all at once. In a rate limit, told or the user's own, waiting *is* the queue, and nobody is sent away.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from llmr.chat import ChatRequest
from llmr.errors import AllAttemptsFailed, TurnedAway
from llmr.routing.action import Awaited, Wait
from llmr.routing.rules import Plan
from llmr.routing.throttle import NOBODY_COULD, Load, turned_away_share
from llmr.routing.verdict import verdict

_MOST_KEYS: Final = 1024  # hints are the callers' own words
_AGAIN_S: Final = 1.0  # where nothing says when somebody may be asked
BESIDE_S: Final = 2.0  # see the header: as BreakerPolicy.early_probe_s

Key = tuple[str, str | None, tuple[str, ...]]


class Throttle:
    """`monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float], chance: Random) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._loads: dict[Key, Load] = {}
        self._again_at_s: dict[Key, float] = {}
        self._watch: dict[Key, Turn] = {}

    def enter(self, request: ChatRequest, plan: Plan) -> "Turn":
        """Let a request through. Raises TurnedAway for one that is turned away."""
        key, now_s = (plan.asked, request.provider, request.tags), self._monotonic()
        load = self._loads.get(key, Load()).as_of(now_s)
        share = turned_away_share(load)
        if share > 0.0 and self._chance.random() < share:
            self._note(key, load.asked())
            again_s = max(_AGAIN_S, self._again_at_s.get(key, now_s) - now_s)
            told = f"nobody has been able to answer for {plan.asked!r}, so {share:.0%} of its requests are turned away unasked"
            raise TurnedAway(told, failures=(), retry_after_s=again_s)
        return Turn(self, key)

    def asked(self, key: Key) -> None:
        """One that was let through has not been accepted."""
        self._note(key, self._load(key).asked())

    def accepted(self, key: Key) -> None:
        """One of those was, after all."""
        self._note(key, self._load(key).accepted())
        self._again_at_s.pop(key, None)

    def again_in(self, key: Key, seconds: float) -> None:
        """Nobody may be asked for so long."""
        self._again_at_s[key] = self._monotonic() + seconds

    def keeps_watch(self, key: Key, turn: "Turn") -> bool:
        """Whether it is this one that waits for the first circuit; the first to ask is."""
        return self._watch.setdefault(key, turn) is turn

    def leaves_watch(self, key: Key, turn: "Turn") -> None:
        """It waits no more; the next one may."""
        if self._watch.get(key) is turn:
            del self._watch[key]

    def _load(self, key: Key) -> Load:
        return self._loads.get(key, Load()).as_of(self._monotonic())

    def _note(self, key: Key, load: Load) -> None:
        self._loads[key] = load
        if len(self._loads) > _MOST_KEYS:
            self._forget(load.at_s)

    def _forget(self, now_s: float) -> None:
        """Drop what has faded; where that is not enough, the oldest half."""
        kept = {key: load for key, load in self._loads.items() if not load.as_of(now_s).is_forgotten}
        newest = sorted(kept, key=lambda key: kept[key].at_s)[-_MOST_KEYS // 2 :]
        self._loads = {key: kept[key] for key in newest}
        self._again_at_s = {key: at_s for key, at_s in self._again_at_s.items() if key in self._loads}


class Turn:
    """One request that was let through. However it goes, it counts once."""

    def __init__(self, throttle: Throttle, key: Key) -> None:
        self._throttle = throttle
        self._key = key
        self._asked = False
        self._settled = False
        self._beside_s = 0.0

    def waits(self, wait: Wait) -> bool:
        """It is to wait, for nobody can be asked at once: whether it may."""
        if wait.awaited is Awaited.ROOM:
            return True
        self._count()
        self._throttle.again_in(self._key, wait.seconds)
        if wait.awaited is not Awaited.PROBE or self._throttle.keeps_watch(self._key, self):
            return True
        self._beside_s += wait.seconds
        return self._beside_s <= BESIDE_S

    def accepted(self) -> None:
        """Somebody speaks."""
        if not self._settled:
            self._settled = True
            self._count()
            self._throttle.accepted(self._key)
        self._throttle.leaves_watch(self._key, self)

    def failed(self, error: AllAttemptsFailed) -> None:
        """It ended in `error`. Where that does not say that nobody could, the request itself was at fault: an answer."""
        if verdict(error.failures) not in NOBODY_COULD:
            self.accepted()
        elif not self._settled:
            self._settled = True
            self._count()
            if error.retry_after_s is not None:
                self._throttle.again_in(self._key, error.retry_after_s)

    def over(self) -> None:
        """Nothing more comes of it. Who left before anybody spoke or failed counts as neither: a provider that hangs until
        its callers give up accepts nobody."""
        self._throttle.leaves_watch(self._key, self)

    def _count(self) -> None:
        if not self._asked:
            self._asked = True
            self._throttle.asked(self._key)
