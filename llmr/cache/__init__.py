"""The answer cache: what was answered before may be given again, where the user wants that.

key.py          what makes two requests the same: a canonical hash
use.py          whether this request may be looked up and its answer kept: pure
answer_json.py  an answer as JSON and back, so that a hit streams as its answer once did
store.py        the SQLite file, beside state.db and apart from it: prompts and answers are the user's, history is not
agreement.py    what two prompts must agree in before one may stand for the other: pure
likeness.py     vectors: how they are kept, and how alike two are

The step itself is router/cached.py. Whatever goes wrong here costs a request its hit and nothing else.
"""

from llmr.chat import Delta
from llmr.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole answer. `at` wall-clock seconds; `ttft_s`, `took_s` seconds that it took; `cost_usd` None: unknown.

    `group`, `prompt` and `vector` are there for the semantic cache: what must be equal, the text that is compared, and
    what `embedder` made of it. Without it they are empty.
    """

    key: str
    at: float
    provider: str
    model: str
    deltas: tuple[Delta, ...]
    ttft_s: float = 0.0
    took_s: float = 0.0
    cost_usd: float | None = None
    group: str = ""
    prompt: str = ""
    vector: bytes = b""
    embedder: str = ""


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What `llmr cache stats` tells. Counts since the file was begun; `bytes` and `entries` are of this moment. `saved_usd`:
    what the answers that were given again had cost."""

    entries: int
    bytes: int
    hits: int
    semantic_hits: int
    misses: int
    kept: int
    evicted: int
    saved_usd: float
    oldest_at: float | None

    @property
    def hit_rate(self) -> float | None:
        """Hits of all look-ups, 0 to 1; None before the first."""
        looked = self.hits + self.semantic_hits + self.misses
        return (self.hits + self.semantic_hits) / looked if looked else None
