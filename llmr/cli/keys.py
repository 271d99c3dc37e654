"""`llmr keys set | list | rm`: where keys are kept, and which source speaks for which provider.

A stored key belongs to a variable's name, because that is what it is bound to an origin by (config/binding.py): a key kept
for OPENAI_API_KEY goes to https://api.openai.com, whatever table names it.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from llmr.catalog import KeySource, Provider
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.screen import screen, show
from llmr.config.build import Config
from llmr.config.credentials import InKeyring, forget, store, stored_keys
from llmr.config.environment import Environment
from llmr.config.key_sources import drop_from_keyring, fingerprint_of, flaw_in, put_into_keyring
from llmr.config.wording import suggestion
from llmr.errors import CredentialError, UsageError
from llmr.render.ink import Line, Tone, ink, wrapped_line
from llmr.render.table import Column, table
from llmr.secret import Secret

SCHEMA: Final = "llmr.keys/1"
_MOST_BYTES: Final = 16 * 1024  # four times the longest key

_MODELS_OF: Final = {"gemini": "google", "claude": "anthropic", "gpt": "openai", "chatgpt": "openai", "grok": "xai"}
"""Models by whose name people call a provider."""

_SHOWN: Final = {
    KeySource.VARIABLE: "the variable",
    KeySource.COMMAND: "api_key_cmd",
    KeySource.KEYRING: "the keyring",
    KeySource.FILE: "credentials.toml",
}


def run_set(name: str, *, into_file: bool) -> int:
    """Ask for a key and keep it. Raises LlmrError."""
    environment = Environment.from_process()
    provider = provider_of(configured(None), name)
    variable = variable_of(provider)
    value = _typed(f"the key for {name} ({variable})")
    flaw = flaw_in("this key", value)
    if flaw is not None:
        raise CredentialError(f"{flaw}; nothing was stored")
    print_line(kept(variable, value, environment, into_file=into_file))
    if environment.variable(variable):
        say(f"llmr: {variable} is set in the environment too, and outranks the stored key")
    elif provider.key_source is KeySource.COMMAND:
        say(f"llmr: [providers.{name}] has an api_key_cmd, which outranks the stored key")
    say(f"llmr: try it: llmr keys test {name}")
    return int(ExitCode.OK)


def kept(variable: str, value: str, environment: Environment, *, into_file: bool) -> str:
    """Put the key into the keyring, else into the file; the line that says which. Raises CredentialError, TrustError."""
    fingerprint = fingerprint_of(value)
    lack = "you said --file" if into_file else put_into_keyring(variable, value)
    if lack is None:
        store(variable, InKeyring(fingerprint), environment)
        return f"{variable} ({fingerprint}) is in your keyring"
    path = store(variable, Secret(value), environment)
    return f"{variable} ({fingerprint}) is in {_short(path, environment)}, in plain text, readable by you alone (0600): {lack}"


def run_list(*, as_json: bool) -> int:
    """Print where keys come from. Raises LlmrError."""
    environment = Environment.from_process()
    config = configured(None)
    providers = [p for p in config.catalog.providers.values() if p.key_source is not None]
    unused = _unused(config, environment)
    if as_json:
        rows = [_row_json(provider) for provider in providers]
        print_line(json.dumps({"schema": SCHEMA, "keys": rows, "missing": list(config.missing_keys), "unused": unused}))
        return int(ExitCode.OK)
    on = screen()
    show(_lines(config, providers, unused, on.width), on)
    return int(ExitCode.OK)


_COLUMNS: Final = (
    Column("provider"),
    Column("key", least=12),
    Column("from"),
    Column("fingerprint", rank=1),
)


def _lines(config: Config, providers: Sequence[Provider], unused: Sequence[str], width: int | None) -> Iterator[Line]:
    """The keys that there are; below them what is stored in vain, and who lacks one."""
    rows = [
        (
            ink(p.name),
            ink(p.api_key_env or "–"),
            ink(_SHOWN[p.key_source]),
            ink(_fingerprint(p), Tone.FAINT),
        )
        for p in providers
        if p.key_source is not None
    ]
    yield from table(_COLUMNS, rows, width) if rows else [ink("no keys")]
    for provider in providers:
        if provider.off_reason is not None:
            said = f"{provider.name} is off: {provider.off_reason}"
            yield from wrapped_line(ink(said, Tone.WARN), width, indent="  ")
    for variable in unused:
        said = f"stored in vain: {variable}: another source outranks it, or no provider names it"
        yield from wrapped_line(ink(said, Tone.WARN), width, indent="  ")
    lacking = [p.name for p in config.catalog.providers.values() if p.missing_key is not None]
    if lacking:
        said = f"without a key: {', '.join(lacking)}; llmr keys set {lacking[0]}"
        yield from wrapped_line(ink(said, Tone.FAINT), width, indent="  ")


def run_rm(name: str) -> int:
    """Forget the keys stored for a provider. Raises LlmrError."""
    environment = Environment.from_process()
    provider = provider_of(configured(None), name)
    stored = stored_keys(environment)
    here = [variable for variable in provider.key_variables if variable in stored]
    if not here:
        raise UsageError(f"no key is stored for {name}{_elsewhere(provider)}")
    for variable in here:
        if isinstance(stored[variable], InKeyring):
            drop_from_keyring(variable)
        forget(variable, environment)
        print_line(f"{variable} is forgotten")
    return int(ExitCode.OK)


def refuse_argument(name: str) -> NoReturn:
    """Raises UsageError: a key on the command line has been seen already."""
    raise UsageError(
        "a key is no argument: `ps` shows it to everybody, and your shell's history keeps it. "
        f"Replace that key at {name}, then: llmr keys set {name}"
    )


def provider_of(config: Config, name: str) -> Provider:
    """The provider. Raises UsageError with the nearest name."""
    provider = config.catalog.providers.get(name)
    if provider is None:
        meant = _MODELS_OF.get(name.lower(), name)
        raise UsageError(f"unknown provider {name!r}{suggestion(meant, config.catalog.providers)}")
    return provider


def variable_of(provider: Provider) -> str:
    """The variable that a stored key stands for. Raises UsageError where the provider wants none."""
    if not provider.key_variables:
        raise UsageError(
            f"{provider.name} names no key; say in your routing.toml: [providers.{provider.name}] api_key_env"
        )
    return provider.key_variables[0]


def _typed(what: str) -> str:
    """The key, from a prompt that shows nothing, or from standard input. Raises UsageError."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, after `<&-`
        raise UsageError("standard input is closed: there is nobody to ask")
    if not sys.stdin.isatty():
        raw = sys.stdin.buffer.read(_MOST_BYTES + 1)
        value = raw[:_MOST_BYTES].decode("utf-8", "replace").strip()
    else:
        from getpass import getpass

        try:
            value = getpass(f"{what}, not shown: ", stream=sys.stderr).strip()
        except EOFError as error:
            raise UsageError("no key was given; nothing was stored") from error
    if not value:
        raise UsageError("no key was given; nothing was stored")
    return value


