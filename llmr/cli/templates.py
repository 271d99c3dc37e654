"""`llmr templates`: the user's own ways of asking."""

import json
from contextlib import closing
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from llmr import templates
from llmr.app import open_conversations
from llmr.cli.asking import parameters
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.screen import screen, show
from llmr.config.environment import Environment
from llmr.conversations import Turn, system_of
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, OutputError, StateError, UsageError
from llmr.render.ink import Keep, ink
from llmr.render.table import Column, table
from llmr.templates import Template

SCHEMA: Final = "llmr.templates/1"
_SHOWN: Final = 60
_COLUMNS: Final = (
    Column("name"),
    Column("model", least=12, keep=Keep.ENDS, rank=1),
    Column("places", least=8, rank=2),
    Column("prompt", least=16),
)
_BEGINNING: Final = Template(
    prompt="Summarize in $style style:\n\n$input\n", defaults=MappingProxyType({"style": "plain"})
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of a template; None: nothing."""

    prompt: str | None
    system: str | None
    model: str | None
    temperature: float | None
    max_tokens: int | None
    defaults: tuple[str, ...]


def run_list(*, as_json: bool) -> int:
    """Print the templates; one that is broken says so. Raises LlmrError."""
    environment = Environment.from_process()
    rows: list[tuple[str, str, str, str]] = []
    listed: list[dict[str, object]] = []
    for name in templates.names(environment.config_dir):
        try:
            found = templates.read(name, environment.config_dir, owner=environment.uid)
        except (ConfigError, UsageError) as error:
            rows.append((name, "", "", f"broken: {error}"))
            listed.append({"name": name, "error": str(error)})
            continue
        first = " ".join((found.prompt or found.system or "").split())
        places = " ".join(f"${place}" for place in found.places)
        rows.append((name, found.model or "", places, first if len(first) <= _SHOWN else first[: _SHOWN - 1] + "…"))
        listed.append({"name": name, "model": found.model, "places": list(found.places), "prompt": found.prompt})
    if as_json:
        print_line(json.dumps({"schema": SCHEMA, "templates": listed}))
    elif not rows:
        say("llmr: no templates yet; make one: llmr templates save NAME 'Explain $input to a child'")
    else:
        on = screen()
        show(table(_COLUMNS, [[*map(ink, row)] for row in rows], on.width), on)
    return int(ExitCode.OK)


def run_show(name: str) -> int:
    """Print one. Raises LlmrError."""
    environment = Environment.from_process()
    found = templates.read(name, environment.config_dir, owner=environment.uid)
    for line in templates.toml_of(found).splitlines():
        print_line(line)
    return int(ExitCode.OK)


def run_save(name: str, wanted: Wanted, *, conversation: str | None, replace: bool, config_file: str | None) -> int:
    """Make a template. Raises LlmrError."""
    templates.check_name(name)
    template = _of_conversation(conversation, config_file) if conversation is not None else Template()
    template = _with(template, wanted)
    if not template.prompt and not template.system and not template.model:
        raise UsageError("a template of nothing: say its prompt, --system, --model or --from-conversation ID")
    templates.parsed(
        templates.toml_of(template).encode(), f"templates/{name}.toml"
    )  # what could not be read is not written
    path = templates.write(name, template, Environment.from_process().config_dir, replace=replace)
    say(f"llmr: {path}; use it: llmr chat -t {name}")
    return int(ExitCode.OK)


def run_edit(name: str) -> int:
    """Open the editor on it. Raises LlmrError."""
    from llmr.cli.editor import edit_file
    from llmr.config.named_keys import named_keys

    environment = Environment.from_process()
    path = templates.path_of(name, environment.config_dir)
    if not path.exists():
        templates.write(name, _BEGINNING, environment.config_dir, replace=False)
    edit_file(path, environment, named_keys(environment, None))
    templates.read(name, environment.config_dir, owner=environment.uid)
    return int(ExitCode.OK)


def run_rm(name: str) -> int:
    """Remove it. Raises LlmrError."""
    environment = Environment.from_process()
    path = templates.path_of(name, environment.config_dir)
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise UsageError(f"no template {name!r} (in {path.parent})") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror}") from error
    return int(ExitCode.OK)


def _of_conversation(name: str, config_file: str | None) -> Template:
    """Its first prompt, and the system prompt and model that it ended with. Raises UsageError, OutputError."""
    path = configured(config_file).conversations_path
    if path is None or not path.exists():
        raise UsageError("no conversation is kept yet")
    try:
        with closing(open_conversations(path)) as store:
            line: tuple[Turn, ...] = store.line(store.named(name))
    except StateError as error:
        raise OutputError(str(error)) from error
    system = system_of(line)
    return Template(
        prompt=templates.escaped(line[0].prompt_text),
        system=templates.escaped(system) if system is not None else None,
        model=line[-1].asked_model or None,
    )


def _with(template: Template, wanted: Wanted) -> Template:
    return replace(
        template,
        prompt=template.prompt if wanted.prompt is None else wanted.prompt,
        system=template.system if wanted.system is None else wanted.system,
        model=template.model if wanted.model is None else wanted.model,
        temperature=wanted.temperature,
        max_tokens=wanted.max_tokens,
        defaults=MappingProxyType(parameters(wanted.defaults)),
    )
