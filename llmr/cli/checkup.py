"""What `llmr doctor` looks at: a list of findings, each with what to do where something is wrong.

It writes nothing, asks nobody on a network, and says nothing that could not be pasted into an issue: no key, no prompt, the
home directory as ~, a proxy without its user (trust.md T8, T13). A finding is BAD only where llmr does not work as it
should because of it; the exit code follows that.
"""

import os
import platform
import re
import stat
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

from llmr import __version__
from llmr.app import SystemClock
from llmr.catalog import KeySource
from llmr.config.build import Config
from llmr.config.credentials import CREDENTIALS_FILE
from llmr.config.environment import Environment
from llmr.config.files import quoted
from llmr.config.search import find
from llmr.dataclass import dataclass
from llmr.errors import LlmrError, StateError
from llmr.render.figures import count

_LIBRARIES: Final = ("typer", "httpx", "httpcore", "certifi", "idna", "pydantic", "pydantic-settings", "rich")
_EXTRAS: Final = ("prompt-toolkit", "keyring", "uvicorn", "redis", "opentelemetry-sdk")
_YEAR_S: Final = 365 * 86_400.0
_WRITTEN_AT_S: Final = 1_790_000_000.0  # September 2026: an earlier clock is wrong, for this code is younger
_USERINFO: Final = re.compile(r"(?<=://)[^@/]*@")


