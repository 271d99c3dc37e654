"""Real processes that are let go at the same moment: what a race needs. Test modules import this as `processes`."""

import json
import os
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any


class Child:
    """A forked process that runs `work` once `gate` is closed by everybody, and says how that went."""

    def __init__(self, work: Callable[[], Any], gate: tuple[int, int]) -> None:
        self._answer, answer_in = os.pipe()
        with (
            warnings.catch_warnings()
        ):  # newer Pythons warn where another thread is alive; no child here meets its locks
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid:
            os.close(answer_in)
            return
        status = 1
        try:
            wait, go = gate
            os.close(go)
            os.read(wait, 1)
            os.write(answer_in, json.dumps(work()).encode())
            status = 0
        except BaseException:  # noqa: BLE001 - told by the parent
            os.write(answer_in, traceback.format_exc().encode()[-60_000:])
        finally:
            os._exit(status)

    def result(self) -> Any:
        """What `work` returned. A negative number: the signal that killed it."""
        with os.fdopen(self._answer, "rb") as pipe:
            answer = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if status < 0:
            return status
        assert status == 0, answer.decode()
        return json.loads(answer)


def run_together(works: list[Callable[[], Any]]) -> list[Any]:
    wait, go = os.pipe()
    children = [Child(work, (wait, go)) for work in works]
    os.close(go)  # the last one who held it: now all of them read the end of the pipe
    os.close(wait)
    return [child.result() for child in children]


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Runs `work(0)` … `work(count - 1)`, each in a process of its own, all let go at the same moment."""
    return run_together([partial(work, number) for number in range(count)])
