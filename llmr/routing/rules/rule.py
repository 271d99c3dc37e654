"""A rule: when it holds, and what it does then."""

from collections.abc import Collection, Iterator
from dataclasses import field, fields

from llmr.catalog import Strategy, TimeoutOverrides
from llmr.dataclass import dataclass
from llmr.money import exactly
from llmr.routing.policy import OnBreak
from llmr.routing.rules.condition import Condition


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[rules]]` table.

    `prefer`, `only`, `avoid` are globs on `provider/model-id`; `models` are names to serve instead. `max_price_usd` caps what
    a candidate is expected to cost for this request; whose price nobody knows is over it, unless `allow_unknown_price`.
    `hedge_after_s` seconds, None: from the model's own history. `tags` are put on the request for the rules after this one;
    `cache`: whether the answer may come from the cache and be kept in it. `deny` refuses with this message. `then_continue`:
    the rules after this one are asked too.
    """

    name: str
    when: Condition = field(default_factory=Condition)
    prefer: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    strategy: Strategy | None = None
    max_price_usd: float | None = None
    allow_unknown_price: bool = False
    timeouts: TimeoutOverrides = field(default_factory=TimeoutOverrides)
    hedge: bool | None = None
    hedge_after_s: float | None = None
    on_break: OnBreak | None = None
    cache: bool | None = None
    tags: tuple[str, ...] = ()
    deny: str | None = None
    then_continue: bool = False

    def effects(self, said: Collection[str] = ()) -> Iterator[str]:  # noqa: C901 - a clause per effect
        """What the rule does, a phrase each. `said` are the fields that the request has its own word on: there the rule's
        does not count."""
        outranked = dict.fromkeys(said, " (the request says otherwise)")
        for verb in ("prefer", "only", "avoid", "models", "tags"):
            words: tuple[str, ...] = getattr(self, verb)
            if words:
                yield f"{verb} {', '.join(words)}"
        if self.strategy is not None:
            yield f"strategy {self.strategy}{outranked.get('strategy', '')}"
        if self.max_price_usd is not None:
            yield f"at most {exactly(self.max_price_usd)}{' or unknown' if self.allow_unknown_price else ''}"
        for timeout in fields(self.timeouts):
            given: float | str | None = getattr(self.timeouts, timeout.name)
            if given is not None:
                word = given if isinstance(given, str) else f"{given:g}"
                yield f"{timeout.name} {word}{outranked.get(timeout.name, '')}"
        if self.hedge is not None:
            after = "" if self.hedge_after_s is None else f" after {self.hedge_after_s:g} s"
            yield (f"hedge{after}" if self.hedge else "no hedge") + outranked.get("hedge", "")
        if self.on_break is not None:
            yield f"on_break {self.on_break}{outranked.get('on_break', '')}"
        if self.cache is not None:
            yield "cache" if self.cache else "no cache"
        if self.deny is not None:
            yield f"deny: {self.deny}"
