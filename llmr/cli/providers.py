"""`llmr providers`: what is known of them, and the switches."""

import json
from typing import Final

from llmr.app import App, opened
from llmr.catalog import Catalog, Provider
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, told
from llmr.cli.output import print_line
from llmr.cli.screen import screen, show
from llmr.config.wording import suggestion
from llmr.errors import UsageError
from llmr.render.figures import NOTHING
from llmr.render.ink import Keep, Tone, ink
from llmr.render.standing import STATUS_SCHEMA, facts_json, standing, status_document
from llmr.render.table import Column, table
from llmr.routing.circuit import Forced

_LIST_COLUMNS: Final = (
    Column("provider"),
    Column(""),
    Column("wire", rank=2),
    Column("url", least=30, keep=Keep.ENDS, rank=1),
    Column("why off", least=28),
)


def run_status(*, config_file: str | None, as_json: bool, everyone: bool, watched: bool = False) -> int:
    """Print how the providers are, or keep showing it. Raises LlmrError."""
    if watched and as_json:
        raise UsageError("--watch is for people and --json for programs; take one of them")
    with opened(configured(config_file)) as app:
        if watched:
            from llmr.cli.watch import watch

            code = watch(
                lambda on: standing(
                    app.config.catalog, app.registry, app.store, app.clock.now(), everyone=everyone
                ).lines(on.width, on.glyphs)
            )
            told(app)
            return code
        view = standing(app.config.catalog, app.registry, app.store, app.clock.now(), everyone=everyone or as_json)
        if as_json:
            print_line(json.dumps(status_document(view), allow_nan=False))
        else:
            on = screen()
            show(view.lines(on.width, on.glyphs), on)
        told(app)
    return int(ExitCode.OK)


def show_status(app: App) -> None:
    """How the providers are, as `llmr providers status` shows it; for the interactive client. Raises LlmrError."""
    on = screen()
    show(
        standing(app.config.catalog, app.registry, app.store, app.clock.now(), everyone=False).lines(
            on.width, on.glyphs
        ),
        on,
    )


def run_list(*, config_file: str | None, as_json: bool) -> int:
    """Print who is known. Raises LlmrError."""
    providers = configured(config_file).catalog.providers.values()
    if as_json:
        print_line(json.dumps({"schema": STATUS_SCHEMA, "providers": [facts_json(p) for p in providers]}))
        return int(ExitCode.OK)
    on = screen()
    rows = [
        [
            ink(p.name, Tone.FAINT if p.off_reason else Tone.PLAIN),
            ink("off", Tone.FAINT) if p.off_reason else ink("on", Tone.GOOD),
            ink(p.wire.value),
            ink(p.base_url or NOTHING),
            ink(p.off_reason or "", Tone.FAINT),
        ]
        for p in providers
    ]
    show(table(_LIST_COLUMNS, rows, on.width), on)
    return int(ExitCode.OK)


def run_reset(name: str, *, config_file: str | None) -> int:
    """Close the circuits of one provider. Raises LlmrError."""
    with opened(configured(config_file)) as app:
        count = app.registry.reset(_provider(app.config.catalog, name))
        print_line(f"{name}: {_reset_phrase(count)}")
        told(app)
    return int(ExitCode.OK)


def _reset_phrase(count: int) -> str:
    """What became of `count` circuits that were not closed."""
    match count:
        case 0:
            return "every circuit was closed already"
        case 1:
            return "1 circuit was not closed; it is now"
        case several:
            return f"{several} circuits were not closed; all are now"


def run_force(name: str, forced: Forced, *, config_file: str | None) -> int:
    """Hold one provider open or closed. Raises LlmrError."""
    with opened(configured(config_file)) as app:
        app.registry.force(_provider(app.config.catalog, name), forced)
        print_line(f"{name}: held {forced.value} until `llmr providers reset {name}`")
        told(app)
    return int(ExitCode.OK)


def _provider(catalog: Catalog, name: str) -> Provider:
    provider = catalog.providers.get(name)
    if provider is None:
        raise UsageError(f"unknown provider {name!r}{suggestion(name, catalog.providers)}")
    return provider
