"""The adaptive throttle of a server: one count per name and per way of asking for it, in memory, of this process alone.

What a caller asks for is part of the key: somebody who insists on a provider that is down says nothing about the others. Keys
are made of a plan, so a name that nobody knows never gets here; what has faded is forgotten.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from llmr.chat import ChatRequest
from llmr.errors import AllAttemptsFailed, TurnedAway
from llmr.routing.rules import Plan
from llmr.routing.throttle import NOBODY_COULD, Load, turned_away_share
from llmr.routing.verdict import verdict

_MOST_KEYS: Final = 1024  # hints are the callers' own words
_AGAIN_S: Final = 1.0  # where nothing says when somebody may be asked

Key = tuple[str, str | None, tuple[str, ...]]


class Throttle:
    """`monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float], chance: Random) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._loads: dict[Key, Load] = {}
        self._again_at_s: dict[Key, float] = {}

    def enter(self, request: ChatRequest, plan: Plan) -> None:
        """Raises TurnedAway for a request that is turned away. One that is let through counts when it is over: as long
        as it is under way, it has not failed, and a minute's answer is no failure."""
        key, now_s = _key(request, plan), self._monotonic()
        load = self._loads.get(key, Load()).as_of(now_s)
        share = turned_away_share(load)
        if share > 0.0 and self._chance.random() < share:
            self._note(key, load.asked())
            again_s = max(_AGAIN_S, self._again_at_s.get(key, now_s) - now_s)
            told = f"nobody has been able to answer for {plan.asked!r}, so {share:.0%} of its requests are turned away unasked"
            raise TurnedAway(told, failures=(), retry_after_s=again_s)

    def accepted(self, request: ChatRequest, plan: Plan) -> None:
        """Somebody took a request that was let through."""
        key = _key(request, plan)
        self._note(key, self._loads.get(key, Load()).as_of(self._monotonic()).asked().accepted())
        self._again_at_s.pop(key, None)

    def failed(self, request: ChatRequest, plan: Plan, error: AllAttemptsFailed) -> bool:
        """Whether `error` says that nobody could; else the request itself was at fault, and that is an answer."""
        if verdict(error.failures) not in NOBODY_COULD:
            return False
        key, now_s = _key(request, plan), self._monotonic()
        self._note(key, self._loads.get(key, Load()).as_of(now_s).asked())
        if error.retry_after_s is not None:
            self._again_at_s[key] = now_s + error.retry_after_s
        return True

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


def _key(request: ChatRequest, plan: Plan) -> Key:
    return plan.asked, request.provider, request.tags
