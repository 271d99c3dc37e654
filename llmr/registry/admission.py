"""Leave to try, as one step of the store: every circuit, the rate limit and the budget grant, or nothing changes."""

from collections.abc import Mapping

from llmr.catalog import Model, Provider, SpendLimits
from llmr.dataclass import dataclass
from llmr.errors import ErrorKind
from llmr.registry import keys
from llmr.registry.values import Permit
from llmr.routing import breaker, budget, learnt_limits, rate_limit, spending
from llmr.routing.breaker import Blocked
from llmr.routing.budget import Budget, Charge
from llmr.routing.circuit import BreakerState, Grant, Refusal
from llmr.routing.learnt_limits import LearntLimits
from llmr.routing.policy import BreakerPolicy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.spending import Purse, Today
from llmr.state import Change, Row


@dataclass(frozen=True, slots=True)
class Spend:
    """What is to be checked against the spend limits. `price_usd` None: nobody knows; `general` is the limit over all."""

    price_usd: float | None
    general: SpendLimits
    today: Today

    def purses(self, provider: Provider) -> dict[str, tuple[SpendLimits, str]]:
        """The purses that have a limit, by key, with it and whose it is."""
        both = {
            keys.purse(self.today.month): (self.general, "your"),
            keys.own_purse(provider, self.today.month): (provider.spend, f"{provider.name}'s"),
        }
        return {key: (limits, whose) for key, (limits, whose) in both.items() if limits.limited}


@dataclass(frozen=True, slots=True)
class Admission:
    """What is asked for. `lease_s` bounds a probe and a slot; `token` names the attempt; `last_resort`: no candidate is
    closed; `charge` None: the request itself, which is free;
    `spend` None: no spend limit is set."""

    model: Model
    latency_class: str
    prompt_tokens: int
    token: str
    lease_s: float
    policy: BreakerPolicy
    last_resort: bool = False
    charge: Charge | None = None
    spend: Spend | None = None

    @property
    def payer(self) -> str:
        """The key of the budget that earns by it, or pays for it."""
        return keys.budget(self.model.provider if self.charge is None else self.charge.owner)

    @property
    def keys(self) -> frozenset[str]:
        """Every row that the step looks at."""
        found = {*keys.circuits(self.model), keys.limiter(self.model.provider), keys.told_limits(self.model)}
        if self.charge is not None:
            found.add(keys.budget(self.charge.owner))
        if self.spend is not None:
            found.update(self.spend.purses(self.model.provider))
        return frozenset(found)

    def step(self, rows: Mapping[str, Row], now: float) -> Change[Permit | Refusal]:
        """The permit and what it writes; a refusal writes nothing."""
        writes: dict[str, Row] = {}
        grants = self._circuits(rows, now, writes)
        if isinstance(grants, Refusal):
            return Change(grants)
        refusal = (
            self._limited(rows, now, writes)
            or self._told(rows, now, writes)
            or self._charged(rows, writes)
            or self._affordable(rows, writes)
        )
        if refusal is not None:
            return Change(refusal)
        counting = any(BreakerState.from_row(rows.get(key)).fails for key in keys.circuits(self.model))
        return Change(self.permit(grants, urgent=counting or keys.told_limits(self.model) in writes), writes)

    def permit(self, grants: tuple[tuple[str, Grant], ...], *, urgent: bool) -> Permit:
        """The permit that these grants make."""
        return Permit(
            self.model,
            grants,
            self.latency_class,
            self.prompt_tokens,
            self.token,
            probe=any(grant.probe for _, grant in grants),
            urgent=urgent,
            today=None if self.spend is None else self.spend.today,
        )

    def _circuits(
        self, rows: Mapping[str, Row], now: float, writes: dict[str, Row]
    ) -> tuple[tuple[str, Grant], ...] | Refusal:
        scopes = keys.circuits(self.model)
        states = [BreakerState.from_row(rows.get(key)) for key in scopes]
        answer = breaker.admit_all(states, now, self.policy, lease_s=self.lease_s, last_resort=self.last_resort)
        if isinstance(answer, Blocked):
            return answer.refusal.by(list(scopes.values())[answer.place], self.model.key)
        for key, before, (after, _) in zip(scopes, states, answer, strict=True):
            if after is not before:
                writes[key] = after.to_row()
        return tuple(zip(scopes, (grant for _, grant in answer), strict=True))

    def _limited(self, rows: Mapping[str, Row], now: float, writes: dict[str, Row]) -> Refusal | None:
        limit = self.model.provider.rate_limit
        if (limit.requests_per_minute, limit.tokens_per_minute, limit.concurrent) == (None, None, None):
            return None
        key = keys.limiter(self.model.provider)
        used = LimiterState.from_row(rows.get(key))
        taken, full = rate_limit.take(used, limit, self.prompt_tokens, now, token=self.token, lease_s=self.lease_s)
        if full is not None:
            return Refusal(full.reason, full.retry_at, why=ErrorKind.RATE_LIMIT.value)
        writes[key] = taken.to_row()
        return None

    def _told(self, rows: Mapping[str, Row], now: float, writes: dict[str, Row]) -> Refusal | None:
        key = keys.told_limits(self.model)
        if key not in rows:
            return None
        limits = LearntLimits.from_row(rows[key])
        full = learnt_limits.learnt_room(limits, self.prompt_tokens, now)
        if full is not None:
            return Refusal(full.reason, full.retry_at, why=ErrorKind.RATE_LIMIT.value)
        if learnt_limits.is_short(limits, self.prompt_tokens, now):
            writes[key] = learnt_limits.used(limits, self.prompt_tokens, now).to_row()
        return None

    def _affordable(self, rows: Mapping[str, Row], writes: dict[str, Row]) -> Refusal | None:
        if self.spend is None:
            return None
        usd = self.spend.price_usd
        for key, (limits, whose) in self.spend.purses(self.model.provider).items():
            purse = Purse.from_row(rows.get(key))
            over = spending.over(purse, limits, usd, self.spend.today, whose=whose)
            if over is not None:
                return Refusal(over.reason, over.retry_at, why=ErrorKind.BUDGET.value)
            if usd:
                writes[key] = spending.hold(purse, self.token, usd, self.spend.today.day).to_row()
        return None

    def _charged(self, rows: Mapping[str, Row], writes: dict[str, Row]) -> Refusal | None:
        if self.charge is None:
            return None
        owner, key = self.charge.owner, keys.budget(self.charge.owner)
        left = budget.spend(Budget.from_row(rows.get(key)), self.charge.extra)
        if left is None:
            return Refusal(f"the budget for retries and hedges of {owner.name} is used up")
        writes[key] = left.to_row()
        return None
