"""The one way in: `load(environment)` gives the configuration of this run."""

from pathlib import Path

from llmr.config.build import Config, build
from llmr.config.credentials import credentials_file
from llmr.config.environment import Environment, disable_pydantic_plugins
from llmr.config.model_files import user_table_file
from llmr.config.search import find, places
from llmr.config.snapshot import read_snapshot, snapshot_key, write_snapshot
from llmr.config.trusted import trusted_file
from llmr.errors import TrustError, Wrong


def looked_at(environment: Environment, *, config_file: Path | None = None) -> tuple[Path, ...]:
    """Every file whose change, or appearance, may change what `load` gives: settings, keys, trust, the table of models."""
    beside = (credentials_file(environment), trusted_file(environment), user_table_file(environment))
    return (*places(environment, config_file), *(path for path in beside if path is not None))


def load(environment: Environment, *, config_file: Path | None = None, strict: bool = False) -> Config:
    """Everything that is configured here.

    `config_file` is `--config`: that file alone, which may be relative to the working directory. `strict` makes an error of
    what a project's file is not allowed to say, and of a project's file that is unfit, instead of a notice.

    Raises ConfigError for a wrong setting, TrustError for one that is not trusted.
    """
    found = find(environment, config_file)
    key = snapshot_key(found, environment)
    normal = read_snapshot(environment, key)
    if normal is None:
        disable_pydantic_plugins()
        from llmr.config.names import write_names
        from llmr.config.settle import settled_form  # imports pydantic: only when something changed

        normal = settled_form(found, environment)
        write_snapshot(environment, key, normal)
        write_names(environment, normal)
    refused = (*found.notices, *normal["protected"])
    if strict and refused:
        raise TrustError(refused[0], every=[Wrong(line, message=line) for line in refused])
    sources = (file.path for file in found.files)
    return build(normal, environment, notices=found.notices, sources=sources, strict=strict)
