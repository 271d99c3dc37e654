"""Looks a model up in the table: its own id, another name of it, then genai-prices' own rules, in their order.

    gpt-4o                      a row
    gpt-4o-2024-08-06           another name: genai-prices says it is the same
    claude-sonnet-4-5-20991231  a rule: "starts with claude-sonnet-4-5"
    azure: gpt-4o               no row there: Azure serves what `also` names

Nothing is guessed beyond these rules: a name that only looks alike may cost ten times as much. Pure: whoever opens the
file hands its bytes over (config/model_files.py).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from llmr.model_table.rows import Facts, Row, facts_of

FORMAT: Final = 1
_HEAD_BYTES: Final = 64  # the file begins with {"made":"2026-11-23": its age is known before it is parsed


class UnfitTable(ValueError):
    """The bytes are no table of this format."""


def made_on(content: bytes) -> str:
    """The day a file was made, as YYYY-MM-DD, from its first bytes. Raises UnfitTable."""
    from datetime import date  # noqa: PLC0415 - a normal run asks for no date

    words = content[:_HEAD_BYTES].split(b'"')
    try:
        if words[1] != b"made":
            raise UnfitTable("it does not begin with the day it was made")
        return date.fromisoformat(words[3].decode()).isoformat()
    except (IndexError, ValueError) as error:
        raise UnfitTable("it does not begin with the day it was made") from error


class ModelTable:
    """A parsed models.json. Rows are decoded when they are asked for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._providers: Mapping[str, Any] = document["providers"]

    @classmethod
    def parsed(cls, content: bytes) -> "ModelTable":
        """Raises UnfitTable."""
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UnfitTable("it is no JSON") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:  # pyright: ignore[reportUnknownMemberType]
            raise UnfitTable(f"it is not of format {FORMAT}")
        providers = document.get("providers")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        whole = isinstance(providers, dict) and all(
            isinstance(said, dict) and isinstance(said.get("models"), dict)  # pyright: ignore[reportUnknownMemberType]
            for said in providers.values()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        )
        if not whole:
            raise UnfitTable("it lists no providers")
        return cls(document)  # pyright: ignore[reportUnknownArgumentType]

    @classmethod
    def empty(cls) -> "ModelTable":
        """Knows nothing."""
        return cls({"made": "", "sources": [], "providers": {}})

    @property
    def made(self) -> str:
        """YYYY-MM-DD."""
        return str(self._document.get("made", ""))

    @property
    def sources(self) -> tuple[str, ...]:
        """What it was made from, as `name version`."""
        return tuple(f"{source['name']} {source['version']}" for source in self._document.get("sources", ()))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """`(provider, model id)` of every row, in the file's order."""
        for name, provider in self._providers.items():
            for model_id in provider["models"]:
                yield name, model_id

    def facts(self, provider: str, model_id: str) -> Facts | None:
        """What is known of the model, None where nothing is. A row that cannot be read says nothing."""
        row = self.row(provider, model_id)
        if row is None:
            return None
        try:
            return facts_of(row)
        except (ValueError, TypeError):
            return None

    def row(self, provider: str, model_id: str) -> Row | None:
        """The model's row, None where there is none."""
        said = self._providers.get(provider)
        if said is None:
            return None
        found = self._found(said, model_id)
        if found is None:
            found = next(
                (
                    row
                    for other in said.get("also", ())
                    if (row := self._found(self._providers.get(other, {"models": {}}), model_id)) is not None
                ),
                None,
            )
        if found is None and (dashed := _dashed(model_id)) != model_id:
            return self.row(provider, dashed)
        return found

    def _found(self, said: Mapping[str, Any], model_id: str) -> Row | None:
        models = said["models"]
        lower = model_id.lower()
        row: Row | None = models.get(model_id) or models.get(lower)
        if row is not None:
            return row
        known_as = said.get("aliases", {}).get(lower)
        if known_as is None:
            known_as = next((name for name, rule in said.get("rules", ()) if matches(rule, lower)), None)
        found: Row | None = models.get(known_as) if known_as is not None else None
        return found


_MATCHERS: Final[Mapping[str, Callable[[str, str], bool]]] = MappingProxyType(
    {
        "starts_with": lambda text, said: text.startswith(said),
        "ends_with": lambda text, said: text.endswith(said),
        "contains": lambda text, said: said in text,
        "equals": lambda text, said: text == said,
    }
)


def matches(rule: list[Any], text: str) -> bool:
    """Whether the name, in lower case, is one that genai-prices' rule means."""
    kind, *said = rule
    if kind == "and":
        return all(matches(part, text) for part in said)
    if kind == "or":
        return any(matches(part, text) for part in said)
    if kind == "regex":
        from re import search  # noqa: PLC0415 - one rule in five needs it

        return search(said[0], text) is not None
    return _MATCHERS[kind](text, said[0])


def _dashed(model_id: str) -> str:
    """`x-20251211` as `x-2025-12-11`: genai-prices tries that too (types.py, _normalize_compact_dated_ref)."""
    stem, dash, tail = model_id.rpartition("-")
    if not dash or len(tail) != 8 or not tail.isdecimal() or not tail.startswith("20"):
        return model_id
    from datetime import date  # noqa: PLC0415 - likewise

    try:
        return f"{stem}-{date.fromisoformat(f'{tail[:4]}-{tail[4:6]}-{tail[6:]}')}"
    except ValueError:
        return model_id
