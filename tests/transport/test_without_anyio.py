"""httpcore waits with asyncio's own locks and events where nobody uses anyio, and with anyio's where somebody does."""

import asyncio
import importlib
import subprocess
import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import anyio
import httpcore
import pytest
from httpcore import _synchronization as synchronization

from llmr.transport.without_anyio import spare_anyio

BACKEND = "anyio._backends._asyncio"


@pytest.fixture
def spared(monkeypatch):
    """httpcore as a new process finds it, and then spared anyio."""
    monkeypatch.setattr(synchronization, "anyio", anyio)
    spare_anyio()
    return synchronization


@pytest.fixture
def nobody_uses_anyio(monkeypatch):
    monkeypatch.delitem(sys.modules, BACKEND, raising=False)


async def held(module):
    """What httpcore's own wrappers hold, once they have been used."""
    lock, event, shield = module.AsyncLock(), module.AsyncEvent(), module.AsyncShieldCancellation()
    async with lock:
        event.set()
    with shield:
        pass
    return lock._anyio_lock, event._anyio_event, shield._anyio_shield


def test_asyncio_does_where_nobody_uses_anyio(spared, nobody_uses_anyio):
    assert [type(one) for one in asyncio.run(held(spared))] == [asyncio.Lock, asyncio.Event, nullcontext]
    assert BACKEND not in sys.modules


def test_anyio_does_where_somebody_uses_it(spared):
    importlib.import_module(BACKEND)
    lock, event, shield = asyncio.run(held(spared))
    assert isinstance(lock, anyio.Lock)
    assert isinstance(event, anyio.Event)
    assert isinstance(shield, anyio.CancelScope)


REQUEST = f"""
import asyncio, sys
from llmr.catalog import Provider, WireFormat
from llmr.lab import Behavior, LabProvider, LabThread
from llmr.transport import HttpTransport
from llmr.wire.contract import HttpRequest

async def ask(url):
    request = HttpRequest("POST", url + "/chat/completions", (), b'{{"model": "m", "messages": []}}', None)
    async with HttpTransport() as transport:
        async with transport.stream(request, Provider("lab", WireFormat.OPENAI, url), connect_s=5) as reply:
            return reply.status, await reply.body(1_000_000)

with LabThread([LabProvider("lab", lambda *_: Behavior("Hello"))]) as lab:
    print(asyncio.run(ask(lab.url("lab")))[0], {BACKEND!r} in sys.modules)
"""


def test_a_request_is_answered_without_loading_it():
    done = subprocess.run([sys.executable, "-P", "-c", REQUEST], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "200 False\n"


def test_one_who_waits_holds_the_lock_in_turn(spared, nobody_uses_anyio):
    async def two():
        lock, order = spared.AsyncLock(), []

        async def one(name):
            async with lock:
                order.append(f"{name} in")
                await asyncio.sleep(0)
                order.append(f"{name} out")

        await asyncio.gather(one("a"), one("b"))
        return order

    assert asyncio.run(two()) == ["a in", "a out", "b in", "b out"]


def test_what_else_is_asked_for_is_anyios(spared):
    assert spared.anyio.fail_after is anyio.fail_after


def test_what_is_asked_for_as_no_httpcore_yet_asks_is_anyios(spared, nobody_uses_anyio):
    async def asked():
        return spared.anyio.Lock(fast_acquire=True), spared.anyio.CancelScope(deadline=1.0, shield=True)

    lock, scope = asyncio.run(asked())
    assert isinstance(lock, anyio.Lock)
    assert isinstance(scope, anyio.CancelScope)
    assert scope.deadline == 1.0


@pytest.mark.parametrize("version", ["1.1.0", "2.0", "1.00", ""])
def test_an_httpcore_that_was_not_tried_is_left_alone(monkeypatch, version):
    monkeypatch.setattr(synchronization, "anyio", anyio)
    monkeypatch.setattr(httpcore, "__version__", version)
    spare_anyio()
    assert synchronization.anyio is anyio


@pytest.mark.parametrize("found", [None, SimpleNamespace(Lock=None)])
def test_an_httpcore_that_holds_no_module_there_is_left_alone(monkeypatch, found):
    monkeypatch.setattr(synchronization, "anyio", found)
    spare_anyio()
    assert synchronization.anyio is found


def test_it_is_done_once(spared):
    first = spared.anyio
    spare_anyio()
    assert spared.anyio is first
    assert not isinstance(first, ModuleType)
