"""`llmr providers probe`: one small real request to every provider that is ready, all at once.

It goes through the router like any other request, and counts in the books like any other attempt: what was just learnt of a
provider must not be thrown away, and a probe that could not close a circuit would be no answer to "is it back?". So a spent
budget and the user's rules hold here too, and are told instead of got round; so does an open circuit, unless its provider is
asked about by name: who has just mended a key or a purse asks to know, and is the one probe that the circuit lets through.
One attempt each, no retry, no second provider: the question is how *this* one is.

The model is the cheapest that the settings name at that provider. Servers on this machine are asked only when they are up.
Each is told when it is over, and nobody is waited for longer than the time limit.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from llmr.app import App, opened
from llmr.catalog import Catalog, Model, Provider, Strategy
from llmr.chat import ChatRequest, Message, Role
from llmr.cli.exit_codes import exit_code_of, worst_of
from llmr.cli.keys import provider_of
from llmr.cli.listing import configured, told
from llmr.cli.model_list import Outcome, ask
from llmr.cli.output import print_line
from llmr.cli.screen import Screen, screen, show
from llmr.config.build import Config
from llmr.dataclass import dataclass
from llmr.errors import AllAttemptsFailed, Failure, LlmrError, NoProviderReady, StreamInterrupted
from llmr.render.figures import dollars, seconds
from llmr.render.ink import Keep, Line, Span, Tone, clipped, ink, width_of, wrapped_line
from llmr.router import Answering, AttemptStarted, Bill, Decided, Finished
from llmr.routing.policy import FallbackPolicy, HedgingPolicy

SCHEMA: Final = "llmr.probe/1"
PROMPT: Final = "Reply with the one word: ok"
MOST_TOKENS: Final = 1024  # a word needs two; a reasoning model thinks first, and an answer without a word is none
ENOUGH_CHARACTERS: Final = 16  # more than the word that was asked for: who tells a story is not heard to its end
LIST_S: Final = 5.0  # how long a provider's list of models is waited for, where the settings name none
LOCAL_S: Final = 0.5  # a server on this machine that lists no models by then is not up


@dataclass(frozen=True, slots=True)
class Probe:
    """How one provider did. Durations in seconds. `asked` False: nothing was sent, and `error` says why. `cost_usd` is of what
    came, and mostly an estimate by length: who is not heard to the end does not count the tokens."""

    model: Model
    asked: bool
    ttft_s: float | None = None
    total_s: float | None = None
    cost_usd: float | None = None
    cost_estimated: bool = False
    error: LlmrError | None = None
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether a whole answer came."""
        return self.error is None

    @property
    def why(self) -> str:
        """What went wrong, in one line; "" if nothing did."""
        if self.error is None:
            return ""
        reason = self.failure.reason if self.failure is not None else str(self.error)
        return reason.removeprefix(f"{self.model.key}: ")


def run_probe(names: Sequence[str], *, config_file: str | None, as_json: bool, within_s: float) -> int:
    """Ask, and tell of each as soon as it is known. `within_s` is how long anybody is waited for. Raises LlmrError. The code:
    0 if all answered, else that of the worst."""
    config = configured(config_file)
    named = [provider_of(config, name) for name in names]
    patient = replace(
        config.policy,
        breaker=config.policy.breaker.asked_by_hand if named else config.policy.breaker,
        strategy=Strategy.PRIORITY,
        exploration=0.0,
        fallback=FallbackPolicy(max_candidates=1, retries_per_candidate=0, max_attempts=1, max_wait_s=0.0),
        hedging=HedgingPolicy(enabled=False),
    )
    providers = named or _ready(config)
    with opened(replace(config, policy=patient)) as app:
        told_as_it_comes = None if as_json else _AsItComes(app, providers, screen())
        prober = _Prober(app, within_s, explicit=bool(named), tell=told_as_it_comes)
        probes, absent = asyncio.run(prober.everybody(providers))
        if told_as_it_comes is not None:
            told_as_it_comes.close(absent)
        else:
            rows = [_row_json(probe, app) for probe in probes]
            print_line(json.dumps({"schema": SCHEMA, "probes": rows, "not_up": absent}, allow_nan=False))
        told(app)
    if not probes:
        raise NoProviderReady("no provider is ready to be probed; llmr keys set PROVIDER", missing=config.missing_keys)
    return int(worst_of({exit_code_of(probe.error) for probe in probes if probe.error is not None}))


