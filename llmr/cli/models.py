"""`llmr models`: what can be asked for, what it holds, can do and costs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from llmr.catalog import Catalog, Model, NamedModel, Price
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.output import print_line
from llmr.cli.pager import show_paged
from llmr.cli.say import say
from llmr.cli.screen import screen
from llmr.config.environment import Environment
from llmr.config.model_files import open_table, user_table_file
from llmr.config.wording import suggestion
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, OutputError, UsageError
from llmr.model_table.rows import LETTERS
from llmr.model_table.table import ModelTable
from llmr.render.figures import NOTHING, per_million, tokens
from llmr.render.ink import Keep, Line, Tone, ink, wrapped
from llmr.render.table import Align, Column, table

SCHEMA: Final = "llmr.models/1"
_FACTS: Final = (
    Column("", rank=1),
    Column("window", Align.RIGHT, rank=2),
    Column("output", Align.RIGHT, rank=4),
    Column("in $/M", Align.RIGHT),
    Column("cached", Align.RIGHT, rank=5),
    Column("out $/M", Align.RIGHT),
    Column("takes", rank=3),
)
_NAMES: Final = (Column("name", least=10, keep=Keep.ENDS), Column("candidate", least=22, keep=Keep.ENDS), *_FACTS)
_MODELS: Final = (Column("model", least=28, keep=Keep.ENDS), *_FACTS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list. `able`: capabilities that are known to be there; the unknown ones do not count."""

    pattern: str
    provider: str | None
    only_on: bool
    able: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing was narrowed down."""
        return not (self.pattern or self.provider or self.only_on or self.able)

    def takes(self, model: Model, name: str = "") -> bool:
        """Whether this model is to be listed, as itself or under a name."""
        return (
            (self.provider is None or model.provider.name == self.provider)
            and (not self.only_on or model.provider.off_reason is None)
            and all(getattr(model.capabilities, what) for what in self.able)
            and (self._fits(model.key) or self._fits(model.id) or self._fits(name))
        )

    def _fits(self, text: str) -> bool:
        pattern, text = self.pattern.lower(), text.lower()
        return fnmatchcase(text, pattern) if any(sign in pattern for sign in "*?[") else pattern in text


def run_list(wanted: Wanted, *, as_json: bool, config_file: str | None) -> int:
    """Print the models. Raises LlmrError."""
    strange = next((what for what in wanted.able if what not in LETTERS), None)
    if strange is not None:
        raise UsageError(f"unknown capability {strange!r}; known: {', '.join(LETTERS)}")
    catalog = configured(config_file).catalog
    table, _ = open_table(Environment.from_process())  # its notices came with the configuration
    if wanted.provider is not None and wanted.provider not in catalog.providers:
        raise UsageError(f"unknown provider {wanted.provider!r}{suggestion(wanted.provider, catalog.providers)}")
    names = [(named, listed) for named in catalog.names.values() if (listed := _candidates(named, catalog, wanted))]
    models = [model for model in _models(catalog, table) if wanted.takes(model)]
    if wanted.everything and not as_json:  # two thousand lines would bury the user's own names
        _print(names, [], table, config_file)
        print_line(
            f"{len(models):,} models are known in all: llmr models PATTERN, --provider NAME, --on, or '*' to list all"
        )
    elif as_json:
        print_line(json.dumps(_document(names, models, table), allow_nan=False))
    else:
        _print(names, models, table, config_file)
    return int(ExitCode.OK)


def run_refresh(litellm: str | None) -> int:
    """Make the user's own table. Raises ConfigError, OutputError."""
    from datetime import UTC, datetime

    from llmr.config.private import replace_private
    from llmr.model_table import genai
    from llmr.model_table import litellm as litellm_table
    from llmr.model_table.build import PRICED, PROVIDERS, differences, document, text_of
    from llmr.model_table.offer import SourceMissing

    path = user_table_file(Environment.from_process())
    if path is None:
        raise ConfigError("there is no place for the table: HOME and XDG_DATA_HOME are not set")
    day = datetime.now(UTC).date()
    try:
        sources = genai.read(PRICED, day), litellm_table.read(PROVIDERS, Path(litellm) if litellm else None)
    except SourceMissing as error:
        raise ConfigError(str(error)) from error
    text = text_of(document(*sources, day))
    try:
        replace_private(path, text.encode())
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    table = ModelTable.parsed(text.encode())
    print_line(f"{path}: {sum(1 for _ in table):,} models of {table.made}, from {', '.join(table.sources)}")
    apart = len({one.key for one in differences(*sources)})
    print_line(f"on the prices of {apart} models the two differ by more than 5 %; {sources[0].name} stands")
    return int(ExitCode.OK)


