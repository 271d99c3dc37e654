"""What a `[models.NAME]` may be called and refer to, and what else refers to one."""

import re
from collections.abc import Iterator
from typing import Final

from llmr.config.origin import Fault
from llmr.config.provider_checks import model_id_faults
from llmr.config.schema import NameTable, RoutingFile
from llmr.config.toml_lines import KeyPath
from llmr.config.wording import show

MODEL_NAME: Final = re.compile(r"[A-Za-z0-9._:@+-]{1,64}")  # no slash: that is provider/model-id


def default_model_faults(settings: RoutingFile) -> Iterator[Fault]:
    name = settings.default_model
    if name is not None:
        yield from served_name_faults(("default_model",), name, settings)


def served_name_faults(path: KeyPath, name: str, settings: RoutingFile) -> Iterator[Fault]:
    """A name of [models.*], or provider/model-id."""
    if name in settings.models:
        return
    provider, slash, model_id = name.partition("/")
    if slash and provider in settings.providers and model_id:
        yield from model_id_faults(path, model_id)
    elif slash:
        yield Fault.unknown(path, "provider", provider, settings.providers)
    else:
        yield Fault.unknown(path, "model", name, settings.models)


def named_model_faults(name: str, named: NameTable, settings: RoutingFile) -> Iterator[Fault]:
    path: KeyPath = ("models", name)
    if not MODEL_NAME.fullmatch(name):
        yield Fault(path, "is no model name: 1 to 64 letters, digits and . _ : @ + -")
        return
    seen: set[str] = set()
    for index, key in enumerate(named.candidates):
        here = (*path, "candidates", index)
        provider, slash, model_id = key.partition("/")
        if not slash:
            yield Fault(here, f"expected provider/model-id, found {show(key)}")
        elif provider not in settings.providers:
            yield Fault.unknown(here, "provider", provider, settings.providers)
        elif key in seen:
            yield Fault(here, f"{show(key)} is listed twice")
        else:
            seen.add(key)
            yield from model_id_faults(here, model_id)
    for index, other in enumerate(named.fallback or ()):
        if other == name:
            yield Fault((*path, "fallback", index), "is the model itself")
        elif other not in settings.models:
            yield Fault.unknown((*path, "fallback", index), "model", other, settings.models)
