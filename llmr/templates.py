"""Templates: a way of asking, kept in `templates/NAME.toml` beside the user's routing.toml.

    prompt = "Review this diff for $focus."     # $name is a place; $$ is a dollar sign
    system = "You are a strict reviewer."
    model = "claude-sonnet"
    temperature = 0.2

    [defaults]
    focus = "bugs"

`llmr chat -t review -P focus=speed < diff`. What is typed and piped stands where `$input` is, else below the prompt. Places
are string.Template's: names and nothing else, no expressions and no code (trust.md T26, T29). Only the user's own directory
holds templates; a project's never does.
"""

import os
import string
import tomllib
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from llmr.config.files import read_config
from llmr.config.private import replace_private
from llmr.config.wording import kind_of, suggestion
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, OutputError, UsageError

INPUT: Final = "input"
_DIRECTORY: Final = "templates"
_SUFFIX: Final = ".toml"
_NAME_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + "._-")
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Template:
    """What a template says; None: nothing. Options on the command line win over it."""

    prompt: str = ""
    system: str | None = None
    model: str | None = None
    provider: str | None = None
    strategy: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    tags: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def places(self) -> tuple[str, ...]:
        """The names that want a value, `input` not among them, in the order of their appearance."""
        found = [*string.Template(self.prompt).get_identifiers(), *string.Template(self.system or "").get_identifiers()]
        return tuple(name for name in dict.fromkeys(found) if name != INPUT)

    @property
    def takes_input(self) -> bool:
        """Whether the prompt says where the input stands."""
        return INPUT in string.Template(self.prompt).get_identifiers()


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with every place filled."""

    prompt: str
    system: str | None


def check_name(name: str) -> str:
    """The name itself. Raises UsageError for one that is no template's (trust.md T26, B53)."""
    if not 0 < len(name) <= _LONGEST_NAME or not set(name) <= _NAME_CHARACTERS or name in {".", ".."}:
        raise UsageError(
            f"{name[:80]!r} is no name: letters, digits, `.`, `_` and `-`, at most {_LONGEST_NAME} of them"
        )
    return name


def fill(template: Template, name: str, values: Mapping[str, str], asked: str) -> Filled:
    """Put values and what was asked into their places. Raises UsageError for a place without a value, and the reverse."""
    places = template.places
    unknown = next((given for given in values if given not in places), None)
    if unknown is not None:
        raise UsageError(f"template {name!r} has no place ${unknown}{suggestion(unknown, places)}")
    known = {**template.defaults, **values}
    missing = [place for place in places if place not in known]
    if missing:
        raise UsageError(
            f"template {name!r} needs a value for {', '.join('$' + place for place in missing)}: "
            + " ".join(f"-P {place}=…" for place in missing)
        )
    prompt = string.Template(template.prompt).substitute({**known, INPUT: asked})
    if asked.strip() and not template.takes_input:
        prompt = f"{prompt}\n\n{asked}" if prompt.strip() else asked
    return Filled(prompt, string.Template(template.system).substitute(known) if template.system is not None else None)


def directory(config_dir: Path | None) -> Path:
    """Where templates are. Raises ConfigError without a home."""
    if config_dir is None:
        raise ConfigError("there is no place for templates: HOME and XDG_CONFIG_HOME are not set")
    return config_dir / _DIRECTORY


def path_of(name: str, config_dir: Path | None) -> Path:
    """The template's file, there or not. Raises UsageError for what is no name."""
    return directory(config_dir) / f"{check_name(name)}{_SUFFIX}"


def names(config_dir: Path | None) -> tuple[str, ...]:
    """The templates that are there, in order; files whose names are none are not seen."""
    try:
        files = [entry.name for entry in os.scandir(directory(config_dir)) if entry.name.endswith(_SUFFIX)]
    except OSError:
        return ()
    stems = (name.removesuffix(_SUFFIX) for name in files)
    return tuple(
        sorted(stem for stem in stems if stem and set(stem) <= _NAME_CHARACTERS and len(stem) <= _LONGEST_NAME)
    )


