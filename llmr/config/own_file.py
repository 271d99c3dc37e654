"""The user's own routing.toml, written: by `llmr config init` and `llmr config edit`, whole or not at all.

Nothing is put in place that llmr could not read afterwards: a wrong file of one's own stops every command. A link (dotfiles
are often links) is followed to the file that is meant, if it is the user's; what was there is kept beside it.
"""

from collections.abc import Sequence
from pathlib import Path

from llmr.config.environment import Environment, disable_pydantic_plugins
from llmr.config.private import make_private, replace_private
from llmr.config.search import Found, FoundFile, Scope, find, user_routing_file
from llmr.config.trusted import real_path
from llmr.config.wording import plain
from llmr.errors import ConfigError


def own_file(environment: Environment) -> Path:
    """Where it is or would be. Raises ConfigError where there is no home."""
    path = user_routing_file(environment)
    if path is None:
        raise ConfigError("there is nowhere to keep it: HOME is not set")
    return path


def check_own(text: str, environment: Environment) -> Sequence[str]:
    """What would be wrong if the user's own file said this; nothing: it is right."""
    disable_pydantic_plugins()
    from llmr.config.settle import settle  # imports pydantic

    path = own_file(environment)
    others = [file for file in find(_elsewhere(environment), None).files if file.scope in {Scope.KNOWN, Scope.SHIPPED}]
    file = FoundFile(Scope.USER, path, _label(path, environment), text.encode())
    try:
        settle(Found((*others, file)), environment)
    except ConfigError as error:
        return [wrong.text for wrong in error.every]
    return ()


def write_own(text: str, environment: Environment, *, keep_old: bool = True) -> Path | None:
    """Put it in place, 0600 or with the mode that the old one has; where the old one is kept, None: there was none.

    Raises ConfigError where it cannot be written.
    """
    path = own_file(environment)
    target = real_path(path)
    try:
        make_private(path.parent)
        if target.exists() and target.stat().st_uid != environment.uid:
            raise ConfigError(f"{plain(str(path))}: belongs to another user")
        mode = target.stat().st_mode & 0o755 if target.exists() else None
        kept = _kept(path, target) if keep_old and target.exists() else None
        replace_private(target, text.encode())
        if mode is not None:
            target.chmod(mode)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ConfigError(f"{plain(str(path))}: cannot be written: {reason}") from error
    return kept


def _kept(path: Path, target: Path) -> Path:
    old = path.with_name(f"{path.name}.old")
    replace_private(old, target.read_bytes())
    return old


def _label(path: Path, environment: Environment) -> str:
    home = environment.home
    return f"~/{path.relative_to(home)}" if home is not None and path.is_relative_to(home) else str(path)


def _elsewhere(environment: Environment) -> Environment:
    """The same world, without any file of the user's or a project's."""
    from dataclasses import replace

    return replace(environment, cwd=None, config_dir=None, variables={})
