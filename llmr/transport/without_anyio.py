"""httpcore's locks and events from asyncio itself, for as long as nobody in the process uses anyio.

httpcore takes them from anyio, whose asyncio backend is 13 ms to import: a tenth of what a one-shot `chat` costs, for a lock
that nobody else wants and an event that nobody waits for. So what stands in httpcore for the module anyio (a global of one
module, private, and left alone in an httpcore other than 1.0, or where it is not what it was in 1.0.9) gives asyncio's `Lock`
and `Event`, which have the methods that httpcore calls. One that is asked for in another way than 1.0.9 asks is anyio's.

The third thing is a cancel scope that shields cleaning up. It shields from other scopes of anyio, not from asyncio's own
`Task.cancel`; where anyio's backend was never loaded there is no other scope, and nothing is all that it does. Once somebody
loads it, anyio is asked for everything again. What else httpcore may want of anyio (time-outs while it waits for a pool that is
full; ours never is) it gets from there.
"""

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, Final, final

_BACKEND: Final = "anyio._backends._asyncio"
_TRIED: Final = "1.0."  # the versions of httpcore


@final
class _Primitives:
    """In the place of the module `anyio`."""

    def __init__(self, anyio: ModuleType) -> None:
        self._anyio = anyio

    def Lock(self, *values: Any, **named: Any) -> Any:  # noqa: N802 - anyio's name
        return self._anyio.Lock(*values, **named) if values or named or _in_use() else asyncio.Lock()

    def Event(self, *values: Any, **named: Any) -> Any:  # noqa: N802
        return self._anyio.Event(*values, **named) if values or named or _in_use() else asyncio.Event()

    def CancelScope(self, *values: Any, **named: Any) -> AbstractContextManager[Any]:  # noqa: N802
        shields = not values and named == {"shield": True}
        return nullcontext() if shields and not _in_use() else self._anyio.CancelScope(*values, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._anyio, name)


def _in_use() -> bool:
    return _BACKEND in sys.modules


def spare_anyio() -> None:
    """Do as the header says, in httpcore, which is imported."""
    if not str(getattr(sys.modules.get("httpcore"), "__version__", "")).startswith(_TRIED):
        return
    module = sys.modules.get("httpcore._synchronization")
    anyio = getattr(module, "anyio", None)
    if module is not None and isinstance(anyio, ModuleType):
        vars(module)["anyio"] = _Primitives(anyio)