class Verdict(StrEnum):
    """How a finding is meant."""

    FINE = "fine"
    NOTE = "note"  # worth knowing
    WARN = "warn"  # works, and probably not as it was meant
    BAD = "bad"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend`: what to do, "" where there is nothing to do."""

    section: str
    name: str
    verdict: Verdict
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined. `config` None: `trouble` says why it could not be loaded."""

    environment: Environment
    config: Config | None
    trouble: LlmrError | None
    config_file: Path | None


def findings(subject: Subject) -> Iterator[Finding]:
    """All of them, in the order in which a person would look."""
    for section in _SECTIONS:
        yield from section(subject)


def _versions(_: Subject) -> Iterator[Finding]:
    yield _fine("versions", "llmr", f"{__version__} in {Path(__file__).resolve().parents[1]}")
    yield _fine("versions", "python", f"{platform.python_version()} ({platform.python_implementation()}), {_system()}")
    found = {name: _version_of(name) for name in (*_LIBRARIES, *_EXTRAS)}
    yield _fine("versions", "libraries", ", ".join(f"{name} {found[name]}" for name in _LIBRARIES if found[name]))
    missing = [name for name in _LIBRARIES if not found[name]]
    if missing:
        yield Finding("versions", "missing", Verdict.BAD, ", ".join(missing), "install llmr again: pipx reinstall llmr")
    extras = [f"{name} {found[name] or 'not installed'}" for name in _EXTRAS]
    yield _fine("versions", "extras", ", ".join(extras))


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
        yield _fine("settings", scope, str(file.path))
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
        yield _fine("providers", "ready", ", ".join(ready))
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
            yield _fine("providers", f"keys from {source}", ", ".join(keys))


def _paths(subject: Subject) -> Iterator[Finding]:
    environment = subject.environment
    places = (
        ("config", environment.config_dir),
        ("state", environment.state_dir),
        ("cache", environment.cache_dir),
        ("data", environment.data_dir),
    )
    if environment.home is None:
        yield Finding("paths", "home", Verdict.WARN, "HOME is not set: nothing is remembered", "set HOME")
    for name, directory in places:
        if directory is not None:
            yield from _directory(name, directory, environment.uid)
    private = [
        *_files(environment.config_dir, (CREDENTIALS_FILE,)),
        *_files(environment.state_dir, ("state.db", "state.db-wal", "conversations.db", "trusted.json")),
    ]
    for path in private:
        yield _private_file(path, environment.uid)


def _directory(name: str, directory: Path, uid: int) -> Iterator[Finding]:
    try:
        found = directory.lstat()
    except OSError:
        yield _fine("paths", name, f"{directory}: not there yet")
        return
    mode, word = stat.S_IMODE(found.st_mode), quoted(directory)
    shown = f"{directory} mode {mode:04o}"
    if found.st_uid != uid:
        text = f"{directory} belongs to uid {found.st_uid}"
        yield Finding("paths", name, Verdict.BAD, text, f"chown {uid} {word}")
    elif mode & 0o022:
        yield Finding("paths", name, Verdict.WARN, f"{shown}: others can write to it", f"chmod go-w {word}")
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield Finding("paths", name, Verdict.WARN, f"{shown}: cannot be written to")
    else:
        yield _fine("paths", name, shown)


def _files(directory: Path | None, names: tuple[str, ...]) -> Iterator[Path]:
    if directory is not None:
        yield from (path for name in names if os.path.lexists(path := directory / name))


def _private_file(path: Path, uid: int) -> Finding:
    found = path.lstat()
    mode, word = stat.S_IMODE(found.st_mode), quoted(path)

    def bad(text: str, mend: str) -> Finding:
        return Finding("paths", path.name, Verdict.BAD, f"{path} {text}", mend)

    if not stat.S_ISREG(found.st_mode):
        return bad("is not a regular file", f"mv {word} {word}.old")
    if found.st_uid != uid:
        return bad(f"belongs to uid {found.st_uid}", f"chown {uid} {word}")
    if mode & 0o077:
        return bad(f"mode {mode:04o}: others can read it", f"chmod 600 {word}")
    return _fine("paths", path.name, f"{path} mode {mode:04o}, {count(found.st_size)} bytes")


def _state(subject: Subject) -> Iterator[Finding]:
    from llmr.state.examination import SQLITE_VERSION, examine

    yield _fine("state", "sqlite", SQLITE_VERSION)
    path = subject.config.state_path if subject.config is not None else None
    if path is None:
        if subject.config is not None:
            yield Finding("state", "database", Verdict.NOTE, "in memory: nothing is remembered after a run")
        return
    try:
        found = examine(path)
    except (StateError, OSError) as error:
        yield Finding("state", "database", Verdict.BAD, str(error), f"mv {quoted(path)} {quoted(path)}.old")
        return
    if found is None:
        yield _fine("state", "database", f"{path}: not there yet")
    elif found.damage:
        yield Finding(
            "state", "database", Verdict.BAD, f"{path}: {found.damage}", "the next run sets it aside and begins anew"
        )
    elif found.schema_version > found.known_version:
        text = f"{path} has schema {found.schema_version}, from a newer llmr; this one knows {found.known_version}"
        yield Finding("state", "database", Verdict.BAD, text, "update llmr")
    else:
        where = ", on a network file system" if found.on_network else ""
        rows = f"{count(found.attempts)} attempts"
        text = f"sound: schema {found.schema_version}, journal {found.journal_mode}{where}, {rows}"
        yield _fine("state", "database", text)
    if found is not None and found.newest_at is not None:
        yield from _clock_against(found.newest_at)


def _clock(_: Subject) -> Iterator[Finding]:
    now = SystemClock().now()
    import time

    shown = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now))
    if not _WRITTEN_AT_S <= now <= _WRITTEN_AT_S + 30 * _YEAR_S:
        yield Finding(
            "clock", "now", Verdict.BAD, f"{shown} cannot be: circuits and limits count on it", "set the clock"
        )
    else:
        yield _fine("clock", "now", shown)


def _clock_against(newest_at: float) -> Iterator[Finding]:
    ahead_s = newest_at - SystemClock().now()
    if ahead_s > 60:
        text = f"the last attempt was booked {ahead_s:,.0f} s in the future: the clock has gone back"
        yield Finding("clock", "jumped", Verdict.WARN, text, "set the clock")


def _network(subject: Subject) -> Iterator[Finding]:
    environment = subject.environment
    for scheme in ("https", "http"):
        proxy = environment.proxy(scheme)
        shown = "none" if proxy is None else f"{proxy[0]} = {_USERINFO.sub('***@', proxy[1])}"
        yield _fine("network", f"proxy for {scheme}", shown)
    if environment.no_proxy:
        yield _fine("network", "no proxy for", f"{environment.no_proxy}, and never for loopback")
    from ssl import OPENSSL_VERSION

    yield _fine("network", "tls", OPENSSL_VERSION)
    yield from _authorities(environment)


def _authorities(environment: Environment) -> Iterator[Finding]:
    said = (environment.variable("SSL_CERT_FILE") or "").strip()
    if not said:
        yield _fine("network", "authorities", f"certifi {_version_of('certifi')}")
        return
    import ssl

    try:
        ssl.create_default_context(cafile=said)
    except (OSError, ValueError):
        text = f"SSL_CERT_FILE = {said}: cannot be read as PEM certificates; every https provider fails"
        yield Finding("network", "authorities", Verdict.BAD, text, "unset SSL_CERT_FILE, or name a file that is there")
    else:
        yield _fine("network", "authorities", f"SSL_CERT_FILE = {said}")


def _terminal(subject: Subject) -> Iterator[Finding]:
    environment = subject.environment
    names = ("standard input", "standard output", "standard error")
    streams = (sys.stdin, sys.stdout, sys.stderr)  # None where it was closed when the program began
    kinds = [
        "closed" if s is None else "a terminal" if os.isatty(fd) else "not a terminal" for fd, s in enumerate(streams)
    ]
    yield _fine("terminal", "streams", ", ".join(f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True)))
    said = [f"{name}={value}" for name in _SHOWN_VARIABLES if (value := environment.variable(name)) is not None]
    yield _fine("terminal", "variables", ", ".join(said) or "none of TERM, LANG, COLUMNS … is set")
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    if not encoding.replace("-", "").startswith("utf"):
        text = f"{encoding}: answers are UTF-8 all the same, pictures are drawn in ASCII"
        yield Finding("terminal", "encoding", Verdict.NOTE, text, "LANG=C.UTF-8")
    editor = environment.editor
    yield _fine("terminal", "editor", editor or "none is set; llmr config edit takes vi")


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
    _paths,
    _state,
    _clock,
    _network,
    _terminal,
)


def _fine(section: str, name: str, text: str) -> Finding:
    return Finding(section, name, Verdict.FINE, text)


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _system() -> str:
    return f"{platform.system()} {platform.release()} {platform.machine()}"