def read(name: str, config_dir: Path | None, *, owner: int) -> Template:
    """The template `name`; its file must belong to `owner`. Raises UsageError where there is none, ConfigError for a wrong
    one."""
    path = path_of(name, config_dir)
    content = read_config(path, f"{_DIRECTORY}/{path.name}", follow_links=False, owner=owner)
    if content is None:
        raise UsageError(f"no template {name!r}{suggestion(name, names(config_dir))} (in {path.parent})")
    return parsed(content, f"{_DIRECTORY}/{path.name}")


def parsed(content: bytes, label: str) -> Template:
    """A template from its file's bytes. Raises ConfigError naming the key."""
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{label}: is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{label}: is not valid TOML: {str(error) or 'nested too deeply'}") from error
    known = [one.name for one in fields(Template)]
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{label}: {key!r}: unknown key{suggestion(key, known)}")
        if not _FITS[key](value):
            raise ConfigError(f"{label}: {key}: must be {_WANTED[key]}, not {kind_of(value)}")
    if "tags" in table:
        table["tags"] = tuple(table["tags"])
    template = Template(**table)
    for text, key in ((template.prompt, "prompt"), (template.system or "", "system")):
        if not string.Template(text).is_valid():
            raise ConfigError(f"{label}: {key}: a `$` stands before no name; write `$$` for a dollar sign")
    if INPUT in string.Template(template.system or "").get_identifiers():
        raise ConfigError(f"{label}: system: $input belongs into the prompt")
    return template


def write(name: str, template: Template, config_dir: Path | None, *, replace: bool) -> Path:
    """Keep the template; its file. Raises UsageError where one of that name is there and `replace` is not said."""
    path = path_of(name, config_dir)
    if not replace and os.path.lexists(path):
        raise UsageError(f"there is a template {name!r} already; say --replace to write it anew")
    try:
        replace_private(path, toml_of(template).encode())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def toml_of(template: Template) -> str:
    """The template as its file has it."""
    lines: list[str] = []
    for one in fields(Template):
        value = getattr(template, one.name)
        if one.name != "defaults" and value not in (None, "", ()):
            lines.append(f"{one.name} = {_toml(value)}")
    if template.defaults:
        lines += ["", "[defaults]", *(f"{key} = {_toml(value)}" for key, value in template.defaults.items())]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text in which a `$` is a dollar sign and no place."""
    return text.replace("$", "$$")


def _toml(value: Any) -> str:
    match value:
        case str() if "\n" in value:
            return '"""\n' + "".join(_toml_character(one, keeps="\n\t") for one in value) + '"""'
        case str():
            return '"' + "".join(_toml_character(one, keeps="\t") for one in value) + '"'
        case tuple():
            return "[" + ", ".join(_toml(one) for one in value) + "]"  # pyright: ignore[reportUnknownVariableType] - of strings
        case _:
            return str(value)


def _toml_character(character: str, *, keeps: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    if character in keeps or (character.isprintable() and not "\ud800" <= character <= "\udfff"):
        return character
    code = ord(character) if not "\ud800" <= character <= "\udfff" else 0xFFFD
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name_to_text(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())  # pyright: ignore[reportUnknownVariableType] - TOML


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)  # pyright: ignore[reportUnknownVariableType] - TOML


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_FITS: Final = {
    **dict.fromkeys(("prompt", "system", "model", "provider", "strategy"), _is_text),
    "temperature": _is_number,
    "max_tokens": _is_count,
    "tags": _is_texts,
    "defaults": _is_name_to_text,
}
_WANTED: Final = {
    **dict.fromkeys(("prompt", "system", "model", "provider", "strategy"), "a string"),
    "temperature": "a number of at least 0",
    "max_tokens": "a whole number of at least 1",
    "tags": "a list of strings",
    "defaults": "a table of strings",
}
