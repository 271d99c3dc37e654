"""The two files that may hold the table of prices and capabilities, and what the table says of this run's models.

The shipped one, and `models.json` in the user's data directory, which `llmr models refresh` writes; of the two the younger
speaks, so an old refresh does not outlive an update of llmr. Parsing one takes some two milliseconds. So the rows of the
models that the settings name are kept in the snapshot, whose name holds the `stamp` of both files, and a normal run parses
neither; only a model that is asked for as `provider/model-id` without being named anywhere costs that.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmr.catalog import Model, Price, Provider
from llmr.config.environment import Environment
from llmr.config.files import read_config
from llmr.config.wording import plain
from llmr.errors import ConfigError
from llmr.model_table.rows import Facts, Row, facts_of

if TYPE_CHECKING:
    from llmr.model_table.table import ModelTable

SHIPPED: Final = Path(__file__).resolve().parents[1] / "data" / "models.json"
_FREE: Final = Price(0.0, 0.0)  # one's own machine is not billed by the token

Json = dict[str, Any]


def user_table_file(environment: Environment) -> Path | None:
    """Where the user's own table is or would be; None without HOME and XDG_DATA_HOME."""
    return environment.data_dir / "models.json" if environment.data_dir is not None else None


def stamp(environment: Environment) -> str:
    """Changes when either file does."""
    return ",".join(_stamp(path) for path in (SHIPPED, user_table_file(environment)))


def open_table(environment: Environment) -> "tuple[ModelTable, tuple[str, ...]]":
    """The table that speaks, and a notice where the user's own is unfit. Raises ConfigError where the shipped one is."""
    from llmr.model_table.table import ModelTable, UnfitTable, made_on  # a normal run opens none

    shipped = _read(SHIPPED, owner=None)
    if shipped is None:
        raise ConfigError(f"{SHIPPED}: is missing: llmr is not installed whole")
    own = user_table_file(environment)
    try:
        content = _read(own, owner=environment.uid) if own is not None else None
        if content is not None and made_on(content) >= made_on(shipped):
            return ModelTable.parsed(content), ()
    except (ConfigError, UnfitTable) as error:
        notice = f"{plain(str(own))}: {error}; ignored: `llmr models refresh` makes it anew"
        return ModelTable.parsed(shipped), (notice,)
    return ModelTable.parsed(shipped), ()


def named_facts(normal: Json, environment: Environment) -> Json:
    """`known` and `notices` for the normal form: the rows of all models that the settings name."""
    table, notices = open_table(environment)
    listed = [(name, model_id) for name, row in normal["providers"].items() for model_id in row["models"]]
    asked = [key.partition("/")[::2] for named in normal["names"].values() for key in named["candidates"]]
    rows = {f"{name}/{model_id}": table.row(name, model_id) for name, model_id in (*listed, *asked)}
    return {"known": {key: row for key, row in rows.items() if row is not None}, "notices": list(notices)}


def known_models(environment: Environment) -> tuple[str, ...]:
    """`provider/model-id` of every row of the table that speaks. Raises ConfigError where the shipped one is unfit."""
    table, _ = open_table(environment)
    return tuple(f"{name}/{model_id}" for name, model_id in table)


def described(provider: Provider, model_id: str, said: Json, known: Row | None) -> Model:
    """The model: what the user said of it, over what the table knows, over nothing."""
    facts = _facts(known)
    return Model(
        provider,
        model_id,
        price=Price(**said["price"]) if said.get("price") else _FREE if provider.local else facts.price,
        capabilities=replace(facts.capabilities, **said.get("capabilities", {})),
        quality=said.get("quality"),
    )


class LateTable:
    """Describes models that no setting names; reads the table when the first is asked for."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._table: ModelTable | None = None

    def describe(self, provider: Provider, model_id: str) -> Model:
        """The model with what the table knows of it. Raises ConfigError where the shipped table is unfit."""
        if self._table is None:
            self._table, _ = open_table(self._environment)
        return described(provider, model_id, {}, self._table.row(provider.name, model_id))


def _facts(row: Row | None) -> Facts:
    try:
        return facts_of(row) if row is not None else Facts()
    except (ValueError, TypeError):  # a row that cannot be read says nothing
        return Facts()


def _read(path: Path, *, owner: int | None) -> bytes | None:
    return read_config(path, plain(str(path)), follow_links=True, owner=owner)


def _stamp(path: Path | None) -> str:
    try:
        found = path.stat() if path is not None else None
    except (OSError, ValueError):
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}" if found is not None else ""
