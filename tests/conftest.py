"""For every test: no network but loopback, and `fakes` within reach.

With importmode=importlib pytest puts no test folder on the path, so this file adds its own, last, where it shadows nothing.
"""

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

sys.path.append(str(Path(__file__).parent))

from fakes import PATIENCE_S, FakeClock

T = TypeVar("T")

settings.register_profile("llmr", deadline=None)  # how long an example takes says what else this machine is doing
settings.load_profile("llmr")

_LOCAL_NAMES = {"localhost", "", None}


class NetworkDenied(RuntimeError):
    """A test tried to leave this machine."""


def _is_local(host: Any) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in _LOCAL_NAMES or (isinstance(name, str) and name.endswith(".localhost")):
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def _check(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise NetworkDenied(f"a test may reach loopback only, not {address!r}")


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Every connection, datagram and name look-up that would leave the machine fails. Child processes are on their own."""
    connect, connect_ex, sendto, getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.getaddrinfo,
    )

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(self.family, address)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(self.family, address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, content: Any, *rest: Any) -> int:
        _check(self.family, rest[-1])
        return sendto(self, content, *rest)

    def guarded_getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if not _is_local(host):  # as a resolver without a network would say it, so that code meets what it must handle
            raise socket.gaierror(socket.EAI_NONAME, f"a test may look up loopback only, not {host!r}")
        return getaddrinfo(host, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket.socket, "sendto", guarded_sendto)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture
def clock() -> FakeClock:
    """Time that moves only when someone sleeps."""
    return FakeClock()


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine in a loop of its own, with an end."""

    def running(scenario: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))

    return running
