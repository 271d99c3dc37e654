"""The provider registry: the one place where judgement meets what is stored.

    snapshot   one read of everything the selector needs
    admit      breaker and rate limit of every scope a candidate passes, all or nothing, in one transaction
    report     the result: breakers, latency, tally, limiter and history, in one transaction

A candidate passes up to three circuits: its provider's account, the model at it, and the quota that the provider `shares`
with others. Keys carry 8 hex digits of the API key's hash, so that a new key starts with a clean record. The state
machines are pure functions in routing/; this module only gives their rows keys and runs them in the store.

Bookkeeping never fails a request. A store that is locked keeps its samples here and gets them at the end (`flush`); what
still cannot be written is dropped and counted. A store that cannot be read is an empty one. An admission that cannot be
written falls back on what was read: through a closed circuit one may go, a probe one may not be.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeVar

from llmr.catalog import Model, Provider
from llmr.chat import Usage
from llmr.errors import ErrorKind, ProviderError, StateBusy, StateError
from llmr.routing import breaker, latency, rate_limit, tally
from llmr.routing.breaker import Blocked, BreakerState, Forced, Grant, Outcome, Refusal, Verdict
from llmr.routing.disposition import Disposition, disposition
from llmr.routing.health import CandidateHealth, Circuit, Health
from llmr.routing.latency import LatencyStats, Sample
from llmr.routing.policy import BreakerPolicy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.tally import Tally
from llmr.secret import Redactor
from llmr.state import AttemptRecord, Change, RequestRecord, Row, StateStore, Step

T = TypeVar("T")

BUSY_S: Final = 0.25  # trust.md §5: no answer waits longer for the store
FLUSH_S: Final = 2.0  # at the end, when the answer is out, patience costs nothing
LEASE_SLACK_S: Final = 5.0  # routing.md §1: first-token time-out + 2 × busy + 5 s
HISTOGRAM_DAYS: Final = 35
DAY_S: Final = 86_400
TIDY_CHANCE: Final = 1 / 64  # old histograms are looked for by one process in so many

_EVERYTHING: Final = "l:"
_RECENTLY: Final = 7  # days that `status` looks back


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to try one model. Given back with the report. `grants` are per circuit key; `token` is the limiter's; `probe`:
    this attempt is *the* probe of one of its circuits, or was until its first token closed it."""

    model: Model
    grants: tuple[tuple[str, Grant], ...]
    latency_class: str
    prompt_tokens: int
    token: str
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try and what came of it. Durations are monotonic seconds; `at` is wall clock. `error` None: a whole answer.

    `ttft_s` None: no content token came. `cost_usd` None: unknown. `outpaced`: cancelled because its hedge was faster.
    """

    request_id: str
    at: float
    streamed: bool
    total_s: float
    ttft_s: float | None = None
    error: ProviderError | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    outpaced: bool = False


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What `providers status` shows of one model. Seconds; None: no samples. `p50_s`, `p95_s` are of the first token of
    streamed answers: percentiles of the last week, or the fit where that holds too few."""

    model: Model
    circuits: tuple[Circuit, ...]
    attempts: int
    success: float | None
    p50_s: float | None
    p95_s: float | None
    last_error: str
    last_error_at: float


