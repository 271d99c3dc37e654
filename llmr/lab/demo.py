"""Three providers to try llmr with, on a machine that has neither a key nor a model server.

They differ in what routing is about: one is fast and unreliable, one is steady, one is slow. The first request of a run is
answered by a fallback, for the fast one is asked first and fails, and the answer says that it was told to. No model is
asked and nothing leaves the machine, and each answer says so first: nobody should take an echo for
intelligence.
"""

import json
import random
from typing import Any, Final, TypeGuard

from llmr.catalog import Catalog, Model, NamedModel, Price, Provider, WireFormat
from llmr.config.build import Config
from llmr.lab.behavior import Behavior, Fault, LogNormal, rate_limited
from llmr.lab.dialect import member
from llmr.lab.provider import LabProvider, LabRequest
from llmr.lab.server import Lab, LabThread
from llmr.routing.policy import Policy

DEMO_MODEL: Final = "demo"
"""The name to ask for, and the model's id at each demo provider."""

_PROMPT_CUT: Final = 160  # characters of the prompt that are echoed: enough to see that it arrived

_ANSWER: Final = (
    "This is {name}, a demo provider that runs inside llmr: "
    "no model was asked, and nothing left this machine.\n\n"
    "You said: {prompt}\n\n"
    "For a real answer set a key such as OPENAI_API_KEY, or start a local server such as Ollama, "
    "and leave --demo out. With -v llmr tells who was asked and who failed: demo-fast fails the first time that it is "
    "asked, as it was told to, so that there is something to see."
)

# Seconds to the first token and between tokens: within what people see from a small hosted model, so that the
# fast one is visibly fast and the slow one bearable.
_FAST_TTFT: Final = LogNormal(median_s=0.08, sigma=0.3)
_STEADY_TTFT: Final = LogNormal(median_s=0.25, sigma=0.2)
_SLOW_TTFT: Final = LogNormal(median_s=0.9, sigma=0.3)
_FAST_FAILURES: Final = 0.3  # of all requests to demo-fast but the first, which always fails


def demo_providers(rng: random.Random) -> tuple[LabProvider, LabProvider, LabProvider]:
    """`demo-fast` (fails at first and then three times in ten, always before its first token), `demo-steady`, `demo-slow`."""

    def fast(n: int, request: LabRequest) -> Behavior:
        if n == 1:  # whoever tries it once has come to see this
            return _FAILURES[0]
        if rng.random() < _FAST_FAILURES:
            return rng.choice(_FAILURES)
        return Behavior(text=_answer("demo-fast", request), ttft_s=_FAST_TTFT, token_s=0.006)

    def steady(_: int, request: LabRequest) -> Behavior:
        return Behavior(text=_answer("demo-steady", request), ttft_s=_STEADY_TTFT, token_s=0.012)

    def slow(_: int, request: LabRequest) -> Behavior:
        return Behavior(text=_answer("demo-slow", request), ttft_s=_SLOW_TTFT, token_s=0.03)

    return (
        LabProvider("demo-fast", fast, models=(DEMO_MODEL,)),
        LabProvider("demo-steady", steady, models=(DEMO_MODEL,)),
        LabProvider("demo-slow", slow, models=(DEMO_MODEL,)),
    )


def demo_lab(rng: random.Random) -> Lab:
    """A lab of the three, on free ports, not serving yet."""
    return Lab(demo_providers(rng), rng=rng)


def demo_config(lab: Lab | LabThread) -> Config:
    """A configuration that knows a lab which is serving, and nothing else: nobody's files, keys or state.

    The name `demo`, the default, stands for all of its providers.
    """
    providers = {
        one.name: Provider(one.name, WireFormat.OPENAI, lab.url(one.name), local=True) for one in lab.providers
    }
    models = [Model(provider, DEMO_MODEL, price=Price(0.0, 0.0)) for provider in providers.values()]
    named = NamedModel(DEMO_MODEL, tuple(model.key for model in models))
    catalog = Catalog(providers, {DEMO_MODEL: named}, {model.key: model for model in models}, default_model=DEMO_MODEL)
    return Config(catalog=catalog, rules=(), policy=Policy(exploration=0.0), state_path=None)


_FAILURES: Final = (
    Behavior(status=503, error_message="demo-fast is overloaded, as it was told to be"),
    Behavior(status=500, error_message="demo-fast failed, as it was told to"),
    rate_limited("1"),
    Behavior(fault=Fault.CUT, fault_at=0),
)


def _answer(name: str, request: LabRequest) -> str:
    prompt = _prompt(request.json)
    cut = prompt if len(prompt) <= _PROMPT_CUT else prompt[:_PROMPT_CUT] + "…"
    return _ANSWER.format(name=name, prompt=json.dumps(cut, ensure_ascii=False))


def _prompt(body: Any) -> str:
    """The text of the last message, on one line; "" where there is none that is text."""
    messages = member(body, "messages")
    content = member(messages[-1], "content") if _is_list(messages) and messages else None
    parts = content if _is_list(content) else [{"text": content}]
    texts = [member(part, "text") for part in parts]
    return " ".join(" ".join(text for text in texts if isinstance(text, str)).split())


def _is_list(document: Any) -> TypeGuard[list[Any]]:
    return isinstance(document, list)
