"""What one source knows, in one shape: two packages, one merge.

An `Offer` is one provider's models as one source lists them. Ids are the provider's own, as llmr writes them after the
slash; the names that the sources use for providers are translated by the sources themselves.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmr.catalog import Capabilities, Price
from llmr.dataclass import dataclass

Rule = list[Any]
"""`["starts_with", "gpt-4o"]`, as table.matches reads it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A model as a source lists it. `names` are other exact names, in lower case; `rules` say which names it goes by too."""

    price: Price | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    names: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """One provider's models by id, in the source's order. `not_chat`: ids that are known to be something else."""

    models: Mapping[str, Listed] = field(default_factory=dict[str, Listed])
    not_chat: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Source:
    """A package's table. `notice` is its copyright line (MIT: it goes with every copy)."""

    name: str
    version: str
    url: str
    notice: str
    offers: Mapping[str, Offer]


class SourceMissing(Exception):
    """A package is not installed, or is not as this code knows it. The message says which and how to mend it."""