def _ready(config: Config) -> list[Provider]:
    return [provider for provider in config.catalog.providers.values() if provider.off_reason is None]


@dataclass(frozen=True, slots=True)
class _Prober:
    """Asks everybody at once. `explicit`: they were asked about by name; `tell` hears of each when it is over."""

    app: App
    within_s: float
    explicit: bool
    tell: "Callable[[Probe], None] | None"

    async def everybody(self, providers: Sequence[Provider]) -> tuple[list[Probe], list[str]]:
        """The probes in the providers' order, and who could not be asked for anything."""
        async with self.app.transport:
            probes = await asyncio.gather(*map(self._one, providers))
        absent = [provider.name for provider, probe in zip(providers, probes, strict=True) if probe is None]
        return [probe for probe in probes if probe is not None], absent

    async def _one(self, provider: Provider) -> Probe | None:
        model = await _model_for(self.app, provider, explicit=self.explicit, within_s=self.within_s)
        if model is None:
            return None
        probe = await _probe(self.app, model, self.within_s)
        if self.tell is not None:
            self.tell(probe)
        return probe


async def _model_for(app: App, provider: Provider, *, explicit: bool, within_s: float) -> Model | None:
    """The model to ask for: the cheapest that the settings name, else one that the provider lists. None: a local server that
    is not up (and that nobody asked about by name), or a provider that says of no model."""
    catalog = app.config.catalog
    cheapest = min(_named(catalog, provider), key=_price, default=None)
    if cheapest is not None and not provider.local:
        return cheapest
    answer = await ask(app.transport, provider, within_s=min(LOCAL_S if provider.local else LIST_S, within_s))
    if answer.models:
        served = [model for model in answer.models if f"{provider.name}/{model}" in catalog.models]
        return catalog.model(f"{provider.name}/{(served or list(answer.models))[0]}")
    return cheapest if explicit or answer.outcome is Outcome.OK else None


def _named(catalog: Catalog, provider: Provider) -> Iterator[Model]:
    """What the settings name at this provider, in their order."""
    keys = dict.fromkeys(f"{provider.name}/{model_id}" for model_id in provider.models)
    for named in catalog.names.values():
        keys |= {key: None for key in named.candidates if key.startswith(f"{provider.name}/")}
    yield from (model for key in keys if (model := catalog.model(key)) is not None)


def _price(model: Model) -> float:
    return model.price.output_usd if model.price is not None else float("inf")


async def _probe(app: App, model: Model, within_s: float) -> Probe:
    request = ChatRequest(
        messages=(Message.text(Role.USER, PROMPT),),
        model=model.key,
        max_output_tokens=MOST_TOKENS,
        on_break="fail",
        deadline_s=within_s,
        enough_characters=ENOUGH_CHARACTERS,
    )
    probe, bill = Probe(model, asked=False), Bill()
    try:
        async with aclosing(app.router.stream(request)) as events:
            async for event in events:
                match event:
                    case Decided():
                        bill = event.bill
                    case AttemptStarted():
                        probe = replace(probe, asked=True)
                    case Answering():
                        probe = replace(probe, ttft_s=event.ttft_s)
                    case Finished():
                        probe = replace(probe, total_s=event.total_s)
                    case _:
                        pass
    except AllAttemptsFailed as error:
        probe = replace(probe, error=error, failure=error.failures[-1] if error.failures else None)
    except (StreamInterrupted, LlmrError) as error:
        probe = replace(probe, error=error)
    return replace(probe, cost_usd=bill.cost_usd, cost_estimated=bill.estimated_usd > 0)


