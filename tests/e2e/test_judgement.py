"""Judgement over real sockets: slow providers, shared quotas, windows, hedges; what issue 3 promises."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from random import Random
from typing import Any

from llmr.app import SystemClock
from llmr.catalog import Catalog, Model, NamedModel, Provider, Strategy, WireFormat
from llmr.chat import ChatRequest, Message, Role
from llmr.lab import Behavior, LabProvider, LabThread, rate_limited
from llmr.registry import ProviderRegistry
from llmr.router import Answering, Router
from llmr.routing.budget import Budget
from llmr.routing.policy import Policy
from llmr.routing.rules import RulesEngine
from llmr.state import Change
from llmr.state.sqlite import open_store
from llmr.transport import HttpTransport
from llmr.wire import wire_for

SLOW_S, FAST_S, USUAL_S = 0.36, 0.06, 0.2


class ShiftedClock(SystemClock):
    """Real time, but for a wall clock that can be moved on."""

    later_s = 0.0

    def now(self) -> float:
        return super().now() + self.later_s


async def asked(router: Router, times: int, model: str = "m") -> list[str]:
    """Who answered each of so many requests in a row."""
    answered: list[str] = []
    for _ in range(times):
        request = ChatRequest((Message.text(Role.USER, "hi"),), model=model)
        async with aclosing(router.stream(request)) as events:
            answered += [e.candidate.model.provider.name async for e in events if isinstance(e, Answering)]
    return answered


def test_a_provider_that_turns_slow_loses_its_traffic_and_gets_it_back(tmp_path: Path) -> None:
    star, second = LabProvider("star", [Behavior(ttft_s=FAST_S)]), LabProvider("second", [Behavior(ttft_s=USUAL_S)])
    with LabThread([star, second]) as lab:
        providers = {name: Provider(name, WireFormat.OPENAI, lab.url(name)) for name in ("second", "star")}
        models = {f"{name}/m": Model(provider, "m") for name, provider in providers.items()}
        catalog = Catalog(providers, {"m": NamedModel("m", tuple(models))}, models)
        clock, policy, chance = ShiftedClock(), Policy(strategy=Strategy.LATENCY), Random(7)

        async def day() -> list[list[str]]:
            with open_store(tmp_path / "state" / "state.db", clock.now) as store:
                registry = ProviderRegistry(store, policy.breaker, chance)
                async with HttpTransport() as transport:
                    router = Router(
                        catalog=catalog, rules=RulesEngine((), policy.strategy), policy=policy, registry=registry,
                        transport=transport, wires=wire_for, clock=clock, chance=chance,
                    )  # fmt: skip
                    for name in models:
                        await asked(router, 16, name)
                    morning = await asked(router, 10)
                    star.follow([Behavior(ttft_s=SLOW_S)])
                    brownout = await asked(router, 24)
                    star.follow([Behavior(ttft_s=FAST_S)])
                    clock.later_s = 7200.0
                    evening = await asked(router, 16)
            return [morning, brownout, evening]

        morning, brownout, evening = asyncio.run(day())
    assert morning[-6:].count("star") >= 5, morning
    assert brownout[-6:].count("second") >= 5, brownout
    assert evening[-6:].count("star") >= 5, evening


def test_a_429_on_one_of_two_that_share_a_quota_keeps_both_unasked_for_its_time(box: Any) -> None:
    here = box([LabProvider("a", [rate_limited("3")]), LabProvider("b"), LabProvider("c", [Behavior(text="from c")])])
    here.config_file.write_text(
        here.config_file.read_text()
        .replace("[providers.a]", '[providers.a]\nshares = "one-account"')
        .replace("[providers.b]", '[providers.b]\nshares = "one-account"')
    )
    a, b = here.lab.provider("a"), here.lab.provider("b")
    assert here.run("chat", "hi").out == "from c"
    assert not b.requests  # not even in the request that met the 429
    a.follow([Behavior(text="from a")])
    answers = {here.end(process).out for process in [here.start("chat", "hi") for _ in range(3)]}
    assert answers <= {"from a", "from c", "Hello from the lab."}
    back = any(here.run("chat", "hi").out != "from c" for _ in range(60))  # each takes a part of a second
    assert back, "the quota is back after three seconds"
    limited, *later = sorted([*a.requests, *b.requests], key=lambda request: request.arrived_s)
    assert later
    assert all(request.arrived_s - limited.arrived_s >= 3 for request in later)


def test_a_200k_token_prompt_never_reaches_a_128k_model(box: Any) -> None:
    here = box([LabProvider("small"), LabProvider("large", [Behavior(text="from large")])])
    here.config_file.write_text(
        here.config_file.read_text()
        + '\n[providers.small.models."lab-model"]\ncontext_window_tokens = 128_000\n'
        + '[providers.large.models."lab-model"]\ncontext_window_tokens = 1_000_000\n'
    )
    ended = here.run("chat", "summarise", stdin=b"word " * 180_000)
    assert (ended.code, ended.out) == (0, "from large")
    assert not here.lab.provider("small").requests
    here.lab.provider("large").follow([Behavior(status=500)])
    ended = here.run("chat", "summarise", stdin=b"word " * 180_000)
    assert ended.code == 5
    assert not here.lab.provider("small").requests


def test_three_processes_hedge_within_one_budget(box: Any) -> None:
    here = box(
        [LabProvider("late", [Behavior(text="from late", ttft_s=4.0)]), LabProvider("b", [Behavior(text="from b")])]
    )
    here.state_file.parent.mkdir(parents=True, mode=0o700)
    key = "q:late#"
    with open_store(here.state_file, SystemClock().now) as store:
        store.transact({key}, lambda _rows, _now: Change(None, {key: Budget(hedges=2.0).to_row()}))
    ended = [here.end(process) for process in [here.start("chat", "--hedge", "hi") for _ in range(3)]]
    assert [one.code for one in ended] == [0, 0, 0]
    assert sorted(one.out for one in ended) == ["from b", "from b", "from late"]
    assert len(here.lab.provider("b").requests) == 2
    assert sum("silent for" in one.err for one in ended) == 2
    with open_store(here.state_file, SystemClock().now) as store:
        assert Budget.from_row(store.read([key])[key]).hedged == 2
