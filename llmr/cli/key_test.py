"""`llmr keys test`: does the provider take the key? One free request each, all at once.

A circuit that a rejected key opened stays open for a quarter of an hour, for keys do not heal by themselves. Whoever mends one
at the provider's sees it accepted here: such a circuit is closed, and nothing else is touched.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Final

from llmr.app import LateTransport, opened
from llmr.catalog import Provider
from llmr.cli.exit_codes import ExitCode
from llmr.cli.keys import SCHEMA, provider_of
from llmr.cli.listing import configured, told
from llmr.cli.model_list import Answer, Outcome, ask, counted
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.screen import screen, show
from llmr.config.build import Config
from llmr.errors import CredentialError, ErrorKind, StateError, UsageError
from llmr.render.figures import seconds
from llmr.render.ink import Line, Tone, ink, wrapped_line
from llmr.render.table import Align, Column, table
from llmr.secret import Redactor

WITHIN_S: Final = 10.0

_SAID: Final = {
    Outcome.OK: "accepted",
    Outcome.REJECTED: "rejected",
    Outcome.UNCLEAR: "not clear",
    Outcome.DOWN: "not reached",
    Outcome.NO_KEY: "no key",
}

_TONES: Final = {
    Outcome.OK: Tone.GOOD,
    Outcome.REJECTED: Tone.BAD,
    Outcome.UNCLEAR: Tone.WARN,
    Outcome.DOWN: Tone.BAD,
    Outcome.NO_KEY: Tone.BAD,
}


def run_test(name: str | None, *, as_json: bool) -> int:
    """Print what each provider makes of its key. Raises LlmrError. The code: 0, 4 for a bad key, 5 for one not reached."""
    config = configured(None)
    redact = Redactor(config.secrets())
    answers = asyncio.run(_ask_all(_meant(config, name), config))
    closed = _acquitted([answer.provider for answer in answers if answer.outcome is Outcome.OK], config)
    if as_json:
        rows = [{**_row(answer, redact), "circuits_closed": closed.get(answer.provider.name, 0)} for answer in answers]
        print_line(json.dumps({"schema": SCHEMA, "tests": rows}, allow_nan=False))
    else:
        on = screen()
        show(_lines(answers, redact, on.width), on)
        for provider in closed:
            said = f"{provider}: was out of service for a key that it rejected, and is asked again from now on"
            show(wrapped_line(ink(f"  {said}"), on.width), on)
    outcomes = {answer.outcome for answer in answers}
    if outcomes & {Outcome.REJECTED, Outcome.NO_KEY}:
        return int(ExitCode.NO_KEY)
    return int(ExitCode.ALL_DOWN if Outcome.DOWN in outcomes else ExitCode.OK)


def _meant(config: Config, name: str | None) -> list[Provider]:
    if name is None:
        with_key = [p for p in config.catalog.providers.values() if p.key is not None and p.off_reason is None]
        if not with_key:
            raise CredentialError("no provider has a usable key; llmr keys set PROVIDER stores one")
        return with_key
    provider = provider_of(config, name)
    if provider.off_reason is not None:
        raise CredentialError(f"{name} is off: {provider.off_reason}")
    if provider.key is None:
        raise UsageError(f"{name} is asked without a key: there is none to test")
    return [provider]


async def _ask_all(providers: Sequence[Provider], config: Config) -> list[Answer]:
    async with LateTransport(config.ca_file) as transport:
        return await asyncio.gather(*(ask(transport, provider, within_s=WITHIN_S) for provider in providers))


def _acquitted(accepted: Sequence[Provider], config: Config) -> dict[str, int]:
    """How many circuits a rejected key had opened and are closed now, by the names of those that had any."""
    if not accepted:
        return {}
    with opened(config) as app:
        try:
            counts = {provider.name: app.registry.acquit(provider, ErrorKind.AUTH) for provider in accepted}
        except StateError as error:
            say(f"llmr: {error}", app.redact)
            return {}
        told(app)
    return {name: count for name, count in counts.items() if count}


_COLUMNS: Final = (
    Column("provider"),
    Column("key", least=12, rank=2),
    Column(""),
    Column("took", Align.RIGHT, rank=1),
    Column(""),
)


def _lines(answers: Sequence[Answer], redact: Redactor, width: int | None) -> Iterator[Line]:
    """The table, and below it what needs a sentence."""
    yield from table(_COLUMNS, [_cells(answer) for answer in answers], width)
    for answer in answers:
        if answer.detail:
            status = f"{answer.status} " if answer.status else ""
            said = f"{answer.provider.name}: {status}{redact(answer.detail)}"
            yield from wrapped_line((*ink("  "), *ink(said)), width)


def _cells(answer: Answer) -> tuple[Line, ...]:
    return (
        ink(answer.provider.name),
        ink(answer.provider.api_key_env or "api_key_cmd", Tone.FAINT),
        ink(_SAID[answer.outcome], _TONES[answer.outcome]),
        ink(seconds(answer.took_s) if answer.took_s else ""),
        ink(counted(answer.models) if answer.models else "", Tone.FAINT),
    )


def _row(answer: Answer, redact: Redactor) -> dict[str, object]:
    return {
        "provider": answer.provider.name,
        "variable": answer.provider.api_key_env,
        "outcome": answer.outcome.value,
        "http": answer.status,
        "ms": round(answer.took_s * 1000) or None,
        "models": len(answer.models),
        "error": redact(answer.detail) or None,
    }
