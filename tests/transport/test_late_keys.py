"""Keys that a vault gives out: fetched once, in a thread, and the end of the run does not wait for them."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from llmr.catalog import Provider, WireFormat
from llmr.errors import CredentialError
from llmr.lab import Behavior, Lab, LabProvider
from llmr.secret import Secret
from llmr.transport.late_keys import at_hand
from llmr.wire.contract import Credential, HttpRequest

Client = Callable[..., Any]


def _refused() -> str:
    raise CredentialError("the vault is locked")


async def _status(client: Client, secret: Secret) -> tuple[int, str]:
    lab = Lab([LabProvider("a", [Behavior("hi")])])
    async with lab.serving(), client() as transport:
        request = HttpRequest("POST", lab.url("a"), (), b"{}", Credential("authorization", "Bearer ", secret))
        async with transport.stream(request, Provider("a", WireFormat.OPENAI, lab.url("a")), connect_s=5) as reply:
            return reply.status, dict(lab.provider("a").requests[0].headers)["authorization"]


def test_a_late_key_is_fetched_before_the_request_leaves(client: Client, run: Any) -> None:
    fetched: list[str] = []

    def fetch() -> str:
        fetched.append(threading.current_thread().name)
        return "late-key-123"

    secret = Secret.late(fetch)
    assert not secret.is_at_hand
    assert run(_status(client, secret)) == (200, "Bearer late-key-123")
    assert run(_status(client, secret))[0] == 200
    assert fetched == ["llmr-key"]  # once, and not in the event loop


def test_a_key_that_cannot_be_fetched_stops_the_request_in_the_vaults_words(client: Client, run: Any) -> None:
    secret = Secret.late(_refused)
    for _ in range(2):
        with pytest.raises(CredentialError, match="the vault is locked"):
            run(_status(client, secret))


def test_a_vault_that_waits_for_a_finger_does_not_hold_up_the_end() -> None:
    release = threading.Event()

    def fetch() -> str:
        release.wait()  # whoever waits for it waits for ever
        return "late-key-123"

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await at_hand(Secret.late(fetch))

    asyncio.run(scenario())
    release.set()
