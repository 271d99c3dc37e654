"""What `llmr doctor` looks at: a list of findings, each with what to do where something is wrong.

It writes nothing, asks nobody on a network, and says nothing that could not be pasted into an issue: no key, no prompt, the
home directory as ~, a proxy without its user (trust.md T8, T13). A finding is BAD only where llmr does not work as it
should because of it; the exit code follows that.
"""

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from llmr import __version__
from llmr.app import SystemClock
from llmr.catalog import KeySource
from llmr.cli.checkup_files import paths, state
from llmr.cli.finding import Finding, Subject, Verdict, fine
from llmr.config.environment import Environment
from llmr.config.search import find

_LIBRARIES: Final = ("typer", "httpx", "httpcore", "certifi", "idna", "pydantic", "pydantic-settings", "rich")
_EXTRAS: Final = {  # pip install 'llmr[NAME]' → what it brings; the first of them stands for it
    "serve": "uvicorn",
    "schema": "jsonschema",
    "keyring": "keyring",
    "models": "genai-prices",
    "otel": "opentelemetry-sdk",
}
_YEAR_S: Final = 365 * 86_400.0
_WRITTEN_AT_S: Final = 1_790_000_000.0  # September 2026: an earlier clock is wrong, for this code is younger
_USERINFO: Final = re.compile(r"(?<=://)[^@/]*@")


def findings(subject: Subject) -> Iterator[Finding]:
    """All of them, in the order in which a person would look."""
    for section in _SECTIONS:
        yield from section(subject)


def _versions(_: Subject) -> Iterator[Finding]:
    yield fine("versions", "llmr", f"{__version__} in {Path(__file__).resolve().parents[1]}")
    yield fine("versions", "python", f"{platform.python_version()} ({platform.python_implementation()}), {_system()}")
    found = {name: _version_of(name) for name in _LIBRARIES}
    yield fine("versions", "libraries", ", ".join(f"{name} {found[name]}" for name in _LIBRARIES if found[name]))
    missing = [name for name in _LIBRARIES if not found[name]]
    if missing:
        yield Finding("versions", "missing", Verdict.BAD, ", ".join(missing), "install llmr again: pipx reinstall llmr")
    extras = {extra: f"{brings} {version}" for extra, brings in _EXTRAS.items() if (version := _version_of(brings))}
    yield fine("versions", "extras", ", ".join(f"{extra} ({what})" for extra, what in extras.items()) or "none")
    if lacking := [extra for extra in _EXTRAS if extra not in extras]:
        yield fine("versions", "not installed", f"{', '.join(lacking)} (as needed: pip install 'llmr[{lacking[0]}]')")


def _settings(subject: Subject) -> Iterator[Finding]:
    if subject.trouble is not None:
        yield Finding(
            "settings", "routing.toml", Verdict.BAD, str(subject.trouble), "llmr config check, or llmr config edit"
        )
        return
    config = subject.config
    assert config is not None  # noqa: S101 - one of the two is there
    for file in find(subject.environment, subject.config_file).files:
        scope = f"{file.scope}{'' if file.trusted else ', not trusted: it may only choose among your providers'}"
        yield fine("settings", scope, str(file.path))
    for notice in config.notices:
        yield Finding("settings", "ignored", Verdict.WARN, notice)
    said = sorted(subject.environment.settings)
    if said:
        yield Finding("settings", "variables", Verdict.NOTE, ", ".join(said))


