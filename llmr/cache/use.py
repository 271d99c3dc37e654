"""Whether a request may be looked up, and its answer kept: what the user, a rule and the request say, as one verdict.

says no          a rule's `cache = false`, or the request itself ─▶ neither; a no is final, for it is about privacy
asked for        a rule's `cache = true`, --cache, `x-llmr-cache: true` ─▶ both, tools included
nobody says      `[cache] enabled` ─▶ both, but never where tools are offered: what a tool does would not be done again
no-cache         not looked up, kept anew                    (RFC 9111 §5.2.1.4)
no-store         not kept; what is kept already may be given (RFC 9111 §5.2.1.5)
"""

from typing import Final

from llmr.chat import ChatRequest, FinishReason
from llmr.dataclass import dataclass

_WHOLE: Final = frozenset({FinishReason.STOP, FinishReason.TOOL_CALLS})
_TOOLS_OF_PROVIDERS: Final = frozenset({"web_search_options", "plugins"})  # an answer that was looked up ages


@dataclass(frozen=True, slots=True)
class CacheUse:
    """`reads`: an answer that is kept may be given; `writes`: a new one may be kept."""

    reads: bool
    writes: bool


NONE: Final = CacheUse(reads=False, writes=False)


def cache_use(request: ChatRequest, *, ruled: bool | None, enabled: bool) -> CacheUse:
    """The verdict. `ruled`: the word of the last matching rule that has one; `enabled`: `[cache] enabled`."""
    wish = request.cache
    if wish.use is False or ruled is False:
        return NONE
    asked_for = bool(wish.use or ruled)
    has_tools = bool(request.tools) or bool(_TOOLS_OF_PROVIDERS & request.extra.keys())
    if not asked_for and (not enabled or has_tools):
        return NONE
    return CacheUse(reads=not wish.fresh, writes=wish.keep)


def is_whole(finish: FinishReason | None) -> bool:
    """Whether an answer that ended so may be kept: not one that was cut, filtered, refused or paused."""
    return finish in _WHOLE
