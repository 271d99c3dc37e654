"""Which files speak: `--config` › LLMR_CONFIG › ./routing.toml and the user's › the shipped one (cli.md, trust.md C6).

A file that was named is the user's word and stands alone. Otherwise the user's own file speaks, and over it the nearest
routing.toml of the project one stands in, found by going up to the git root, a mount point or the home directory, whichever
comes first; the home directory and / are no projects. A project's file that someone else could have put there is left
out with a notice. A user's own file in that state is an error: leaving out the user's rules is no safe default.
"""

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from llmr.config.environment import Environment
from llmr.config.files import read_config
from llmr.config.trusted import is_trusted, real_path
from llmr.dataclass import dataclass
from llmr.errors import ConfigError

ROUTING_FILE: Final = "routing.toml"
_PACKAGE: Final = Path(__file__).resolve().parents[1]


class Scope(StrEnum):
    """Who says it, weakest first (trust.md C1; a variable outranks every file)."""

    KNOWN = "known"  # llmr/data/providers.toml
    SHIPPED = "shipped"  # the routing.toml that comes with llmr
    USER = "user"  # ~/.config/llmr/routing.toml
    GIVEN = "given"  # --config or LLMR_CONFIG: the user's word
    PROJECT = "project"  # ./routing.toml
    ENVIRONMENT = "environment"  # LLMR_*


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that speaks, as its bytes were at that moment. `label` is its name in messages."""

    scope: Scope
    path: Path
    label: str
    content: bytes
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """The files, weakest first, and what was left out and why, a line each."""

    files: tuple[FoundFile, ...]
    notices: tuple[str, ...] = ()


def find(environment: Environment, config_file: Path | None) -> Found:
    """All files that speak in this environment. Raises ConfigError for one that must be there and is not fit."""
    shipped = _shipped()
    named = config_file or (Path(environment.config_file) if environment.config_file else None)
    if named is not None:
        via = "" if config_file is not None else "LLMR_CONFIG: "
        return Found((*shipped, _given(named, environment, via)))
    user = _user_file(environment)
    project, notices = _project_file(environment, {shipped[1].path, *((user.path,) if user else ())})
    if project is not None and project.content == shipped[1].content:
        project = None
    return Found((*shipped, *(file for file in (user, project) if file is not None)), notices)


def with_project(path: Path, content: bytes, environment: Environment) -> Found:
    """The files that would speak if a project's file at `path` had this content: the user's own and that one. What
    `--config` or LLMR_CONFIG name is no part of it. Raises ConfigError for a file of the user's that is not fit."""
    user = _user_file(environment)
    project = FoundFile(Scope.PROJECT, path, _label(path, environment), content, trusted=False)
    return Found((*_shipped(), *(() if user is None else (user,)), project))


def places(environment: Environment, config_file: Path | None) -> tuple[Path, ...]:
    """Where a file speaks, or would if there were one; without those that come with llmr."""
    named = config_file or (Path(environment.config_file) if environment.config_file else None)
    if named is not None:
        return (_expanded(named, environment),)
    user = user_routing_file(environment)
    return (*(() if user is None else (user,)), *_project_paths(environment))


def shipped_routing_file() -> Path:
    """llmr's own routing.toml: beside the data in an installed package, beside the package in a source tree."""
    installed = _PACKAGE / "data" / ROUTING_FILE
    return installed if installed.is_file() else _PACKAGE.parent / ROUTING_FILE


def user_routing_file(environment: Environment) -> Path | None:
    """Where the user's own file is or would be; None without HOME and XDG_CONFIG_HOME."""
    return environment.config_dir / ROUTING_FILE if environment.config_dir is not None else None


def nearest_project_file(environment: Environment) -> Path | None:
    """The routing.toml of the project around the working directory, fit or not; None: no project has one."""
    return next((path for path in _project_paths(environment) if os.path.lexists(path)), None)


def is_no_project(directory: Path, environment: Environment) -> bool:
    """Whether this is / or the home directory, which hold everybody's files and are no project's root (C4)."""
    home = environment.home
    return directory == Path("/") or (home is not None and directory in {home, real_path(home)})


def _shipped() -> tuple[FoundFile, FoundFile]:
    return (
        _packaged(Scope.KNOWN, _PACKAGE / "data" / "providers.toml"),
        _packaged(Scope.SHIPPED, shipped_routing_file()),
    )


def _packaged(scope: Scope, path: Path) -> FoundFile:
    content = read_config(path, str(path), follow_links=True, owner=None)
    if content is None:
        raise ConfigError(f"{path}: is missing: llmr is not installed whole")
    return FoundFile(scope, path, str(path), content)


def _given(named: Path, environment: Environment, via: str) -> FoundFile:
    path = _expanded(named, environment)
    label = via + _label(path, environment)
    content = read_config(path, label, follow_links=True, owner=None)
    if content is None:
        raise ConfigError(f"{label}: no such file")
    return FoundFile(Scope.GIVEN, path, label, content)


def _expanded(path: Path, environment: Environment) -> Path:
    if path.parts[:1] == ("~",) and environment.home is not None:
        return environment.home.joinpath(*path.parts[1:])
    if path.is_absolute():
        return path
    if environment.cwd is None:
        raise ConfigError("the working directory does not exist; name the configuration by its absolute path")
    return environment.cwd / path


def _user_file(environment: Environment) -> FoundFile | None:
    path = user_routing_file(environment)
    if path is None:
        return None
    label = _label(path, environment)
    content = read_config(path, label, follow_links=True, owner=environment.uid)  # dotfiles are often links
    return FoundFile(Scope.USER, path, label, content) if content is not None else None


def _project_file(environment: Environment, others: set[Path]) -> tuple[FoundFile | None, tuple[str, ...]]:
    path = nearest_project_file(environment)
    if path is None or any(_is_same(path, other) for other in others):
        return None, ()
    label = _label(path, environment)
    try:
        content = read_config(path, label, follow_links=False, owner=environment.uid)
    except ConfigError as error:
        return None, (f"{error}; ignored",)
    if content is None:
        return None, ()
    trusted = is_trusted(path, content, environment)
    return FoundFile(Scope.PROJECT, path, label, content, trusted), ()


def _project_paths(environment: Environment) -> Iterator[Path]:
    here = environment.cwd
    if here is None:
        return
    try:
        device = here.stat().st_dev
        while not is_no_project(here, environment):
            if here.stat().st_dev != device:
                return
            yield here / ROUTING_FILE
            if os.path.lexists(here / ".git"):
                return
            here = here.parent
    except OSError:  # a directory on the way may not be looked at: there the search ends
        return


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _label(path: Path, environment: Environment) -> str:
    """The name a person would use: relative to here, else to ~, else whole."""
    if environment.cwd is not None and path.is_relative_to(environment.cwd):
        return str(path.relative_to(environment.cwd))
    if environment.home is not None and path.is_relative_to(environment.home):
        return f"~/{path.relative_to(environment.home)}"
    return str(path)
