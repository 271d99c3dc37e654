"""`llmr config trust`: what a project's file would change, setting by setting, and then the trust itself (trust.md C4).

What it shows is not the file's text but what becomes of it: the settings of this machine without the trust and with it, side
by side, where each key would go, and what stays ignored even so. Trusting is no consent to send a key anywhere (C3). What is
vouched for is what was shown, byte for byte; where nothing can be shown, nothing is vouched for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmr.cli.config_show import as_toml, rows_of
from llmr.cli.exit_codes import ExitCode
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.screen import Screen, screen, show
from llmr.config.environment import Environment, disable_pydantic_plugins
from llmr.config.search import Found, Scope, with_project
from llmr.config.toml_lines import dotted
from llmr.config.trust import Offer, offered
from llmr.config.wording import plain
from llmr.errors import ConfigError
from llmr.render.figures import NOTHING
from llmr.render.ink import Line, Tone, ink, width_of, wrapped_line
from llmr.render.table import Column, table

if TYPE_CHECKING:
    from llmr.config.settle import Settled

_COLUMNS: Final = (Column("setting"), Column("untrusted"), Column("trusted"))


def run_trust(file: str | None, *, look: bool) -> int:
    """Show what a project's file would change, and vouch for the bytes that were shown, unless it is only looked at.

    Raises TrustError, ConfigError, OutputError.
    """
    environment = Environment.from_process()
    offer = offered(Path(file) if file else None, environment)
    try:
        _show_changes(offer, environment, screen())
    except ConfigError as error:  # in whichever file: what it would change cannot be shown, and nobody vouches unseen
        for wrong in error.every:
            say(f"llmr: {wrong.text}")
        say(
            f"llmr: nothing is trusted: what {plain(str(offer.path))} would change cannot be shown before that is mended"
        )
        return int(ExitCode.NOT_CONFIGURED)
    if look:
        print_line("nothing is trusted by looking; `llmr config trust` does it")
        return int(ExitCode.OK)
    trusted = offer.accepted(environment)
    print_line(f"trusted {trusted.path} as it is now; any change of it ends that")
    return int(ExitCode.OK)


def _show_changes(offer: Offer, environment: Environment, on: Screen) -> None:
    """Raises ConfigError where the user's files or this one are wrong, or it would send a key where nobody consented."""
    disable_pydantic_plugins()
    found = with_project(offer.path, offer.content, environment)
    before = _settled(found, environment, trusted=False)
    after = _settled(found, environment, trusted=True)
    lines = [*_changes(before, after, on.width), *_destinations(before, after, on.width)]
    show(lines or [ink("it says nothing that an untrusted file may not say")], on)
    for notice in after.protected:
        say(f"llmr: even so: {notice}")


def _settled(found: Found, environment: Environment, *, trusted: bool) -> "Settled":
    from llmr.config.settle import settle  # imports pydantic

    files = tuple(replace(file, trusted=trusted) if file.scope is Scope.PROJECT else file for file in found.files)
    return settle(Found(files, found.notices), environment)


def _changes(before: "Settled", after: "Settled", width: int | None) -> list[Line]:
    """Every setting that is another with the trust than without; never cut short, for a URL's end may be the point."""
    old, new = _values(before), _values(after)
    changes = [
        (key, _shown(old.get(key)), _shown(new.get(key)))
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]
    rows = [[ink(key), ink(was, Tone.FAINT), ink(will, Tone.STRONG)] for key, was, will in changes]
    lines = table(_COLUMNS, rows) if rows else []
    if width is None or not lines or width_of(lines[0]) <= width:
        return lines
    told = (f"{key}: untrusted {was}, trusted {will}" for key, was, will in changes)
    return [line for text in told for line in wrapped_line(ink(text), width)]


def _values(settled: "Settled") -> Mapping[str, Any]:
    return {dotted(path): value for path, value, *_ in rows_of(settled)}


def _shown(value: Any) -> str:
    return NOTHING if value is None else as_toml(value)


def _destinations(before: "Settled", after: "Settled", width: int | None) -> Iterator[Line]:
    """Of each provider that would be another: where requests go, and which key goes along."""
    for name, provider in after.settings.providers.items():
        if before.settings.providers.get(name) == provider:
            continue
        keys = [variable for variable in provider.api_key_env or () if variable]
        along = f"with the key of {' or '.join(keys)}" if keys else "without a key"
        yield from wrapped_line(ink(f"  prompts to {name} would go to {provider.base_url}, {along}", Tone.WARN), width)
