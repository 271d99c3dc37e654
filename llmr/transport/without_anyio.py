"""httpcore's locks and events from asyncio itself, for as long as nobody in the process uses anyio.

httpcore takes them from anyio, whose asyncio backend is 13 ms to import: a tenth of what a one-shot `chat` costs, for a lock
that nobody else wants and an event that nobody waits for. So what stands in httpcore for the module anyio (a global of one
module, private, and left alone where it is not what it was in 1.0.9) gives asyncio's `Lock` and `Event`, which have the methods
that httpcore calls.

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


@final
class _Primitives:
    """In the place of the module `anyio`."""

    def __init__(self, anyio: ModuleType) -> None:
        self._anyio = anyio

    def Lock(self) -> Any:  # noqa: N802 - anyio's name
        return self._anyio.Lock() if _BACKEND in sys.modules else asyncio.Lock()

    def Event(self) -> Any:  # noqa: N802
        return self._anyio.Event() if _BACKEND in sys.modules else asyncio.Event()

    def CancelScope(self, *, shield: bool) -> AbstractContextManager[Any]:  # noqa: N802
        return self._anyio.CancelScope(shield=shield) if _BACKEND in sys.modules else nullcontext()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._anyio, name)


def spare_anyio() -> None:
    """Do as the header says, in httpcore, which is imported."""
    module = sys.modules.get("httpcore._synchronization")
    anyio = getattr(module, "anyio", None)
    if module is not None and isinstance(anyio, ModuleType):
        vars(module)["anyio"] = _Primitives(anyio)
