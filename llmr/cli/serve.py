"""`llmr serve`: settings and token, the socket, what a person needs to know to use it, and then the server."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from llmr.cli.exit_codes import ExitCode
from llmr.cli.first_run import running_servers
from llmr.cli.listing import configured
from llmr.cli.say import say
from llmr.cli.serve_command import ServeOptions
from llmr.config.build import Config, local_servers
from llmr.config.environment import Environment, disable_pydantic_plugins, share_metrics
from llmr.config.load import load, looked_at
from llmr.dataclass import replace
from llmr.errors import ConfigError, NoProviderReady, UsageError
from llmr.server.limits import LIMITS, MIB
from llmr.server.token import ServerToken, server_token

if TYPE_CHECKING:
    from llmr.server.run import Options


def run_serve(typed: ServeOptions) -> int:
    """Serve until a signal. Raises LlmrError."""
    disable_pydantic_plugins()
    with ExitStack() as stack:
        metrics_dir = None
        if typed.workers > 1:
            metrics_dir = Path(stack.enter_context(TemporaryDirectory(prefix="llmr-metrics-")))
            share_metrics(metrics_dir)  # prometheus_client looks for it when it is imported
        try:
            from llmr.server import run
        except ImportError as error:
            raise ConfigError(f"llmr serve needs more packages ({error.name}): pip install 'llmr[serve]'") from None
        config, environment = configured(typed.config), Environment.from_process()
        _refuse_if_nobody_is_ready(config)
        options, token = _settled(typed, environment, metrics_dir), server_token(environment)
        listener = stack.enter_context(run.listening(options))
        stack.callback(run.put_away, options, listener)
        where = _shown(typed.host, listener.getsockname()[1]) if options.unix is None else options.unix
        for line in (*_warnings(config), *_welcome(where, token, config, open_wide=typed.behind_tls)):
            say(line)
        named = Path(typed.config) if typed.config else None
        served = run.serve(
            config,
            options,
            token,
            listener,
            load=lambda: load(Environment.from_process(), config_file=named),
            watched=looked_at(environment, config_file=named),
            say=lambda line: say(f"llmr: {line}"),
        )
    if not served:
        say("llmr: the workers end as soon as they start; --workers 1 says why")
    return int(ExitCode.OK if served else ExitCode.UNEXPECTED)


def _settled(typed: ServeOptions, environment: Environment, metrics_dir: Path | None) -> "Options":
    """What was typed as the server takes it. Raises UsageError, ConfigError."""
    from llmr.server import run
    from llmr.server.schema_openai import ChatCompletionRequest

    known = sorted(set(typed.pass_) & ChatCompletionRequest.model_fields.keys())
    if known:
        raise UsageError(f"--pass {known[0]}: llmr reads this field itself")
    traced = environment.variable(run.TRACING) == "1"
    if traced:
        run.tracer_kind()  # said now, and not by every worker
    return run.Options(
        typed.host,
        typed.port,
        typed.allow_host,
        typed.allow_origin,
        typed.behind_tls,
        log_requests=not typed.quiet,
        traced=traced,
        workers=typed.workers,
        unix=None if typed.unix is None else Path(typed.unix),
        metrics_dir=metrics_dir,
        limits=replace(LIMITS, body_bytes=typed.max_body_mb * MIB),
        passes=typed.pass_,
    )


def _warnings(config: Config) -> Iterator[str]:
    if _waits_for_a_key(config):
        yield "llmr: no provider is ready yet: `llmr keys set openai` (or another of `llmr providers`); it is noticed at once"


def _refuse_if_nobody_is_ready(config: Config) -> None:
    if all(provider.off_reason is not None for provider in config.catalog.providers.values()):
        raise NoProviderReady("no provider is ready: there is nobody to route to", missing=config.missing_keys)


def _waits_for_a_key(config: Config) -> bool:
    """Whether only servers on this machine could be asked, and none of them is up: looked for where there is no key alone."""
    local = {provider.name for provider in local_servers(config)}
    ready = {provider.name for provider in config.catalog.providers.values() if provider.off_reason is None}
    return ready <= local and not asyncio.run(running_servers(config))


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _welcome(where: str | Path, token: ServerToken, config: Config, *, open_wide: bool) -> Iterator[str]:
    """What to paste, and where: host and port, or the path of a socket."""
    model = config.catalog.default_model or next(iter(config.catalog.names), "PROVIDER/MODEL")
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]})
    if isinstance(where, Path):
        yield f"llmr: serving at {where}, a socket for you alone; the token is {token.where}"
        curl = f"curl -s --unix-socket {quote(str(where))} http://localhost"
    else:
        yield f"llmr: serving at http://{where}/v1; the token is {token.where}"
        if open_wide:
            yield "llmr: others on the network can connect; whoever has the token spends your money"
        yield f"  openai      export OPENAI_BASE_URL=http://{where}/v1 OPENAI_API_KEY={token.in_shell}"
        yield f"  anthropic   export ANTHROPIC_BASE_URL=http://{where} ANTHROPIC_API_KEY={token.in_shell}"
        curl = f"curl -s http://{where}"
    curl += "/v1/chat/completions -H 'content-type: application/json'"
    yield f'  try it      {curl} -H "authorization: Bearer "{token.in_shell} -d {quote(body)}'
    yield "llmr: Ctrl-C stops it"