def _row_json(provider: Provider) -> dict[str, str | None]:
    return {
        "provider": provider.name,
        "variable": provider.api_key_env,
        "source": provider.key_source.value if provider.key_source else None,
        "fingerprint": _fingerprint(provider) if provider.key_source is not KeySource.COMMAND else None,
        "off_reason": provider.off_reason,
    }


def _fingerprint(provider: Provider) -> str:
    """A command's is not known until it is run."""
    return provider.key_fingerprint if provider.key_source is not KeySource.COMMAND else "not asked"


def _unused(config: Config, environment: Environment) -> list[str]:
    """Entries of credentials.toml that speak for nobody in this run."""
    used = {
        provider.api_key_env
        for provider in config.catalog.providers.values()
        if provider.key_source in {KeySource.KEYRING, KeySource.FILE}
    }
    return [variable for variable in stored_keys(environment) if variable not in used]


def _elsewhere(provider: Provider) -> str:
    match provider.key_source:
        case KeySource.VARIABLE:
            return f"; it comes from the variable {provider.api_key_env}: unset it"
        case KeySource.COMMAND:
            return "; it comes from api_key_cmd in your routing.toml"
        case KeySource.KEYRING | KeySource.FILE | None:
            return ""


def _short(path: Path, environment: Environment) -> str:
    home = environment.home
    return f"~/{path.relative_to(home)}" if home is not None and path.is_relative_to(home) else str(path)
