"""The rules engine: which models may be asked, before anyone looks at health or price.

    request + catalog ──▶ names to serve ──▶ candidates in the user's order ──▶ rules, in the file's order ──▶ Plan

The first rule that matches decides; one with `then_continue` lets the next ones speak too. A rule never makes a candidate
possible that the request did not name, but for `models`, which replaces the names asked for. Every candidate that a rule
removes stays in the plan with the reason, and every rule leaves a line in the trace: "why?" is answered from here.

Names resolve in this order: a `[models.NAME]` table; `provider/model-id`; a bare id that some provider lists. Names listed
as `fallback` follow, each once, in later tiers, so that another *model* is asked only when no candidate of the first is left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from llmr.catalog import Catalog, Model, NamedModel, Strategy
from llmr.chat import ChatRequest
from llmr.errors import RequestDenied, UsageError


@dataclass(frozen=True, slots=True)
class TokenRange:
    """Both bounds are exclusive; None: unbounded."""

    over: int | None = None
    under: int | None = None

    def holds(self, tokens: int) -> bool:
        """Whether `tokens` lies strictly between the bounds."""
        return (self.over is None or tokens > self.over) and (self.under is None or tokens < self.under)


@dataclass(frozen=True, slots=True)
class Hours:
    """Local time of day in minutes after midnight, start inclusive, end exclusive; may wrap past midnight."""

    start_min: int
    end_min: int

    def holds(self, minute_of_day: int) -> bool:
        """Whether the minute lies in the range."""
        if self.start_min <= self.end_min:
            return self.start_min <= minute_of_day < self.end_min
        return minute_of_day >= self.start_min or minute_of_day < self.end_min


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is set must hold; what is None or empty is not asked. `model` are globs on the name asked for; `tags` must
    all be on the request."""

    model: tuple[str, ...] = ()
    prompt_tokens: TokenRange | None = None
    tools: bool | None = None
    images: bool | None = None
    json: bool | None = None
    stream: bool | None = None
    tags: tuple[str, ...] = ()
    hours: Hours | None = None
    strategy: tuple[Strategy, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[rules]]` table. `prefer`, `only`, `avoid` are globs on `provider/model-id`; `models` are names to serve
    instead; `tags` are put on the request for the rules after this one; `deny` refuses with this message."""

    name: str
    when: Condition = Condition()
    prefer: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    strategy: Strategy | None = None
    tags: tuple[str, ...] = ()
    deny: str | None = None
    then_continue: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may be tried. `name` is the name it serves; lower `tier` first: 0 the name asked for, then its fallbacks.

    `favour` −1 is preferred by a rule, +1 avoided. `position` is its place in the user's own order, over all tiers.
    """

    model: Model
    name: str
    tier: int
    position: int
    favour: int = 0

    @property
    def key(self) -> str:
        """`provider/model-id`."""
        return self.model.key


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that a rule, or the user's own choice of provider, removed."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What became of one rule: `because` says why it matched, or the first condition that did not hold."""

    rule: str
    matched: bool
    because: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be asked, in the user's order, and how it is to be ranked. `prompt_tokens` is an estimate."""

    asked: str
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    strategy: Strategy
    prompt_tokens: int
    trace: tuple[RuleTrace, ...] = ()


_KNOWN_SHOWN: Final = 12


class RulesEngine:
    """Evaluates rules. Holds the configured ones and nothing that changes."""

    def __init__(self, rules: Sequence[Rule], default_strategy: Strategy) -> None:
        self._rules = tuple(rules)
        self._default_strategy = default_strategy

    def evaluate(self, request: ChatRequest, catalog: Catalog, *, prompt_tokens: int, minute_of_day: int) -> Plan:
        """The plan for `request`.

        Raises UsageError for a name, provider or strategy nobody knows, RequestDenied where a rule refuses.
        """
        asked = request.model or catalog.default_model or ""
        if not asked:
            raise UsageError("no model: name one with --model, or set default_model in routing.toml")
        facts = _Facts(asked, request, prompt_tokens, minute_of_day, tuple(request.tags))
        matched, trace = self._match(facts)
        names = next((rule.models for rule in reversed(matched) if rule.models), (asked,))
        candidates = _candidates(names, catalog)
        plan = Plan(
            asked=asked,
            candidates=candidates,
            excluded=(),
            strategy=self._strategy(request, matched, names[0], catalog),
            prompt_tokens=prompt_tokens,
            trace=trace,
        )
        for rule in matched:
            plan = _applied(plan, rule)
        return _of_provider(plan, request.provider, catalog)

    def _match(self, facts: "_Facts") -> tuple[tuple[Rule, ...], tuple[RuleTrace, ...]]:
        matched: list[Rule] = []
        trace: list[RuleTrace] = []
        decided = False
        for rule in self._rules:
            if decided:
                trace.append(RuleTrace(rule.name, matched=False, because="an earlier rule decided"))
                continue
            failed = facts.first_unmet(rule.when)
            trace.append(RuleTrace(rule.name, failed is None, failed or "every condition holds"))
            if failed is None:
                if rule.deny is not None:
                    raise RequestDenied(f"rule {rule.name!r} refuses this request: {rule.deny}")
                matched.append(rule)
                facts = replace(facts, tags=(*facts.tags, *rule.tags))
                decided = not rule.then_continue
        return tuple(matched), tuple(trace)

    def _strategy(self, request: ChatRequest, matched: Sequence[Rule], name: str, catalog: Catalog) -> Strategy:
        """The user's word at the command line, else the last matching rule's, the model's, the default."""
        if request.strategy is not None:
            return _strategy_named(request.strategy)
        ruled = next((rule.strategy for rule in reversed(matched) if rule.strategy), None)
        named = catalog.names.get(name)
        return ruled or (named.strategy if named else None) or self._default_strategy


@dataclass(frozen=True, slots=True)
class _Facts:
    """What conditions are held against."""

    asked: str
    request: ChatRequest
    prompt_tokens: int
    minute_of_day: int
    tags: tuple[str, ...]

    def first_unmet(self, when: Condition) -> str | None:
        """The first condition that does not hold, as a phrase; None if all hold."""
        request = self.request
        flags = (
            ("tools", when.tools, bool(request.tools)),
            ("images", when.images, request.wants_images),
            ("json", when.json, request.wants_json),
            ("stream", when.stream, request.stream),
        )
        if when.model and not _matches_any(self.asked, when.model):
            return f"model {self.asked!r} is not {' or '.join(when.model)}"
        if when.prompt_tokens is not None and not when.prompt_tokens.holds(self.prompt_tokens):
            return f"~{self.prompt_tokens:,} prompt tokens are out of range"
        for name, wanted, actual in flags:
            if wanted is not None and wanted != actual:
                return f"{name} is {str(actual).lower()}"
        missing = [tag for tag in when.tags if tag not in self.tags]
        if missing:
            return f"no tag {missing[0]!r}"
        if when.hours is not None and not when.hours.holds(self.minute_of_day):
            return "not at this hour"
        if when.strategy and request.strategy not in when.strategy:
            return f"strategy asked for is {request.strategy or 'none'}"
        return None


def _matches_any(text: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)


def _candidates(names: Sequence[str], catalog: Catalog) -> tuple[Candidate, ...]:
    """Candidates of `names` and of their fallbacks, breadth first, each model once, in its earliest tier."""
    found: dict[str, Candidate] = {}
    seen: set[str] = set()
    tier_names, tier = list(names), 0
    while tier_names:
        following: list[str] = []
        for name in tier_names:
            if name in seen:
                continue
            seen.add(name)
            for model in _models_of(name, catalog):
                found.setdefault(model.key, Candidate(model, name, tier, len(found)))
            named = catalog.names.get(name)
            following += named.fallback if named else ()
        tier_names, tier = following, tier + 1
    return tuple(found.values())


def _models_of(name: str, catalog: Catalog) -> tuple[Model, ...]:
    """Models that serve `name`. Raises UsageError where nobody does."""
    named = catalog.names.get(name)
    if named is not None:
        known = (model for key in named.candidates if (model := catalog.model(key)) is not None)
        return tuple(_judged(model, named) for model in known)
    if "/" in name:
        model = catalog.model(name)
        if model is not None:
            return (model,)
    keys = (f"{provider.name}/{name}" for provider in catalog.providers.values() if name in provider.models)
    listed = tuple(model for model in map(catalog.model, keys) if model is not None)
    if listed:
        return listed
    raise UsageError(_unknown_model(name, catalog))


def _judged(model: Model, named: NamedModel) -> Model:
    """The model with the user's judgement of the name it serves, where it has none of its own."""
    if model.quality is not None or named.quality is None:
        return model
    return replace(model, quality=named.quality)


def _strategy_named(word: str) -> Strategy:
    try:
        return Strategy(word)
    except ValueError:
        known = [strategy.value for strategy in Strategy]
        raise UsageError(f"unknown strategy {word!r}{_close(word, known)} Known: {', '.join(known)}.") from None


def _close(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or a full stop."""
    from difflib import get_close_matches  # noqa: PLC0415 - 11 ms, paid only by whoever mistyped

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "."


def _unknown_model(name: str, catalog: Catalog) -> str:
    provider, slash, _ = name.partition("/")
    if provider in catalog.providers:
        return f"model {name!r} is a provider without a model; any model can be asked as {provider}/MODEL-ID"
    if slash:
        what, known = f"unknown provider {provider!r} in model {name!r}", sorted(catalog.providers)
        hint = _close(provider, known)
    else:
        what, known = (
            f"unknown model {name!r}",
            sorted({*catalog.names, *(model_id for p in catalog.providers.values() for model_id in p.models)}),
        )
        hint = _close(name, known)
    names = ", ".join(known[:_KNOWN_SHOWN]) + (" …" if len(known) > _KNOWN_SHOWN else "")
    return f"{what}{hint} Known: {names or 'none'}. Any model can be asked as provider/model-id."


def _applied(plan: Plan, rule: Rule) -> Plan:
    kept: list[Candidate] = []
    excluded = list(plan.excluded)
    for candidate in plan.candidates:
        if rule.only and not _matches_any(candidate.key, rule.only):
            excluded.append(Excluded(candidate, f"rule {rule.name!r} allows only {', '.join(rule.only)}"))
        elif rule.prefer and _matches_any(candidate.key, rule.prefer):
            kept.append(replace(candidate, favour=-1))
        elif rule.avoid and _matches_any(candidate.key, rule.avoid):
            kept.append(replace(candidate, favour=1))
        else:
            kept.append(candidate)
    return replace(plan, candidates=tuple(kept), excluded=tuple(excluded))


def _of_provider(plan: Plan, provider: str | None, catalog: Catalog) -> Plan:
    """Only what the user's `--provider` names."""
    if provider is None:
        return plan
    if provider not in catalog.providers:
        known = sorted(catalog.providers)
        raise UsageError(f"unknown provider {provider!r}{_close(provider, known)} Known: {', '.join(known)}.")
    kept = tuple(c for c in plan.candidates if c.model.provider.name == provider)
    others = tuple(
        Excluded(c, f"--provider {provider} was asked for")
        for c in plan.candidates
        if c.model.provider.name != provider
    )
    if not kept and not any(e.candidate.model.provider.name == provider for e in plan.excluded):
        raise UsageError(
            f"provider {provider!r} is no candidate for {plan.asked!r} (candidates: "
            f"{', '.join(c.key for c in plan.candidates) or 'none'}); ask it as --model {provider}/MODEL-ID"
        )
    return replace(plan, candidates=kept, excluded=(*plan.excluded, *others))
