"""`llmr providers probe`: one small real request to every provider that is ready, all at once.

It goes through the router like any other request, and counts in the books like any other attempt: what was just learnt of a
provider must not be thrown away, and a probe that could not close a circuit would be no answer to "is it back?". So an open
circuit, a spent budget and the user's rules hold here too, and are told instead of got round. One attempt each, no
retry, no second provider: the question is how *this* one is.

The model is the cheapest that the settings name at that provider. Servers on this machine are asked only when they are up.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from llmr.app import App, opened
from llmr.catalog import Catalog, Model, Provider, Strategy
from llmr.chat import ChatRequest, Message, Role
from llmr.cli.exit_codes import ExitCode, exit_code_of
from llmr.cli.keys import provider_of
from llmr.cli.listing import configured, told
from llmr.cli.model_list import Outcome, ask
from llmr.cli.output import print_line
from llmr.cli.screen import screen, show
from llmr.config.build import Config
from llmr.dataclass import dataclass
from llmr.errors import AllAttemptsFailed, Failure, LlmrError, NoProviderReady, StreamInterrupted
from llmr.render.figures import dollars, seconds
from llmr.render.ink import Line, Tone, ink, wrapped_line
from llmr.render.table import Align, Column, table
from llmr.router import Answering, AttemptStarted, Finished
from llmr.routing.policy import FallbackPolicy, HedgingPolicy

SCHEMA: Final = "llmr.probe/1"
PROMPT: Final = "Reply with the one word: ok"
MOST_TOKENS: Final = 1024  # a word needs two; a reasoning model thinks first, and an answer without a word is none
LIST_S: Final = 5.0  # how long a provider's list of models is waited for, where the settings name none
LOCAL_S: Final = 0.5  # a server on this machine that lists no models by then is not up


@dataclass(frozen=True, slots=True)
class Probe:
    """How one provider did. Durations in seconds. `asked` False: nothing was sent, and `error` says why."""

    model: Model
    asked: bool
    ttft_s: float | None = None
    total_s: float | None = None
    cost_usd: float | None = None
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


def run_probe(names: Sequence[str], *, config_file: str | None, as_json: bool) -> int:
    """Ask, and print how each did. Raises LlmrError. The code: 0 if all answered, else that of the first who did not."""
    config = configured(config_file)
    patient = replace(
        config.policy,
        strategy=Strategy.PRIORITY,
        exploration=0.0,
        fallback=FallbackPolicy(max_candidates=1, retries_per_candidate=0, max_attempts=1, max_wait_s=0.0),
        hedging=HedgingPolicy(enabled=False),
    )
    named = [provider_of(config, name) for name in names]
    with opened(replace(config, policy=patient)) as app:
        probes, absent = asyncio.run(_probe_all(app, named or _ready(config), explicit=bool(named)))
        if as_json:
            rows = [_row_json(probe, app) for probe in probes]
            print_line(json.dumps({"schema": SCHEMA, "probes": rows, "not_up": absent}, allow_nan=False))
        else:
            on = screen()
            show(_lines(probes, absent, app, on.width), on)
        told(app)
    if not probes:
        raise NoProviderReady("no provider is ready to be probed; llmr keys set PROVIDER", missing=config.missing_keys)
    return int(next((exit_code_of(probe.error) for probe in probes if probe.error is not None), ExitCode.OK))


def _ready(config: Config) -> list[Provider]:
    return [provider for provider in config.catalog.providers.values() if provider.off_reason is None]


async def _probe_all(app: App, providers: Sequence[Provider], *, explicit: bool) -> tuple[list[Probe], list[str]]:
    """The probes, and who could not be asked for anything."""
    async with app.transport:
        models = await asyncio.gather(*(_model_for(app, provider, explicit=explicit) for provider in providers))
        probes = await asyncio.gather(*(_probe(app, model) for model in models if model is not None))
    absent = [provider.name for provider, model in zip(providers, models, strict=True) if model is None]
    return list(probes), absent


async def _model_for(app: App, provider: Provider, *, explicit: bool) -> Model | None:
    """The model to ask for: the cheapest that the settings name, else one that the provider lists. None: a local server that
    is not up (and that nobody asked about by name), or a provider that says of no model."""
    catalog = app.config.catalog
    cheapest = min(_named(catalog, provider), key=_price, default=None)
    if cheapest is not None and not provider.local:
        return cheapest
    answer = await ask(app.transport, provider, within_s=LOCAL_S if provider.local else LIST_S)
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


async def _probe(app: App, model: Model) -> Probe:
    request = ChatRequest(
        messages=(Message.text(Role.USER, PROMPT),), model=model.key, max_output_tokens=MOST_TOKENS, on_break="fail"
    )
    probe = Probe(model, asked=False)
    try:
        async with aclosing(app.router.stream(request)) as events:
            async for event in events:
                match event:
                    case AttemptStarted():
                        probe = replace(probe, asked=True)
                    case Answering():
                        probe = replace(probe, ttft_s=event.ttft_s)
                    case Finished():
                        probe = replace(probe, total_s=event.total_s, cost_usd=event.cost_usd)
                    case _:
                        pass
    except AllAttemptsFailed as error:
        return replace(probe, error=error, failure=error.failures[-1] if error.failures else None)
    except (StreamInterrupted, LlmrError) as error:
        return replace(probe, error=error)
    return probe


_COLUMNS: Final = (
    Column("model"),
    Column(""),
    Column("first token", Align.RIGHT),
    Column("total", Align.RIGHT, rank=1),
    Column("cost", Align.RIGHT, rank=2),
)


def _lines(probes: Sequence[Probe], absent: Sequence[str], app: App, width: int | None) -> Iterator[Line]:
    """The table, and below it what needs a sentence."""
    if probes:
        yield from table(_COLUMNS, [_row(probe) for probe in probes], width)
    for probe in probes:
        if not probe.ok:
            said = f"{probe.model.key}: {_status(probe)}{app.redact(probe.why)}"
            yield from wrapped_line((*ink("  "), *ink(said)), width)
    if absent:
        said = f"not up, or without a model to ask for: {', '.join(absent)}"
        yield from wrapped_line(ink(said, Tone.FAINT), width, indent="  ")


def _row(probe: Probe) -> tuple[Line, ...]:
    word, tone = ("ok", Tone.GOOD) if probe.ok else ("failed", Tone.BAD) if probe.asked else ("not asked", Tone.WARN)
    return (
        ink(probe.model.key),
        ink(word, tone),
        ink(seconds(probe.ttft_s) if probe.ttft_s is not None else ""),
        ink(seconds(probe.total_s) if probe.total_s is not None else ""),
        ink(dollars(probe.cost_usd) if probe.cost_usd is not None else ""),
    )


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
        "error": app.redact(probe.why) or None,
    }