class ProviderRegistry:
    """Snapshot, admit, report, over a StateStore. One per process."""

    def __init__(self, store: StateStore, policy: BreakerPolicy, chance: Random) -> None:
        self._store = store
        self._policy = policy
        self._chance = chance
        self._pending: list[tuple[frozenset[str], Step[None]]] = []
        self._dropped = 0
        self._trouble: str | None = None

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know about the state: set aside, in memory only, samples dropped."""
        if self._trouble is None:
            return tuple(self._store.notices)
        what = f"{self._dropped} records could not be written" if self._dropped else "the state was not fully usable"
        return (*self._store.notices, f"{what}: {self._trouble}")

    def snapshot(
        self, models: Collection[Model], *, streamed: bool, prompt_tokens: int, reasoning: bool, now: float
    ) -> Health:
        """What is known of `models`, as of one moment. Never raises: what cannot be read is unknown."""
        wanted = {
            model.key: _class(model, streamed=streamed, prompt_tokens=prompt_tokens, reasoning=reasoning)
            for model in models
        }
        keys = {_EVERYTHING}
        for model in models:
            keys.update(_circuit_keys(model), _latency_keys(model, wanted[model.key]), [_limiter_key(model.provider)])
        rows = self._read(keys)
        seq = LatencyStats.from_row(rows.get(_EVERYTHING)).seq
        return Health({model.key: self._health(model, rows, wanted[model.key], seq, now) for model in models}, seq, now)

    def _health(self, model: Model, rows: Mapping[str, Row], klass: str, seq: float, now: float) -> CandidateHealth:
        chain = [LatencyStats.from_row(rows.get(key)) for key in _latency_keys(model, klass)]
        return CandidateHealth(
            circuits=_circuits(model, rows),
            limiter=LimiterState.from_row(rows.get(_limiter_key(model.provider))),
            estimate=latency.estimate(chain, now, seq),
            last_used_seq=chain[2].seq,
        )

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
    ) -> Permit | Refusal:
        """Ask every circuit and the rate limiter of `model` at once. A refusal writes nothing anywhere.

        `first_token_s` is this attempt's own time-out, which the probe's lease must outlive; `token` names the request;
        `now` is wall-clock seconds, used only where the store cannot be written and so has no clock of its own to read.
        """
        scopes = _circuit_keys(model)
        limiter_key, limit = _limiter_key(model.provider), model.provider.rate_limit
        limited = (limit.requests_per_minute, limit.tokens_per_minute, limit.concurrent) != (None, None, None)
        lease_s = max(self._policy.lease_s, first_token_s + 2 * BUSY_S + LEASE_SLACK_S)
        klass = _class(model, streamed=streamed, prompt_tokens=prompt_tokens, reasoning=reasoning)

        def step(rows: Mapping[str, Row], now: float) -> Change[Permit | Refusal]:
            states = [BreakerState.from_row(rows.get(key)) for key in scopes]
            answer = breaker.admit_all(states, now, self._policy, lease_s=lease_s, last_resort=last_resort)
            if isinstance(answer, Blocked):
                label = list(scopes.values())[answer.place]
                return Change(replace(answer.refusal, reason=f"{label}: {answer.refusal.reason}"))
            changed = zip(scopes, states, answer, strict=True)
            writes: dict[str, Row] = {key: after.to_row() for key, before, (after, _) in changed if after is not before}
            grants = tuple(zip(scopes, (grant for _, grant in answer), strict=True))
            if limited:
                used = LimiterState.from_row(rows.get(limiter_key))
                taken, full = rate_limit.take(used, limit, prompt_tokens, now, token=token, lease_s=lease_s)
                if full is not None:
                    return Change(Refusal(full.reason, full.retry_at))
                writes[limiter_key] = taken.to_row()
            probe = any(grant.probe for _, grant in grants)
            return Change(Permit(model, grants, klass, prompt_tokens, token, probe), writes)

        try:
            return self._store.transact({*scopes, limiter_key}, step)
        except StateError as error:
            return self._admit_unwritten(model, klass, prompt_tokens, token, now, error)

    def _admit_unwritten(
        self, model: Model, klass: str, prompt_tokens: int, token: str, now: float, error: StateError
    ) -> Permit | Refusal:
        """The store cannot be written: go through what reads as closed, refuse what would be a probe. Limits are not kept:
        that would need a row."""
        self._met(error)
        scopes = _circuit_keys(model)
        circuits = _circuits(model, self._read(scopes))
        answer = breaker.admit_all([c.state for c in circuits], now, self._policy, lease_s=self._policy.lease_s)
        if isinstance(answer, Blocked):
            return replace(answer.refusal, reason=f"{circuits[answer.place].scope}: {answer.refusal.reason}")
        if any(after is not circuit.state for circuit, (after, _) in zip(circuits, answer, strict=True)):
            return Refusal(f"it would be a probe, and the state file cannot be written ({error})")
        return Permit(model, tuple(zip(scopes, (g for _, g in answer), strict=True)), klass, prompt_tokens, token)

    def first_token(self, permit: Permit, *, lasts_s: float) -> Permit:
        """The first content token came; the rest may take `lasts_s`. It closes the circuits that this attempt was the probe
        of; the permit returned carries their new epochs. Where the provider limits how many run at once, the slot, which a
        killed process would otherwise hold that long, is kept from here on for the rest. For any other attempt nothing
        happens: its verdict is the end of the answer."""
        probed = {key: grant for key, grant in permit.grants if grant.probe}
        limiter_key = _limiter_key(permit.model.provider)
        slotted = permit.model.provider.rate_limit.concurrent is not None
        if not probed and not slotted:
            return permit

        def step(rows: Mapping[str, Row], now: float) -> Change[Mapping[str, Grant]]:
            after = {
                key: breaker.report(BreakerState.from_row(rows.get(key)), grant, Verdict(Outcome.OK), now, self._policy)
                for key, grant in probed.items()
            }
            held = {key for key, grant in probed.items() if BreakerState.from_row(rows.get(key)).epoch == grant.epoch}
            fresh = {key: Grant(state.epoch) for key, state in after.items() if key in held}
            writes: dict[str, Row | None] = {key: after[key].to_row() for key in held}
            if slotted:
                slots = LimiterState.from_row(rows.get(limiter_key))
                writes[limiter_key] = rate_limit.renew(slots, permit.token, now, lease_s=lasts_s).to_row()
            return Change(fresh, writes)

        try:
            fresh = self._store.transact({*probed, limiter_key}, step)
        except StateError as error:
            self._met(error)  # the report at the end carries the same verdict
            return permit
        return replace(permit, grants=tuple((key, fresh.get(key, grant)) for key, grant in permit.grants))

    def report(self, permit: Permit, attempt: Attempt) -> None:
        """Book the result. Never raises; what cannot be written now is kept for `flush`."""
        error = attempt.error
        row = disposition(error.kind if error else None, retry_after_s=error.retry_after_s if error else None)
        verdicts = _verdicts(permit, row, error, jitter=self._chance.uniform(-1.0, 1.0))
        latency_keys = _latency_keys(permit.model, permit.latency_class)
        limiter_key = _limiter_key(permit.model.provider)
        sample = _sample(row, attempt)
        record = _attempt_record(permit, attempt)

        def step(rows: Mapping[str, Row], now: float) -> Change[None]:
            writes: dict[str, Row | None] = {}
            for key, grant in permit.grants:
                state = BreakerState.from_row(rows.get(key))
                after = breaker.report(state, grant, verdicts[key], now, self._policy)
                if after != state:
                    writes[key] = after.to_row()
            held = LimiterState.from_row(rows.get(limiter_key))
            freed = rate_limit.release(
                held,
                permit.model.provider.rate_limit,
                permit.token,
                now,
                tokens_over=_tokens_over(permit, attempt),
            )
            if freed is not held:
                writes[limiter_key] = freed.to_row()
            writes |= _learnt(rows, latency_keys, sample, now)
            writes |= _tallied(rows, permit.model, row, attempt, now)
            return Change(None, writes, append=(record,))

        day_key = _day_key(permit.model, int(attempt.at // DAY_S))
        self._write(frozenset({*verdicts, *latency_keys, limiter_key, _tally_key(permit.model), day_key}), step)

    def record(self, request: RequestRecord) -> None:
        """Append one request to the history. Never raises."""
        self._write(frozenset(), lambda _rows, _now: Change(None, append=(request,)))

    def force(self, provider: Provider, forced: Forced | None) -> None:
        """Hold a provider's circuit open or closed by hand, or (None) let it judge again. Raises StateError."""
        key = _provider_key(provider)

        def step(rows: Mapping[str, Row], _now: float) -> Change[None]:
            state = BreakerState.from_row(rows.get(key))
            return Change(None, {key: breaker.force(state, forced).to_row()})

        self._store.transact({key}, step)

    def reset(self, provider: Provider) -> int:
        """Forget what the circuits of the provider's account and of all its models hold. The number of circuits that were
        not closed. Raises StateError."""
        account = provider.account
        keys = {_provider_key(provider), *self._store.scan(f"b:m:{account}/")}
        if provider.shares is not None:
            keys.add(_shared_key(provider.shares))

        def step(rows: Mapping[str, Row], _now: float) -> Change[int]:
            states = {key: BreakerState.from_row(rows[key]) for key in keys if key in rows}
            troubled = sum(
                state.phase is not breaker.Phase.CLOSED or state.forced is not None for state in states.values()
            )
            return Change(troubled, {key: breaker.reset(state).to_row() for key, state in states.items()})

        return self._store.transact(keys, step)

    def status(self, models: Collection[Model], *, now: float) -> list[ModelStatus]:
        """What is known of `models`, for people. Raises StateError."""
        today = int(now // DAY_S)
        days = range(today - _RECENTLY + 1, today + 1)
        keys: set[str] = set()
        for model in models:
            keys.update(_circuit_keys(model), [_tally_key(model)])
            keys.update(key for klass in latency.STREAMED_CLASSES for key in _latency_keys(model, klass))
            keys.update(_day_key(model, day) for day in days)
        rows = self._store.read(keys)
        return [_model_status(model, rows, days, now) for model in models]

    def used_models(self, provider: Provider) -> list[str]:
        """Ids of the provider's models that have ever been tried, sorted. Raises StateError."""
        prefix = f"t:{provider.name}/"
        return sorted(key.removeprefix(prefix) for key in self._store.scan(prefix))

    def flush(self) -> None:
        """Write what had to wait; what still cannot be written is dropped and counted."""
        pending, self._pending = self._pending, []
        patience_s = FLUSH_S  # for all of them together: who holds the lock for so long will not let the next one in
        for keys, step in pending:
            try:
                self._store.transact(keys, step, wait_s=patience_s)
            except StateError as error:
                patience_s = 0.0
                self._dropped += 1
                self._trouble = str(error)
        if self._chance.random() < TIDY_CHANCE:
            self._tidy()

    def _tidy(self) -> None:
        """Drop histograms older than HISTOGRAM_DAYS."""

        def step(rows: Mapping[str, Row], now: float) -> Change[None]:
            oldest = int(now // DAY_S) - HISTOGRAM_DAYS
            return Change(None, {key: None for key in rows if _day_of(key) < oldest})

        try:
            self._store.transact(set(self._store.scan("h:")), step)
        except StateError as error:
            self._met(error)

    def _met(self, error: StateError) -> None:
        """Trouble that lost nothing yet. A lock is ordinary; a store that cannot be used is something to be told."""
        if not isinstance(error, StateBusy):
            self._trouble = str(error)

    def _write(self, keys: frozenset[str], step: Step[None]) -> None:
        try:
            self._store.transact(keys, step, wait_s=BUSY_S)
        except StateBusy:
            self._pending.append((keys, step))
        except StateError as error:
            self._dropped += 1
            self._trouble = str(error)

    def _read(self, keys: Iterable[str]) -> Mapping[str, Row]:
        try:
            return self._store.read(set(keys))
        except StateError as error:
            self._met(error)
            return {}


def _class(model: Model, *, streamed: bool, prompt_tokens: int, reasoning: bool) -> str:
    thinks = reasoning or model.capabilities.reasoning is True
    return latency.latency_class(streamed=streamed, prompt_tokens=prompt_tokens, reasoning=thinks)


def _provider_key(provider: Provider) -> str:
    return f"b:p:{provider.account}"


def _shared_key(share: str) -> str:
    return f"b:s:{share}"


def _circuit_keys(model: Model) -> dict[str, str]:
    """The keys of every circuit a model passes, with what people call them; outermost first."""
    provider = model.provider
    keys = {
        _provider_key(provider): f"provider {provider.name}",
        f"b:m:{provider.account}/{model.id}": model.key,
    }
    if provider.shares is not None:
        keys[_shared_key(provider.shares)] = f"shared quota {provider.shares}"
    return keys


def _circuits(model: Model, rows: Mapping[str, Row]) -> tuple[Circuit, ...]:
    return tuple(Circuit(label, BreakerState.from_row(rows.get(key))) for key, label in _circuit_keys(model).items())


def _latency_keys(model: Model, klass: str) -> list[str]:
    """Everything, provider, model, class."""
    provider = model.provider.name
    return [_EVERYTHING, f"l:{provider}", f"l:{provider}/{model.id}", f"l:{provider}/{model.id}|{klass}"]


def _limiter_key(provider: Provider) -> str:
    return f"r:s:{provider.shares}" if provider.shares is not None else f"r:p:{provider.account}"


def _tally_key(model: Model) -> str:
    return f"t:{model.key}"


def _day_key(model: Model, day: int) -> str:
    return f"h:{day}:{model.key}"


def _verdicts(permit: Permit, row: Disposition, error: ProviderError | None, *, jitter: float) -> dict[str, Verdict]:
    """What the result means to each circuit that the attempt passed."""
    told_s = error.retry_after_s if error else None
    why = error.kind.value if error else ""
    return {key: Verdict(_outcome(row, key), told_s, jitter, why) for key, _ in permit.grants}


def _day_of(key: str) -> int:
    """The day of a histogram's key; −1, which is before every other, for a key that names none."""
    day = key.split(":")[1]
    return int(day) if day.isdecimal() and len(day) < 9 else -1


def _outcome(row: Disposition, key: str) -> Outcome:
    if key.startswith("b:p:"):
        return row.provider
    return row.shared if key.startswith("b:s:") else row.model


def _is_providers_fault(row: Disposition) -> bool:
    """Whether a failure says something about the provider, rather than about the request, a quota or the user."""
    return row.model is Outcome.ERROR or (row.provider is Outcome.ERROR and row.model is Outcome.NEUTRAL)


def _sample(row: Disposition, attempt: Attempt) -> Sample | None:
    """What the attempt teaches about latency; None: nothing."""
    if attempt.outpaced:
        return Sample(None, attempt.total_s, outpaced=True)
    if attempt.error is not None:
        return Sample(None, attempt.total_s) if _is_providers_fault(row) else None
    if attempt.ttft_s is None:
        return None
    return Sample(attempt.ttft_s, attempt.total_s, attempt.usage.output_tokens if attempt.usage else None)


def _learnt(
    rows: Mapping[str, Row], keys: Sequence[str], sample: Sample | None, now: float
) -> Iterator[tuple[str, Row]]:
    """The latency rows after one more request; its number is counted even where it teaches nothing."""
    seq = LatencyStats.from_row(rows.get(_EVERYTHING)).seq + 1
    for key in keys:
        stats = LatencyStats.from_row(rows.get(key))
        after = latency.decayed(stats, now, seq) if sample is None else latency.record(stats, sample, now, seq)
        yield key, after.to_row()


def _tallied(
    rows: Mapping[str, Row], model: Model, row: Disposition, attempt: Attempt, now: float
) -> Iterator[tuple[str, Row]]:
    """The rows that people are shown, after one more attempt. What the user cancelled did not happen."""
    tally_key, day_key = _tally_key(model), _day_key(model, int(attempt.at // DAY_S))
    counts = Tally.from_row(rows.get(tally_key))
    if attempt.error is None:
        yield tally_key, counts.with_success(now).to_row()
        if attempt.ttft_s is not None and attempt.streamed:  # unstreamed, the first token is the last
            yield day_key, tally.counted(tally.histogram_from_row(rows.get(day_key)), attempt.ttft_s)
    elif attempt.error.kind is not ErrorKind.CANCELLED:
        yield (
            tally_key,
            counts.with_error(now, _named(attempt.error, model), counts=_is_providers_fault(row)).to_row(),
        )


def _named(error: ProviderError, model: Model) -> str:
    """Kind, status and the provider's own code where it is shaped like one; never its message, which may hold the prompt."""
    words = [error.kind.value, str(error.status) if error.status else "", _safe_code(error.code, model) or ""]
    return " ".join(word for word in words if word)


def _safe_code(code: str | None, model: Model) -> str | None:
    """The code if it is a short identifier; anything longer or stranger could be a piece of the prompt, or the key itself,
    which whoever was asked has seen."""
    if code is None or len(code) > 64:
        return None
    key = model.provider.key
    if Redactor(() if key is None else (key,))(code) != code:
        return None
    return code if code.replace("_", "a").replace("-", "a").replace(".", "a").isalnum() and code.isascii() else None


def _tokens_over(permit: Permit, attempt: Attempt) -> int:
    """By how much usage exceeded the estimate that was charged to the limiter."""
    if attempt.usage is None or attempt.usage.input_tokens is None:
        return 0
    return attempt.usage.input_tokens + (attempt.usage.output_tokens or 0) - permit.prompt_tokens


def _attempt_record(permit: Permit, attempt: Attempt) -> AttemptRecord:
    error, usage = attempt.error, attempt.usage
    return AttemptRecord(
        request_id=attempt.request_id,
        at=attempt.at,
        provider=permit.model.provider.name,
        model=permit.model.id,
        outcome=error.kind.value if error else "ok",
        streamed=attempt.streamed,
        total_s=attempt.total_s,
        ttft_s=attempt.ttft_s,
        status=error.status if error else 200,
        code=_safe_code(error.code, permit.model) if error else None,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cost_usd=attempt.cost_usd,
        probe=permit.probe,
    )


def _model_status(model: Model, rows: Mapping[str, Row], days: range, now: float) -> ModelStatus:
    counts = Tally.from_row(rows.get(_tally_key(model)))
    histogram = tally.merged(tally.histogram_from_row(rows.get(_day_key(model, day))) for day in days)
    chains = [
        [LatencyStats.from_row(rows.get(key)) for key in _latency_keys(model, klass)]
        for klass in latency.STREAMED_CLASSES
    ]
    usual = max(chains, key=lambda chain: chain[-1].long_n)  # the kind of request that this model is asked most
    fit = latency.estimate(usual, now, usual[0].seq)
    measured = usual[-1].long_n > 0
    return ModelStatus(
        model=model,
        circuits=_circuits(model, rows),
        attempts=counts.attempts,
        success=counts.successes / counts.attempts if counts.attempts else None,
        p50_s=tally.percentile_s(histogram, 0.5) or (fit.p50_s if measured else None),
        p95_s=tally.percentile_s(histogram, 0.95) or (fit.p95_s if measured else None),
        last_error=counts.last_error,
        last_error_at=counts.last_error_at,
    )
