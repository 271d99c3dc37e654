"""The provider registry: the one place where judgement meets what is stored.

    snapshot   one read of everything the selector needs
    admit      breaker and rate limit of every scope a candidate passes, all or nothing, in one transaction
    report     the result: breakers, latency, tally, limiter and history, in one transaction

A candidate passes up to three circuits: its provider's account, the model at it, and the quota that the provider `shares`
with others. Keys carry 8 hex digits of the API key's hash, so that a new key starts with a clean record. The state
machines are pure functions in routing/; this module only gives their rows keys and runs them in the store.

Bookkeeping never fails a request: books.py says when what is written, unwritten.py what may be asked where nothing can be.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from random import Random
from typing import Final

from llmr.catalog import NO_SPEND_LIMITS, Model, Provider, SpendLimits
from llmr.dataclass import replace
from llmr.errors import ErrorKind, StateError
from llmr.registry import keys
from llmr.registry.admission import Admission, Spend
from llmr.registry.books import BUSY_S, Books, Later
from llmr.registry.calendar import local_day
from llmr.registry.results import DAY_S, Result
from llmr.registry.status import model_status
from llmr.registry.unwritten import Unwritten
from llmr.registry.values import Attempt, ModelStatus, Permit
from llmr.routing import breaker, budget, rate_limit, spending
from llmr.routing.budget import Budget, Charge, Extra
from llmr.routing.circuit import BreakerState, Forced, Grant, Outcome, Phase, Refusal, Verdict
from llmr.routing.estimate import estimate
from llmr.routing.health import CandidateHealth, Circuit, Health
from llmr.routing.latency import STREAMED_CLASSES
from llmr.routing.latency_row import LatencyStats
from llmr.routing.learnt_limits import LearntLimits
from llmr.routing.policy import BreakerPolicy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.spending import NEW_PURSE, Purse, Today
from llmr.state import Change, RequestRecord, Row, StateStore

LEASE_SLACK_S: Final = 5.0  # routing.md §1: first-token time-out + 2 × busy + 5 s
_RECENTLY: Final = 7  # days that `status` looks back


class ProviderRegistry:
    """Snapshot, admit, report, over a StateStore. One per process."""

    def __init__(
        self,
        store: StateStore,
        policy: BreakerPolicy,
        chance: Random,
        *,
        spend: SpendLimits = NO_SPEND_LIMITS,
        later: Later | None = None,
    ) -> None:
        """`spend` are the limits over all providers; `later` takes what may be written a moment later, None: nobody does, and
        everything is written at once."""
        self._store = store
        self._books = Books(store, chance, later)
        self._unwritten = Unwritten(policy)
        self._policy = policy
        self._spend = spend
        self._chance = chance
        self._failing: set[str] = set()  # circuits of which this process has booked failures, and no success since

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know about the state: set aside, in memory only, samples dropped."""
        return self._books.notices

    def snapshot(
        self, models: Collection[Model], *, streamed: bool, prompt_tokens: int, reasoning: bool, now: float
    ) -> Health:
        """What is known of `models`, as of one moment. Never raises: what cannot be read is unknown."""
        wanted = {
            model.key: keys.klass(model, streamed=streamed, prompt_tokens=prompt_tokens, reasoning=reasoning)
            for model in models
        }
        today = local_day(now) if self._limits_spending(models) else None
        needed = {keys.EVERYTHING}
        for model in models:
            needed.update(keys.circuits(model), keys.latency(model, wanted[model.key]))
            needed.update((keys.limiter(model.provider), keys.told_limits(model)))
            if today is not None:
                needed.update((keys.purse(today.month), keys.own_purse(model.provider, today.month)))
        rows = self._books.read(needed)
        seq = LatencyStats.from_row(rows.get(keys.EVERYTHING)).seq
        known = {model.key: self._health(model, rows, wanted[model.key], seq, now, today) for model in models}
        return Health(known, seq, now, _purse(rows, None if today is None else keys.purse(today.month)), today)

    def _health(
        self, model: Model, rows: Mapping[str, Row], klass: str, seq: float, now: float, today: Today | None
    ) -> CandidateHealth:
        chain = [LatencyStats.from_row(rows.get(key)) for key in keys.latency(model, klass)[1:]]
        return CandidateHealth(
            circuits=keys.circuits_in(model, rows),
            limiter=LimiterState.from_row(rows.get(keys.limiter(model.provider))),
            estimate=estimate(chain, now, seq),
            last_used_seq=chain[1].seq,
            told=LearntLimits.from_row(rows.get(keys.told_limits(model))),
            purse=_purse(rows, None if today is None else keys.own_purse(model.provider, today.month)),
        )

    def _limits_spending(self, models: Collection[Model]) -> bool:
        return self._spend.limited or any(model.provider.spend.limited for model in models)

    def may_retry(self, owner: Provider) -> bool:
        """Whether the budget of `owner`, the provider that was asked first, covers a retry. Never raises: what cannot be read
        is full."""
        key = keys.budget(owner)
        return budget.spend(Budget.from_row(self._books.read([key]).get(key)), Extra.RETRY) is not None

    def budget_left_usd(self, now: float) -> float | None:
        """Dollars that the strictest limit over all providers leaves; None: there is none, or it cannot be read."""
        if not self._spend.limited:
            return None
        today = local_day(now)
        rows = self._books.read([keys.purse(today.month)])
        return spending.left_usd(_purse(rows, keys.purse(today.month)), self._spend, today)

    def admit(
        self,
        model: Model,
        *,
        streamed: bool,
        prompt_tokens: int,
        reasoning: bool,
        first_token_s: float,
        token: str,
        now: float,
        last_resort: bool = False,
        charge: Charge | None = None,
        price_usd: float | None = None,
    ) -> Permit | Refusal:
        """Ask every circuit, the rate limits, the budget and the spend limits at once. A refusal writes nothing anywhere.

        `first_token_s` is this attempt's own time-out, which the probe's lease must outlive; `token` names the attempt;
        `now` is wall-clock seconds, used only where the store cannot be written and so has no clock of its own to read;
        `charge` says whose budget pays for it, None: nobody's; `price_usd` is what it will probably cost, None: nobody knows.
        """
        limited = self._limits_spending((model,))
        admission = Admission(
            model,
            keys.klass(model, streamed=streamed, prompt_tokens=prompt_tokens, reasoning=reasoning),
            prompt_tokens,
            token,
            max(self._policy.lease_s, first_token_s + 2 * BUSY_S + LEASE_SLACK_S),
            self._policy,
            last_resort,
            charge,
            Spend(price_usd, self._spend, local_day(now)) if limited else None,
        )
        try:
            return self._store.transact(admission.keys, admission.step)
        except StateError as error:
            self._books.met(error)
            return self._unwritten.admit(admission, self._books.read(keys.circuits(model)), now, error)

    def first_token(self, permit: Permit, *, lasts_s: float) -> Permit:
        """The first content token came. It closes the circuits that this attempt was the probe of; the permit returned carries
        their new epochs. Where the provider limits how many run at once, the slot is held for `lasts_s` from here on (see
        `renew`). For any other attempt nothing happens: its verdict is the end of the answer."""
        probed = {key: grant for key, grant in permit.grants if grant.probe}
        if not probed:
            self.renew(permit, lasts_s=lasts_s)
            return permit
        limiter_key = keys.limiter(permit.model.provider)

        def step(rows: Mapping[str, Row], now: float) -> Change[Mapping[str, Grant]]:
            after = {
                key: breaker.report(BreakerState.from_row(rows.get(key)), grant, Verdict(Outcome.OK), now, self._policy)
                for key, grant in probed.items()
            }
            held = {key for key, grant in probed.items() if BreakerState.from_row(rows.get(key)).epoch == grant.epoch}
            fresh = {key: Grant(state.epoch) for key, state in after.items() if key in held}
            writes: dict[str, Row | None] = {key: after[key].to_row() for key in held}
            return Change(fresh, {**writes, **_slot_kept(rows, limiter_key, permit.token, now, lasts_s)})

        try:
            fresh = self._store.transact({*probed, limiter_key}, step, wait_s=self._books.wait_s)
        except StateError as error:
            self._books.met(error)  # the report at the end carries the same verdict
            return permit
        grants = tuple((key, fresh.get(key, grant)) for key, grant in permit.grants)
        return replace(permit, grants=grants, acquits=bool(fresh))

    def renew(self, permit: Permit, *, lasts_s: float) -> None:
        """The attempt is alive: hold its slot for `lasts_s` from now on. Never raises; nothing is written where the provider
        has no limit on how many run at once, or the slot is gone. So a killed process holds it for that long and no longer.
        """
        if permit.model.provider.rate_limit.concurrent is None:
            return
        key = keys.limiter(permit.model.provider)

        def step(rows: Mapping[str, Row], now: float) -> Change[None]:
            return Change(None, _slot_kept(rows, key, permit.token, now, lasts_s))

        try:
            self._store.transact({key}, step, wait_s=self._books.wait_s)
        except StateError as error:
            self._books.met(error)

    def report(self, permit: Permit, attempt: Attempt) -> None:
        """Book the result. Never raises; what cannot be written now is kept for `flush`."""
        result = Result(permit, attempt, self._policy, jitter=self._chance.uniform(-1.0, 1.0))
        circuits = {key for key, _ in permit.grants}
        urgent = result.concerns_others or not circuits.isdisjoint(self._failing)
        if result.failed:
            self._failing |= circuits
        elif attempt.error is None:
            self._failing -= circuits
        self._books.write(result.keys, result.step, urgent=urgent)

    def record(self, request: RequestRecord) -> None:
        """Append one request to the history. Never raises."""
        self._books.write(frozenset(), lambda _rows, _now: Change(None, append=(request,)), urgent=False)

    def force(self, provider: Provider, forced: Forced | None) -> None:
        """Hold a provider's circuit open or closed by hand, or (None) let it judge again. Raises StateError."""
        key = keys.account(provider)

        def step(rows: Mapping[str, Row], _now: float) -> Change[None]:
            state = BreakerState.from_row(rows.get(key))
            return Change(None, {key: breaker.force(state, forced).to_row()})

        self._store.transact({key}, step)

    def reset(self, provider: Provider) -> int:
        """Forget what the circuits of the provider's account and of all its models hold, which slots are taken, and what it
        told of its limits. The number of circuits that were not closed. Raises StateError."""
        account, slots = provider.account, keys.limiter(provider)
        passed = {keys.account(provider), *self._store.scan(f"b:m:{account}/")}
        told = set(self._store.scan(keys.told_limits_of(provider)))
        if provider.shares is not None:
            passed.add(keys.shared(provider.shares))

        def step(rows: Mapping[str, Row], _now: float) -> Change[int]:
            states = {key: BreakerState.from_row(rows[key]) for key in passed if key in rows}
            writes: dict[str, Row | None] = {key: breaker.reset(state).to_row() for key, state in states.items()}
            writes |= dict.fromkeys(told & rows.keys())
            if slots in rows:
                writes[slots] = replace(LimiterState.from_row(rows[slots]), leases=()).to_row()
            troubled = sum(state.phase is not Phase.CLOSED or state.forced is not None for state in states.values())
            return Change(troubled, writes)

        return self._store.transact(passed | told | {slots}, step)

    def acquit(self, provider: Provider, kind: ErrorKind) -> int:
        """Close the circuits of the provider's account and models that `kind` opened, for it has been seen mended. The number
        of them. Raises StateError."""
        passed = {keys.account(provider), *self._store.scan(f"b:m:{provider.account}/")}

        def step(rows: Mapping[str, Row], _now: float) -> Change[int]:
            states = {key: BreakerState.from_row(rows[key]) for key in passed if key in rows}
            mended = [
                key
                for key, state in states.items()
                if state.phase is Phase.OPEN and state.forced is None and state.why == kind.value
            ]
            return Change(len(mended), {key: breaker.reset(states[key]).to_row() for key in mended})

        return self._store.transact(passed, step)

    def status(self, models: Collection[Model], *, now: float) -> list[ModelStatus]:
        """What is known of `models`, for people. Raises StateError."""
        today = int(now // DAY_S)
        days = range(today - _RECENTLY + 1, today + 1)
        needed: set[str] = set()
        for model in models:
            needed.update(keys.circuits(model), [keys.tally(model)])
            needed.update(key for klass in STREAMED_CLASSES for key in keys.latency(model, klass))
            needed.update(keys.day(model, day) for day in days)
        rows = self._store.read(needed)
        return [model_status(model, rows, days, now) for model in models]

    def circuits(self, models: Collection[Model]) -> Mapping[str, Sequence[Circuit]]:
        """The circuits on the way to each of the models, by its key. Raises StateError."""
        rows = self._store.read({key for model in models for key in keys.circuits(model)})
        return {model.key: keys.circuits_in(model, rows) for model in models}

    def budgets(self, providers: Iterable[Provider]) -> Mapping[str, Budget]:
        """What retries and hedges each may still cause, and what was counted, by the provider's name. Raises StateError."""
        wanted = {provider.name: keys.budget(provider) for provider in providers}
        rows = self._store.read(set(wanted.values()))
        return {name: Budget.from_row(rows.get(key)) for name, key in wanted.items()}

    def used_models(self, provider: Provider) -> list[str]:
        """Ids of the provider's models that have ever been tried, sorted. Raises StateError."""
        prefix = f"t:{provider.name}/"
        return sorted(key.removeprefix(prefix) for key in self._store.scan(prefix))

    def flush(self) -> None:
        """Write what had to wait; what still cannot be written is dropped and counted."""
        self._books.flush()


def _slot_kept(rows: Mapping[str, Row], key: str, token: str, now: float, lasts_s: float) -> Mapping[str, Row | None]:
    """The limiter's row with the slot of `token` held for longer; nothing where it holds none."""
    slots = LimiterState.from_row(rows.get(key))
    kept = rate_limit.renew(slots, token, now, lease_s=lasts_s)
    return {} if kept is slots else {key: kept.to_row()}


def _purse(rows: Mapping[str, Row], key: str | None) -> Purse:
    return NEW_PURSE if key is None or key not in rows else Purse.from_row(rows[key])
