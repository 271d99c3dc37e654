"""What `llmr doctor` finds among the files: directories and modes, templates, and the databases. Nothing is written."""

import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from llmr.app import SystemClock
from llmr.cli.finding import Finding, Subject, Verdict, fine
from llmr.config.build import Config
from llmr.config.credentials import CREDENTIALS_FILE
from llmr.config.environment import Environment
from llmr.config.files import quoted
from llmr.conversations.schema import CONVERSATIONS
from llmr.errors import ConfigError, StateError, UsageError
from llmr.render.figures import count, counted
from llmr.state.examination import SQLITE_VERSION, Examined, examine
from llmr.state.schema import STATE, Schema

_PRIVATE: Final = ("trusted.json", "serve.token", "prompts")


def paths(subject: Subject) -> Iterator[Finding]:
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
        *_files(environment.state_dir, _PRIVATE),
        *(path for path in _kept_in_config(subject.config) if os.path.lexists(path)),
    ]
    for path in dict.fromkeys(private):
        yield _private_file(path, environment.uid)
    yield from _templates(environment)


def _kept_in_config(config: Config | None) -> Iterator[Path]:
    """The databases where the settings put them, and what SQLite keeps beside them."""
    if config is not None:
        for path in (config.state_path, config.conversations_path, config.cache_path):
            yield from () if path is None else (path.with_name(path.name + end) for end in ("", "-wal", "-shm"))


def _templates(environment: Environment) -> Iterator[Finding]:
    """The folder of the user's templates, and those in it that cannot be used."""
    from llmr import templates

    if environment.config_dir is None or not (folder := templates.directory(environment.config_dir)).is_dir():
        return
    yield from _directory("templates", folder, environment.uid)
    for name in templates.names(environment.config_dir):
        try:
            templates.read(name, environment.config_dir, owner=environment.uid)
        except (ConfigError, UsageError) as error:
            yield Finding("paths", f"template {name}", Verdict.WARN, str(error), f"llmr templates edit {name}")


def _directory(name: str, directory: Path, uid: int) -> Iterator[Finding]:
    try:
        found = directory.lstat()
    except OSError:
        yield fine("paths", name, f"{directory}: not there yet")
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
        yield fine("paths", name, shown)


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
    return fine("paths", path.name, f"{path} mode {mode:04o}, {count(found.st_size)} bytes")


def state(subject: Subject) -> Iterator[Finding]:
    """The databases: what is learnt, and what was said."""
    yield fine("state", "sqlite", SQLITE_VERSION)
    config = subject.config
    if config is None:
        return
    if config.state_path is None:
        yield Finding("state", "database", Verdict.NOTE, "in memory: nothing is remembered after a run")
    else:
        learnt = yield from _database("database", config.state_path, STATE, "attempts")
        if learnt is not None and learnt.newest_at is not None:
            yield from _clock_against(learnt.newest_at)
    if not config.saves:
        yield Finding("state", "conversations", Verdict.NOTE, "are not kept, as you wish")
    if config.conversations_path is not None and (config.saves or config.conversations_path.exists()):
        yield from _database("conversations", config.conversations_path, CONVERSATIONS, "turns")


def _database(name: str, path: Path, schema: Schema, table: str) -> Generator[Finding, None, Examined | None]:
    """One file; what was found, None where there is nothing to be read."""
    try:
        found = examine(path, schema, table)
    except (StateError, OSError) as error:
        yield Finding("state", name, Verdict.BAD, str(error), f"mv {quoted(path)} {quoted(path)}.old")
        return None
    if found is None:
        yield fine("state", name, f"{path}: not there yet")
    elif found.damage:
        mend = "the next run sets it aside and begins anew"
        yield Finding("state", name, Verdict.BAD, f"{path}: {found.damage}", mend)
    elif found.schema_version > found.known_version:
        text = f"{path} has schema {found.schema_version}, from a newer llmr; this one knows {found.known_version}"
        yield Finding("state", name, Verdict.BAD, text, "update llmr")
    else:
        where = ", on a network file system" if found.on_network else ""
        rows = counted(found.rows, table.removesuffix("s"))
        yield fine("state", name, f"sound: schema {found.schema_version}, journal {found.journal_mode}{where}, {rows}")
    return found


def _clock_against(newest_at: float) -> Iterator[Finding]:
    ahead_s = newest_at - SystemClock().now()
    if ahead_s > 60:
        text = f"the last attempt was booked {ahead_s:,.0f} s in the future: the clock has gone back"
        yield Finding("clock", "jumped", Verdict.WARN, text, "set the clock")
