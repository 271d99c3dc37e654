"""`llmr config check`: everything that is wrong with the settings, in one round, for a person or a program.

With --json the document is the answer, whether all is right or not; else what is right goes to stdout and what is wrong to
stderr, a line each.
"""

import json
from pathlib import Path
from typing import Any, Final

from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.errors import ConfigError, UsageError, Wrong
from llmr.render.figures import counted
from llmr.secret import Redactor

SCHEMA: Final = "llmr.check/1"


def run_check(file: str | None, *, config_file: str | None, as_json: bool) -> int:
    """Read everything, with notices as errors, and tell all that is wrong: of `file` alone, or of what is in force here.

    Raises UsageError, OutputError.
    """
    if file is not None and config_file is not None:
        raise UsageError("name the file once: as an argument or by --config")
    named = file or config_file
    try:
        config = load(Environment.from_process(), config_file=Path(named) if named else None, strict=True)
    except ConfigError as error:
        return _wrong(error, as_json=as_json)
    return _right(config, as_json=as_json)


def _right(config: Config, *, as_json: bool) -> int:
    on = sum(provider.off_reason is None for provider in config.catalog.providers.values())
    sources = [*map(str, config.sources)]
    notices = [*map(Redactor(config.secrets()), config.notices)]
    if as_json:
        facts = {"providers": len(config.catalog.providers), "providers_on": on, "rules": len(config.rules)}
        _print({"ok": True, "files": sources, "errors": [], "more": 0, "notices": notices, **facts})
        return int(ExitCode.OK)
    for notice in notices:
        say(f"llmr: {notice}")
    print_line(f"ok: {', '.join(sources) or 'no file'}")
    print_line(
        f"{on} of {counted(len(config.catalog.providers), 'provider')} are on, {counted(len(config.rules), 'rule')}"
    )
    return int(ExitCode.OK)


def _wrong(error: ConfigError, *, as_json: bool) -> int:
    if as_json:
        _print({"ok": False, "files": [], "errors": [*map(_document, error.every)], "more": error.more})
        return int(ExitCode.NOT_CONFIGURED)
    for wrong in error.every:
        say(f"llmr: {wrong.text}")
    if error.more:
        say(f"llmr: and {counted(error.more, 'more error')}")
    return int(ExitCode.NOT_CONFIGURED)


def _document(wrong: Wrong) -> dict[str, Any]:
    return {
        "file": wrong.file or None,
        "line": wrong.line,
        "key": wrong.key or None,
        "message": wrong.message,
        "suggestion": wrong.suggestion,
    }


def _print(document: dict[str, Any]) -> None:
    print_line(json.dumps({"schema": SCHEMA, **document}))
