"""What the answer cache knows that would do for a request: reading only, and no event loop, so that a thread may do it."""

from typing import Final, final

from llmr.cache import Kept
from llmr.cache.agreement import agree
from llmr.cache.likeness import likeness, unpacked
from llmr.cache.store import AnswerStore
from llmr.chat import ChatRequest, ChatResponse
from llmr.dataclass import dataclass
from llmr.routing.rules import Candidate, Plan

_RECENT: Final = 100  # answers of a group that are compared: some 6 ms


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer is kept, as in cache.Kept."""

    key: str
    group: str = ""
    prompt: str = ""
    vector: bytes = b""
    embedder: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found. `likeness` None: it is the same request."""

    kept: Kept
    candidate: Candidate
    likeness: float | None


@final
class Lookup:
    """Prompts that are `threshold` alike, and agree, may share an answer."""

    def __init__(self, store: AnswerStore, threshold: float) -> None:
        self._store = store
        self._threshold = threshold

    def same(self, request: ChatRequest, plan: Plan, key: str, likeness: float | None = None) -> Hit | None:
        """The answer that is kept under `key`, if the one who gave it may still be asked."""
        kept = self._store.find(key, max_age_s=request.cache.max_age_s)
        candidate = _giver(kept, plan)
        if kept is None or candidate is None or not _accepted(kept, request):
            return None
        return Hit(kept, candidate, likeness)

    def likely(self, request: ChatRequest, plan: Plan, place: Place) -> Hit | None:
        """The answer to the most alike of the prompts that agree with this one, if it is alike enough."""
        if not place.vector:
            return None
        own = unpacked(place.vector)
        recent = self._store.recent(place.group, place.embedder, _RECENT)
        alike = sorted(((likeness(own, unpacked(vector)), key, prompt) for key, prompt, vector in recent), reverse=True)
        for how_much, key, prompt in alike:
            if how_much < self._threshold:
                break
            if agree(prompt, place.prompt):
                found = self.same(request, plan, key, min(1.0, how_much))
                if found is not None:
                    return found
        return None


def _giver(kept: Kept | None, plan: Plan) -> Candidate | None:
    """The candidate that gave the answer, if it still is one."""
    if kept is None:
        return None
    return next(
        (
            one
            for one in plan.candidates
            if one.key == f"{kept.provider}/{kept.model}" and not one.model.provider.off_reason
        ),
        None,
    )


def _accepted(kept: Kept, request: ChatRequest) -> bool:
    """Whether the request's own check has nothing against the answer."""
    return request.accept is None or request.accept(ChatResponse.from_deltas(kept.deltas)) is None
