"""The rules engine: the first rule that matches decides; one that continues lets the next ones speak too."""

from collections.abc import Iterator, Sequence
from typing import Final

from llmr.catalog import Catalog, Model, Strategy
from llmr.chat import ChatRequest
from llmr.dataclass import replace
from llmr.errors import UsageError
from llmr.routing.rules.condition import Clause, Facts, clauses, matches_any
from llmr.routing.rules.names import candidates, close, models_of, strategy_named
from llmr.routing.rules.plan import DeniedByRule, Excluded, Plan, RuleTrace, applied, wished
from llmr.routing.rules.rule import Rule
from llmr.routing.situation import Situation

_WILDCARDS: Final = frozenset("*?[")


class RulesEngine:
    """Evaluates rules. Holds the configured ones and nothing that changes."""

    def __init__(self, rules: Sequence[Rule], default_strategy: Strategy) -> None:
        self._rules = tuple(rules)
        self._default_strategy = default_strategy

    def watched(self, request: ChatRequest, catalog: Catalog) -> tuple[Model, ...]:
        """The models whose circuits or habits some rule asks about: what a Situation for `request` is to know of. Models
        that cannot be asked at all have neither."""
        globs = [glob for rule in self._rules for glob, _ in rule.when.circuit]
        found = [model for model in catalog.models.values() if matches_any(model.key, globs)] if globs else []
        exact = (glob for glob in globs if not _WILDCARDS & set(glob))
        found += [model for key in exact if (model := catalog.model(key)) is not None]
        if any(rule.when.output_tokens is not None for rule in self._rules):
            found += models_of(request.model or catalog.default_model or "", catalog)
        return tuple({model.key: model for model in found if model.provider.off_reason is None}.values())

    @property
    def asks_about_money(self) -> bool:
        """Whether a Situation is to know what is left of the budget."""
        return any(rule.when.budget_left_usd is not None for rule in self._rules)

    def evaluate(self, request: ChatRequest, catalog: Catalog, *, prompt_tokens: int, situation: Situation) -> Plan:
        """The plan for `request`.

        Raises UsageError for a name, provider or strategy nobody knows, DeniedByRule where a rule refuses.
        """
        asked = request.model or catalog.default_model or ""
        if not asked:
            raise UsageError("no model: name one with --model, or set default_model in routing.toml")
        output_tokens = _output_tokens(asked, request, catalog, situation)
        facts = Facts.of(asked, request, prompt_tokens=prompt_tokens, output_tokens=output_tokens, situation=situation)
        matched, trace = self._match(facts, _said_by(request))
        if matched and matched[-1].deny is not None:
            message = f"rule {matched[-1].name!r} refuses this request: {matched[-1].deny}"
            raise DeniedByRule(message, asked=asked, prompt_tokens=prompt_tokens, trace=trace)
        names = next((rule.models for rule in reversed(matched) if rule.models), (asked,))
        named = catalog.names.get(names[0])
        plan = Plan(
            asked=asked,
            candidates=candidates(names, catalog),
            excluded=(),
            strategy=self._strategy(request, matched, names[0], catalog),
            prompt_tokens=prompt_tokens,
            trace=trace,
            hedge=named.hedge if named is not None else None,
        )
        for rule in matched:
            plan = applied(plan, rule)
        return _of_provider(wished(plan, request), request.provider, catalog)

    def _match(self, facts: Facts, said: frozenset[str]) -> tuple[tuple[Rule, ...], tuple[RuleTrace, ...]]:
        """The rules that matched, a refusing one as the last, and what became of all. `said` as Rule.effects has it."""
        matched: list[Rule] = []
        trace: list[RuleTrace] = []
        decided: str | None = None
        for rule in self._rules:
            if decided is not None:
                trace.append(RuleTrace(rule.name, matched=False, because=f"rule {decided!r} decided before it"))
                continue
            judged = tuple(clauses(rule.when, facts))
            failed = next((clause for clause in judged if not clause.holds), None)
            if failed is not None:
                trace.append(RuleTrace(rule.name, matched=False, because=_words(failed), unmet=failed))
                continue
            found = dict.fromkeys(f"{clause.condition}: {clause.actual}" for clause in judged)
            because = "; ".join(found) or "it asks nothing"
            trace.append(RuleTrace(rule.name, matched=True, because=because, effects=tuple(rule.effects(said))))
            matched.append(rule)
            facts = facts.tagged(rule.tags)
            decided = None if rule.then_continue and rule.deny is None else rule.name
        return tuple(matched), tuple(trace)

    def _strategy(self, request: ChatRequest, matched: Sequence[Rule], name: str, catalog: Catalog) -> Strategy:
        """The user's word at the command line, else the last matching rule's, the model's, the default."""
        if request.strategy is not None:
            return strategy_named(request.strategy)
        ruled = next((rule.strategy for rule in reversed(matched) if rule.strategy), None)
        named = catalog.names.get(name)
        return ruled or (named.strategy if named else None) or self._default_strategy


def _said_by(request: ChatRequest) -> frozenset[str]:
    """What the request says for itself, by the names of a rule's fields: there its word outranks every rule's."""
    words = {
        "strategy": request.strategy,
        "hedge": request.hedge,
        "on_break": request.on_break,
        "deadline_s": request.deadline_s,
    }
    return frozenset(name for name, word in words.items() if word is not None)


def _words(failed: Clause) -> str:
    return f"{failed.condition}: {failed.actual}, wanted {failed.wanted}"


def _output_tokens(asked: str, request: ChatRequest, catalog: Catalog, situation: Situation) -> float | None:
    """The longest answer asked for; else what the first of the asked models that is known of usually says."""
    if request.max_output_tokens is not None:
        return request.max_output_tokens
    return next(_usual(asked, catalog, situation), None) if situation.output_tokens else None


def _usual(asked: str, catalog: Catalog, situation: Situation) -> Iterator[float]:
    for model in models_of(asked, catalog):
        if model.key in situation.output_tokens:
            yield situation.output_tokens[model.key]


def _of_provider(plan: Plan, provider: str | None, catalog: Catalog) -> Plan:
    """Only what the user's `--provider` names."""
    if provider is None:
        return plan
    if provider not in catalog.providers:
        known = sorted(catalog.providers)
        raise UsageError(f"unknown provider {provider!r}{close(provider, known)} Known: {', '.join(known)}.")
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