def _providers(subject: Subject) -> Iterator[Finding]:
    config = subject.config
    if config is None:
        return
    providers = config.catalog.providers.values()
    ready = [provider.name for provider in providers if provider.off_reason is None and not provider.local]
    local = [provider.name for provider in providers if provider.off_reason is None and provider.local]
    if ready:
        yield fine("providers", "ready", ", ".join(ready))
    else:
        mend = "llmr keys set openai, or start a local server: llmr providers probe"
        yield Finding("providers", "ready", Verdict.WARN, f"none with a key; on this machine: {', '.join(local)}", mend)
    for provider in providers:
        if provider.key_source is not None and provider.off_reason is not None:  # it has a key, and is off all the same
            meant = provider.off_reason.startswith("turned off")
            yield Finding(
                "providers", provider.name, Verdict.NOTE if meant else Verdict.WARN, f"off: {provider.off_reason}"
            )
    for source in KeySource:
        keys = [p.api_key_env or p.name for p in providers if p.key_source is source]
        if keys:
            yield fine("providers", f"keys from {source}", ", ".join(keys))


def _clock(_: Subject) -> Iterator[Finding]:
    now = SystemClock().now()
    import time

    shown = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now))
    if not _WRITTEN_AT_S <= now <= _WRITTEN_AT_S + 30 * _YEAR_S:
        yield Finding(
            "clock", "now", Verdict.BAD, f"{shown} cannot be: circuits and limits count on it", "set the clock"
        )
    else:
        yield fine("clock", "now", shown)


def _network(subject: Subject) -> Iterator[Finding]:
    environment = subject.environment
    for scheme in ("https", "http"):
        proxy = environment.proxy(scheme)
        shown = "none" if proxy is None else f"{proxy[0]} = {_USERINFO.sub('***@', proxy[1])}"
        yield fine("network", f"proxy for {scheme}", shown)
    if environment.no_proxy:
        yield fine("network", "no proxy for", f"{environment.no_proxy}, and never for loopback")
    from ssl import OPENSSL_VERSION

    yield fine("network", "tls", OPENSSL_VERSION)
    yield from _authorities(environment)


def _authorities(environment: Environment) -> Iterator[Finding]:
    said = (environment.variable("SSL_CERT_FILE") or "").strip()
    if not said:
        yield fine("network", "authorities", f"certifi {_version_of('certifi')}")
        return
    import ssl

    try:
        ssl.create_default_context(cafile=said)
    except (OSError, ValueError):
        text = f"SSL_CERT_FILE = {said}: cannot be read as PEM certificates; every https provider fails"
        yield Finding("network", "authorities", Verdict.BAD, text, "unset SSL_CERT_FILE, or name a file that is there")
    else:
        yield fine("network", "authorities", f"SSL_CERT_FILE = {said}")


def _terminal(subject: Subject) -> Iterator[Finding]:
    environment = subject.environment
    names = ("standard input", "standard output", "standard error")
    streams = (sys.stdin, sys.stdout, sys.stderr)  # None where it was closed when the program began
    kinds = [
        "closed" if s is None else "a terminal" if os.isatty(fd) else "not a terminal" for fd, s in enumerate(streams)
    ]
    yield fine("terminal", "streams", ", ".join(f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True)))
    said = [f"{name}={value}" for name in _SHOWN_VARIABLES if (value := environment.variable(name)) is not None]
    yield fine("terminal", "variables", ", ".join(said) or "none of TERM, LANG, COLUMNS … is set")
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    if not encoding.replace("-", "").startswith("utf"):
        text = f"{encoding}: answers are UTF-8 all the same, pictures are drawn in ASCII"
        yield Finding("terminal", "encoding", Verdict.NOTE, text, "LANG=C.UTF-8")
    editor = environment.editor
    yield fine("terminal", "editor", editor or "none is set; llmr config edit takes vi")


_SHOWN_VARIABLES: Final = (
    "TERM",
    "COLORTERM",
    "COLUMNS",
    "LANG",
    "LC_ALL",
    "NO_COLOR",
    "FORCE_COLOR",
    "LLMR_COLOR",
    "TMUX",
)

_SECTIONS: Final[tuple[Callable[[Subject], Iterator[Finding]], ...]] = (
    _versions,
    _settings,
    _providers,
    paths,
    state,
    _clock,
    _network,
    _terminal,
)


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _system() -> str:
    return f"{platform.system()} {platform.release()} {platform.machine()}"
