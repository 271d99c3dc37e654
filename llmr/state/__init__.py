"""The state store: what one process learns and the next one knows.

The store knows nothing of breakers or latency. It holds JSON rows by key, and runs *pure functions* over them inside a
transaction:

    step(rows, now) -> Change(writes, result)

`transact` first runs the step on a plain read. A step that wants to write nothing is done: no lock was taken, which is what
makes a refusal and an admission through a closed circuit cheap. Otherwise the lock is taken, rows and clock are read again
and the step is run again: being pure, it may be. So `now` is always read after the lock is held, and the same step serves
memory, SQLite and, later, a networked store that speaks compare-and-set.

Beside the rows stands the history: one record per request and per attempt, appended, read by time.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from llmr.dataclass import dataclass

Row = Any
"""A JSON value. The part that owns the key gives it a shape; see registry.py."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try, as history keeps it: no prompt, no answer, no key, no foreign message.

    Times are wall-clock seconds, durations seconds; `outcome` is "ok" or an ErrorKind; `code` is the provider's own short
    code, kept only where it is shaped like one. None: not known. `hedge`: asked beside a late one; `cost_estimated`: nobody
    counted the tokens, the prompt and what came of the answer were priced by their length.
    """

    request_id: str
    at: float
    provider: str
    model: str
    outcome: str
    streamed: bool
    total_s: float
    ttft_s: float | None = None
    status: int | None = None
    code: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    probe: bool = False
    hedge: bool = False
    cost_estimated: bool = False


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request: what was asked for, who answered. `decision` is the ranking as JSON text, for `llmr explain`."""

    id: str
    at: float
    asked_model: str
    strategy: str
    outcome: str
    total_s: float
    attempts: int
    provider: str | None = None
    model: str | None = None
    ttft_s: float | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What a step wants: rows to write (None deletes), records to append, and its result."""

    result: T
    writes: Mapping[str, Row | None] = field(default_factory=dict[str, Any])
    append: Sequence[AttemptRecord | RequestRecord] = ()


Step = Callable[[Mapping[str, Row], float], Change[T]]
"""`(rows that exist, wall-clock now) -> Change`. Pure: it may be run twice."""


class StateStore(Protocol):
    """Shared by every process on the machine, and by the threads of one. Every method may raise StateBusy or StateUnusable.

    Neither is the end of the store: the next call may well succeed.
    """

    @property
    def notices(self) -> Sequence[str]:
        """What a person should be told once: set aside as corrupt, in memory only and why. One line each.

        Damage may show itself late, so the last look is taken at the end of a run.
        """
        ...

    def read(self, keys: Collection[str]) -> Mapping[str, Row]:
        """The rows of `keys` that exist, as of one moment. Nobody may change one: it may be given out again."""
        ...

    def scan(self, prefix: str) -> Mapping[str, Row]:
        """Every row whose key starts with `prefix`, as of one moment."""
        ...

    def transact(self, keys: Collection[str], step: Step[T], *, wait_s: float | None = None) -> T:
        """Run `step` over the rows of `keys`, write what it says, return its result. It may only write keys it named.

        `wait_s` bounds the wait for the lock, None: the store's own patience (0.25 s). Raises StateBusy after that, having
        written nothing. Raises ValueError or TypeError, likewise, for a key it did not name and for a row that is no JSON. A
        count or text in a record that no column can hold is kept as None, or with question marks.
        """
        ...

    def attempts(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[AttemptRecord]:
        """Attempts in the order in which they were appended, the last `limit` of those at or after `since`."""
        ...

    def requests(self, *, since: float = 0.0, limit: int | None = None) -> Sequence[RequestRecord]:
        """Requests, likewise."""
        ...

    def requests_named(self, prefix: str) -> Sequence[RequestRecord]:
        """The requests whose id begins with `prefix`, in the order in which they were appended."""
        ...

    def attempts_of(self, request_id: str) -> Sequence[AttemptRecord]:
        """The attempts of one request, likewise."""
        ...

    def spent(self, *, since: float = 0.0) -> Mapping[str, float]:
        """Dollars by `provider/model` of the attempts at or after `since`; without those whose cost nobody knows."""
        ...

    def close(self) -> None:
        """Release what is held. The store is not used again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