def _candidates(named: NamedModel, catalog: Catalog, wanted: Wanted) -> list[Model]:
    known = (catalog.model(key) for key in named.candidates)
    return [model for model in known if model is not None and wanted.takes(model, named.name)]


def _models(catalog: Catalog, table: ModelTable) -> Iterator[Model]:
    """The configured ones, then the table's, each once."""
    yield from catalog.models.values()
    for provider, model_id in table:
        key = f"{provider}/{model_id}"
        if key not in catalog.models and (model := catalog.model(key)) is not None:
            yield model


def _print(
    names: list[tuple[NamedModel, list[Model]]], models: list[Model], facts: ModelTable, config_file: str | None
) -> None:
    named_rows: list[tuple[Line, ...]] = []
    for named, listed in names:
        heads = [ink(named.name, Tone.STRONG), *[()] * (len(listed) - 1)]
        named_rows += [(head, *_row(model)) for head, model in zip(heads, listed, strict=True)]
    rows = [_row(model) for model in models]
    if not named_rows and not rows:
        say("llmr: no model fits; `llmr models` lists all")
        return
    on = screen()
    lines = table(_NAMES, named_rows, on.width) if named_rows else []
    lines += [()] if named_rows and rows else []
    lines += table(_MODELS, rows, on.width) if rows else []
    show_paged(lines, on, config_file)
    shown = {model.key for _, listed in names for model in listed} | {model.key for model in models}
    about = (
        f"{len(shown):,} models; estimates of {facts.made} from {', '.join(facts.sources)}; + dearer beyond a length"
    )
    for line in wrapped(f"llmr: {about}", on.width):
        say(line)


def _row(model: Model) -> tuple[Line, ...]:
    able, price = model.capabilities, model.price
    dearer = "+" if price is not None and price.long_context is not None else ""
    off = model.provider.off_reason is not None
    return (
        ink(model.key, Tone.FAINT if off else Tone.PLAIN),
        ink("off", Tone.FAINT) if off else ink("on", Tone.GOOD),
        ink(tokens(able.context_window_tokens)),
        ink(tokens(able.max_output_tokens)),
        ink(per_million(price.input_usd if price else None) + dearer),
        ink(per_million(price.cached_input_usd if price else None)),
        ink(per_million(price.output_usd if price else None) + dearer),
        ink(" ".join(what for what in LETTERS if getattr(able, what)) or NOTHING),
    )


def _document(names: list[tuple[NamedModel, list[Model]]], models: list[Model], table: ModelTable) -> Mapping[str, Any]:
    return {
        "schema": SCHEMA,
        "table": {"made": table.made, "sources": list(table.sources)},
        "names": [
            {"name": named.name, "candidates": [_model_json(model, table) for model in listed]}
            for named, listed in names
        ],
        "models": [_model_json(model, table) for model in models],
    }


def _model_json(model: Model, table: ModelTable) -> dict[str, Any]:
    return {
        "name": model.key,
        "provider": model.provider.name,
        "model": model.id,
        "on": model.provider.off_reason is None,
        "off_reason": model.provider.off_reason,
        **asdict(model.capabilities),
        "price": asdict(model.price) if model.price is not None else None,
        "price_from": _price_from(model, model.price, table),
        "quality": model.quality,
    }


def _price_from(model: Model, price: Price | None, table: ModelTable) -> str | None:
    """Who says the price: configuration, table, or the machine's own; None where it is unknown."""
    if price is None:
        return None
    facts = table.facts(model.provider.name, model.id)
    if facts is not None and facts.price == price:
        return "table"
    return "local" if model.provider.local and price == Price(0.0, 0.0) else "configuration"
