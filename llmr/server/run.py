"""The gateway in a process: a socket, an event loop, Apps over the shared store, and an orderly end.

SIGTERM, SIGINT and SIGHUP: no new connection, what is under way may finish for `drain_s`, exit code 0; a second one ends at
once.
"""

import asyncio
import gc
import logging
import os
import random
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from llmr.app import SystemClock
from llmr.config.build import Config
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, UsageError
from llmr.server.access_log import AccessLog, to_stdout
from llmr.server.gateway import Gateway
from llmr.server.generations import Generations
from llmr.server.guard import Guard
from llmr.server.limits import LIMITS, Limits
from llmr.server.metrics import Metrics, forget_worker
from llmr.server.protocol import BoundedProtocol
from llmr.server.reload import Load, follow
from llmr.server.token import ServerToken
from llmr.server.trace import Tracer
from llmr.server.unix import listening_at, port_of, remove
from llmr.server.workers import Workers, heard

TRACING: Final = "LLMR_OTEL"
_BACKLOG: Final = 512
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_GC_THRESHOLDS: Final = (10_000, 20, 50)  # a request makes some 3,000 objects, and next to no cycles
_CUT_OFF_S: Final = 3.0  # for those that were cut off: books, sockets and a line in the log
_MORE_ACCEPTS: Final = 15
# uvloop accepts one connection per socket and turn of the loop, and a turn with 64 requests in it takes 10 ms: the last of 64
# clients that came together was let in after 600. As many sockets for the one port let in as many a turn.
_SWITCH_S: Final = (
    0.0005  # how long the thread that writes history may keep the loop waiting; Python's own is ten times that
)

_COMPLAINING: Final = ("uvicorn.error", "opentelemetry")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve. `hosts` and `origins` as guard.Guard has them; `behind_tls`: a proxy in front encrypts; `unix`: on a socket
    in the file system, not on a port; `metrics_dir`: where workers count together, None where there is one; `passes` as
    gateway.Gateway has it."""

    host: str = "127.0.0.1"
    port: int = 8787
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    behind_tls: bool = False
    log_requests: bool = True
    traced: bool = False
    workers: int = 1
    unix: Path | None = None
    metrics_dir: Path | None = None
    limits: Limits = LIMITS
    passes: tuple[str, ...] = ()


def listening(options: Options) -> socket.socket:
    """The socket. Raises UsageError where it cannot be had, or would be open to a network without TLS."""
    if options.unix is not None:
        return listening_at(options.unix, _BACKLOG)
    if options.host not in _LOOPBACK and not options.behind_tls:
        raise UsageError(
            f"--host {options.host} would offer your keys' credit to a network, unencrypted; put a TLS proxy in front of it "
            "and say --behind-tls, or stay on 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{options.host}:{options.port}: {reason.lower()}; --port takes another") from error


def put_away(options: Options, listener: socket.socket) -> None:
    """What a server leaves behind in the file system goes with it."""
    if options.unix is not None:
        remove(options.unix, listener)


def serve(
    config: Config,
    options: Options,
    token: ServerToken,
    listener: socket.socket,
    *,
    load: Load,
    watched: Sequence[Path],
    say: Say,
) -> bool:
    """Serve until a signal says to stop. `load` reads the configuration anew when one of the files `watched` has changed.
    False: the workers would not stay alive."""

    def one() -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serving(config, options, token, listener, load, watched, say))

    def died(pid: int) -> None:
        if options.metrics_dir is not None:
            forget_worker(options.metrics_dir, pid)

    if options.workers > 1:
        return Workers(options.workers, one, say, SystemClock().monotonic, died).run()
    one()
    return True


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it exists for this system; None: asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serving(
    config: Config,
    options: Options,
    token: ServerToken,
    listener: socket.socket,
    load: Load,
    watched: Sequence[Path],
    say: Say,
) -> None:
    write = to_stdout if options.log_requests else None
    async with Generations(config) as generations:

        def redact(text: str) -> str:
            return generations.app.redact.with_secrets([token.secret])(text)

        with AccessLog(redact, write) as log, _complaints(lambda line: say(redact(line))):
            gateway = gateway_for(generations, token, port_of(listener), log, options=options, limits=options.limits)
            following = asyncio.create_task(follow(watched, load, generations, lambda line: say(redact(line))))
            _settle_down()
            try:
                await Server(gateway, options.limits).serve(
                    sockets=[listener, *(listener.dup() for _ in range(_MORE_ACCEPTS))]
                )
            finally:
                following.cancel()
                await asyncio.wait([following])  # it may be opening an App
                if gateway.tracer is not None:
                    gateway.tracer.close()
    for notice in generations.notices:
        say(notice)


def _settle_down() -> None:
    """Tune the interpreter for many short requests beside a thread that writes."""
    gc.collect()
    gc.freeze()  # what is loaded now stays: the collector need not look at it again
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_S)


def gateway_for(
    generations: Generations,
    token: ServerToken,
    port: int,
    log: AccessLog,
    *,
    options: Options,
    limits: Limits = LIMITS,
) -> Gateway:
    """The ASGI application."""
    hosts = (*options.hosts, *(() if options.host in (*_LOOPBACK, "0.0.0.0", "::") else (options.host,)))  # noqa: S104 - not bound here
    guard = Guard(token, port, tuple(host.lower() for host in hosts), options.origins)
    chance = random.Random()  # noqa: S311 - ids of requests, no secrets
    tracer = tracer_kind()() if options.traced else None
    return Gateway(
        generations, guard, log, Metrics(options.metrics_dir), chance, limits, tracer, frozenset(options.passes)
    )


def tracer_kind() -> Callable[[], Tracer]:
    """What makes a tracer. Raises ConfigError where its packages are missing."""
    try:
        from llmr.server.tracing import OtelTracer  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"{TRACING}=1 needs more packages ({error.name}): pip install 'llmr[otel]'") from None
    return OtelTracer


class Server(uvicorn.Server):
    """uvicorn, with our protocol and our way to stop."""

    def __init__(self, gateway: Gateway, limits: Limits = LIMITS) -> None:
        protocol = type("Protocol", (BoundedProtocol,), {"limits": limits})
        super().__init__(
            uvicorn.Config(
                gateway,  # pyright: ignore[reportArgumentType] - uvicorn wants its own types for the same three things
                http=protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=int(limits.idle_s),
                timeout_graceful_shutdown=int(limits.drain_s),
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """uvicorn raises the signal again at its end; here an orderly end is exit code 0."""
        loop, ours = asyncio.get_running_loop(), heard()
        try:
            for number in ours:
                loop.add_signal_handler(number, self._stop, number)
        except (RuntimeError, ValueError):  # not the main thread: whoever runs the server stops it
            yield
            return
        try:
            yield
        finally:
            for number in ours:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn cancels what is not over when the drain is, and does not wait for it to be booked and logged."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_CUT_OFF_S)

    def _stop(self, number: int) -> None:
        if self.should_exit:
            os._exit(128 + number)
        self.should_exit = True


@contextmanager
def _complaints(say: Say) -> Generator[None]:
    """What uvicorn and OpenTelemetry have to say, a bug's traceback included, goes through ours: redacted, a line each."""

    class _Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError):
                return  # cut off at the drain's end: how many, uvicorn has said, and who, the log
            for line in self.format(record).splitlines():
                say(line)

    handler = _Handler(logging.ERROR)
    loggers = [logging.getLogger(name) for name in _COMPLAINING]
    propagated = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, was in zip(loggers, propagated, strict=True):
            logger.removeHandler(handler)
            logger.propagate = was
