"""Several processes behind one socket, for more than one core: each is a whole server, and they share only the store.

The parent serves nobody. It starts the workers, starts another where one dies (`kill -9` loses the requests of that one worker
and nothing that was answered), tells all of them to stop where a signal tells it to, and ends when they have drained. Each of
them holds the other end of a pipe of the parent's: where that is killed, the pipe ends, and the workers stop as if told to.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final, NoReturn

_ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TERMINALS: Final = (signal.SIGINT, signal.SIGHUP)  # sent to a whole process group at once
_MOST_DEATHS: Final = 5  # of workers that served nothing yet: then something is wrong with all of them
_YOUNG_S: Final = 2.0


def heard() -> list[signal.Signals]:
    """The signals that end a server in order, but for those that somebody has us ignore: nohup means it."""
    return [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]


class Workers:
    """`serve` is what a worker does; `monotonic` gives seconds; `died` is told which one did."""

    def __init__(
        self,
        count: int,
        serve: Callable[[], None],
        say: Callable[[str], None],
        monotonic: Callable[[], float],
        died: Callable[[int], None],
    ) -> None:
        self._count = count
        self._serve = serve
        self._say = say
        self._monotonic = monotonic
        self._died = died
        self._alive: dict[int, float] = {}  # pid → when it was started
        self._stopping = False
        self._alive_while, self._held_open = os.pipe()

    def run(self) -> bool:
        """Serve until a signal. False: the workers would not stay alive."""
        for number in heard():
            signal.signal(number, self._stop)
        for _ in range(self._count):
            self._start()
        deaths = 0
        while self._alive:
            pid, _ = os.wait()
            started_s = self._alive.pop(pid, None)
            self._died(pid)
            if started_s is None or self._stopping:
                continue
            deaths = deaths + 1 if self._monotonic() - started_s < _YOUNG_S else 0
            if deaths >= _MOST_DEATHS:
                self._stop(signal.SIGTERM, None)
                return False
            self._say("a worker died; another takes its place")
            self._start()
        return True

    def _start(self) -> None:
        """Start a worker, unless it is the end. A signal that comes meanwhile waits until the worker is known: it would be
        passed on to all but this one, which nobody would ever stop."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            if self._stopping:
                return
            pid = os.fork()
            if pid == 0:
                self._work()
            self._alive[pid] = self._monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)

    def _work(self) -> NoReturn:
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number in _TERMINALS:  # the parent hears them too, and a worker told twice would end at once
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
            os.close(self._held_open)
            threading.Thread(target=self._end_with_parent, name="llmr-parent", daemon=True).start()
            self._serve()
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)  # what stands above this call is the parent's

    def _end_with_parent(self) -> None:
        os.read(self._alive_while, 1)  # nobody writes: it returns at the pipe's end
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self, number: int, _frame: object) -> None:
        again, self._stopping = self._stopping, True
        for pid in self._alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if again:
            os._exit(128 + number)
