"""`llmr keys test`: does the provider take the key? One free request each, all at once."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final

from llmr.app import LateTransport
from llmr.catalog import Provider
from llmr.cli.exit_codes import ExitCode
from llmr.cli.keys import SCHEMA, provider_of
from llmr.cli.listing import configured, shown_seconds
from llmr.cli.model_list import Answer, Outcome, ask
from llmr.cli.output import print_line
from llmr.config.build import Config
from llmr.errors import CredentialError, UsageError
from llmr.render.table import table_lines
from llmr.secret import Redactor

WITHIN_S: Final = 10.0

_SAID: Final = {
    Outcome.OK: "accepted",
    Outcome.REJECTED: "rejected",
    Outcome.UNCLEAR: "not clear",
    Outcome.DOWN: "not reached",
    Outcome.NO_KEY: "no key",
}


def run_test(name: str | None, *, as_json: bool) -> int:
    """Print what each provider makes of its key. Raises LlmrError. The code: 0, 4 for a bad key, 5 for one not reached."""
    config = configured(None)
    redact = Redactor(config.secrets())
    answers = asyncio.run(_ask_all(_meant(config, name), config))
    if as_json:
        rows = [_row(answer, redact) for answer in answers]
        print_line(json.dumps({"schema": SCHEMA, "tests": rows}, allow_nan=False))
    else:
        head = ("provider", "key", "", "took", "")
        for line in table_lines(head, [_cells(answer, redact) for answer in answers]):
            print_line(line)
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


def _cells(answer: Answer, redact: Redactor) -> tuple[str, ...]:
    said = redact(answer.detail) or f"{len(answer.models)} models" if answer.models else redact(answer.detail)
    status = f"{answer.status} " if answer.status and answer.outcome is not Outcome.OK else ""
    took = shown_seconds(answer.took_s) if answer.took_s else "–"
    key = answer.provider.api_key_env or "api_key_cmd"
    return (answer.provider.name, key, _SAID[answer.outcome], took, f"{status}{said}")


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
