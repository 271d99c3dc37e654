"""The plan: what may be asked, in the user's order, and how: what rules decided, as values that the rest obeys."""

from dataclasses import field

from llmr.catalog import Model, Strategy, TimeoutOverrides
from llmr.chat import ChatRequest
from llmr.dataclass import dataclass, replace
from llmr.errors import RequestDenied
from llmr.money import dollars_above, exactly
from llmr.routing.policy import OnBreak
from llmr.routing.rules.condition import Clause, matches_any
from llmr.routing.rules.rule import Rule


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
    """What became of one rule: `because` says why it matched, or why not. `unmet` is the first condition that did not hold,
    None where all did or an earlier rule decided; `effects` is what a rule that matched did, a phrase each."""

    rule: str
    matched: bool
    because: str
    unmet: Clause | None = None
    effects: tuple[str, ...] = ()


class DeniedByRule(RequestDenied):
    """A rule refuses the request. `asked` is the name asked for; `trace` what became of every rule, the refusing one as one
    that matched."""

    def __init__(self, message: str, *, asked: str, prompt_tokens: int, trace: tuple[RuleTrace, ...]) -> None:
        super().__init__(message)
        self.asked = asked
        self.prompt_tokens = prompt_tokens
        self.trace = trace


@dataclass(frozen=True, slots=True)
class PriceCap:
    """What a request may be expected to cost, in US dollars, and the rule that says so; "" is the request itself.
    `allow_unknown`: a candidate whose price nobody knows may be asked all the same."""

    usd: float
    rule: str
    allow_unknown: bool = False

    def objection(self, price_usd: float | None, *, local: bool) -> str | None:
        """Why a price is not known to stay under the cap, None where it does. What runs on this machine (`local`) costs
        nothing, unless its price is said."""
        who = f"rule {self.rule!r}" if self.rule else "the request"
        if price_usd is not None:
            over = price_usd > self.usd
            return (
                f"~{dollars_above(price_usd, self.usd)} is over the cap of {exactly(self.usd)} ({who})"
                if over
                else None
            )
        if local or self.allow_unknown:
            return None
        mend = "; allow_unknown_price = true would let it pass" if self.rule else ""
        return f"price unknown, and the cap is {exactly(self.usd)} ({who}{mend})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be asked, in the user's order, and how. `prompt_tokens` is an estimate.

    `timeouts` lie over a provider's own. `hedge`, `on_break` and `cache` None: as the policy has it; `hedge_after_s`
    seconds, None: from the model's own history.
    """

    asked: str
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    strategy: Strategy
    prompt_tokens: int
    trace: tuple[RuleTrace, ...] = ()
    price_cap: PriceCap | None = None
    timeouts: TimeoutOverrides = field(default_factory=TimeoutOverrides)
    hedge: bool | None = None
    hedge_after_s: float | None = None
    on_break: OnBreak | None = None
    cache: bool | None = None

    @property
    def max_price_usd(self) -> float | None:
        """The cap on the expected price of this request; None: no cap."""
        return None if self.price_cap is None else self.price_cap.usd


def applied(plan: Plan, rule: Rule) -> Plan:
    """The plan as this rule would have it, after what earlier rules decided.

    Of two words on one thing the later counts, but for prices: the lowest cap holds, so that no rule lifts another's.
    """
    kept: list[Candidate] = []
    excluded = list(plan.excluded)
    for candidate in plan.candidates:
        if rule.only and not matches_any(candidate.key, rule.only):
            excluded.append(Excluded(candidate, f"rule {rule.name!r} allows only {', '.join(rule.only)}"))
        elif rule.prefer and matches_any(candidate.key, rule.prefer):
            kept.append(replace(candidate, favour=-1))
        elif rule.avoid and matches_any(candidate.key, rule.avoid):
            kept.append(replace(candidate, favour=1))
        else:
            kept.append(candidate)
    hedged = rule.hedge is not None
    return replace(
        plan,
        candidates=tuple(kept),
        excluded=tuple(excluded),
        price_cap=_lower(plan.price_cap, rule),
        timeouts=rule.timeouts.laid_over(plan.timeouts),
        hedge=rule.hedge if hedged else plan.hedge,
        hedge_after_s=rule.hedge_after_s if hedged else plan.hedge_after_s,
        on_break=rule.on_break or plan.on_break,
        cache=plan.cache if rule.cache is None else rule.cache,
    )


def wished(plan: Plan, request: ChatRequest) -> Plan:
    """The plan with what this one request says for itself: its word outranks rules, but it lifts no rule's price cap."""
    if request.hedge is not None:
        plan = replace(plan, hedge=request.hedge)
    if request.deadline_s is not None:
        timeouts = replace(plan.timeouts, deadline_s=request.deadline_s, total_s=request.deadline_s)
        plan = replace(plan, timeouts=timeouts)
    usd = request.max_price_usd
    if usd is not None and (plan.price_cap is None or usd < plan.price_cap.usd):
        plan = replace(plan, price_cap=PriceCap(usd, ""))
    return plan


def _lower(cap: PriceCap | None, rule: Rule) -> PriceCap | None:
    if rule.max_price_usd is None:
        return cap
    own = PriceCap(rule.max_price_usd, rule.name, rule.allow_unknown_price)
    if cap is None:
        return own
    lower = own if own.usd < cap.usd else cap
    return replace(lower, allow_unknown=own.allow_unknown and cap.allow_unknown)