_STATE_WIDTH: Final = len("not asked")
_LEAST_BESIDE: Final = 2 + _STATE_WIDTH + 2 + len("first token")  # what a line has beside the name
_FIGURES: Final = ("first token", "    total", "     cost")  # as wide as what stands below them


class _AsItComes:
    """A line for each as soon as it is over, in columns whose widths are known before: what went wrong stands below its own."""

    def __init__(self, app: App, providers: Sequence[Provider], on: Screen) -> None:
        self._app = app
        self._on = on
        keys = [_likely_key(app.config.catalog, provider) for provider in providers]
        room = on.width - _LEAST_BESIDE if on.width is not None else None
        self._name_width = min(max(map(len, (*keys, "model"))), max(room or 1_000, 12))
        self._begun = False

    def __call__(self, probe: Probe) -> None:
        """Tell of one."""
        show(self._lines(probe), self._on)

    def _lines(self, probe: Probe) -> Iterator[Line]:
        if not self._begun:
            self._begun = True
            yield self._row("model", "", Tone.FAINT, _FIGURES, Tone.FAINT)
        word, tone = (
            ("ok", Tone.GOOD) if probe.ok else ("failed", Tone.BAD) if probe.asked else ("not asked", Tone.WARN)
        )
        first = seconds(probe.ttft_s) if probe.ttft_s is not None else ""
        total = seconds(probe.total_s) if probe.total_s is not None else ""
        cost = dollars(probe.cost_usd, estimated=probe.cost_estimated) if probe.cost_usd else ""
        yield self._row(probe.model.key, word, tone, (first, total, cost))
        if not probe.ok:
            said = f"{probe.model.key}: {_status(probe)}{self._app.redact(probe.why)}"
            yield from wrapped_line((*ink("  "), *ink(said)), self._on.width)

    def _row(
        self, name: str, word: str, tone: Tone, figures: tuple[str, str, str], figure_tone: Tone = Tone.PLAIN
    ) -> Line:
        room = self._on.width
        cells = [f"  {text:>{len(head)}}" for text, head in zip(figures, _FIGURES, strict=True)]
        while room is not None and len(cells) > 1 and self._name_width + 2 + _STATE_WIDTH + sum(map(len, cells)) > room:
            cells.pop()
        return (
            *self._name(name, figure_tone),
            *ink(f"{word:<{_STATE_WIDTH}}", tone),
            *ink("".join(cells), figure_tone),
        )

    def _name(self, name: str, tone: Tone) -> Line:
        shown = clipped(ink(name, tone), self._name_width, Keep.ENDS)
        return (*shown, Span(" " * (self._name_width + 2 - width_of(shown))))

    def close(self, absent: Sequence[str]) -> None:
        """Tell who was not asked at all."""
        said = f"not up, or without a model to ask for: {', '.join(absent)}"
        show(wrapped_line(ink(said, Tone.FAINT), self._on.width, indent="  ") if absent else (), self._on)


def _likely_key(catalog: Catalog, provider: Provider) -> str:
    """What will be asked for there, as far as the settings say."""
    cheapest = min(_named(catalog, provider), key=_price, default=None)
    return provider.name if cheapest is None else cheapest.key


def _status(probe: Probe) -> str:
    """The HTTP status, where the reason does not say it."""
    status = probe.failure.error.status if probe.failure is not None and probe.failure.error is not None else None
    return f"{status} " if status and str(status) not in probe.why else ""


def _row_json(probe: Probe, app: App) -> dict[str, Any]:
    failure = probe.failure
    return {
        "provider": probe.model.provider.name,
        "model": probe.model.id,
        "asked": probe.asked,
        "ok": probe.ok,
        "http": failure.error.status if failure is not None and failure.error is not None else None,
        "kind": failure.kind.value if failure is not None and failure.kind is not None else None,
        "ttft_ms": round(probe.ttft_s * 1000) if probe.ttft_s is not None else None,
        "ms": round(probe.total_s * 1000) if probe.total_s is not None else None,
        "cost_usd": probe.cost_usd,
        "estimated": probe.cost_estimated,
        "error": app.redact(probe.why) or None,
    }
