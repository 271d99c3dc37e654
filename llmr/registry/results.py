"""What one result does to the rows: verdicts for the circuits, a sample for the latencies, counts for people, a record."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from llmr.catalog import Model
from llmr.chat import Usage
from llmr.dataclass import replace
from llmr.errors import ErrorKind, ProviderError
from llmr.registry import keys
from llmr.registry.calendar import local_day
from llmr.registry.values import Attempt, Permit
from llmr.routing import breaker, budget, latency, learnt_limits, rate_limit, spending, tally
from llmr.routing.budget import Budget
from llmr.routing.circuit import BreakerState, Outcome, Verdict
from llmr.routing.disposition import Disposition, Onward, disposition
from llmr.routing.latency import Sample
from llmr.routing.latency_row import LatencyStats, decayed
from llmr.routing.learnt_limits import LearntLimits
from llmr.routing.policy import BreakerPolicy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.spending import Purse
from llmr.routing.tally import Tally
from llmr.secret import Redactor
from llmr.state import AttemptRecord, Change, Row

DAY_S: Final = 86_400

_SAYS_NOTHING: Final = Disposition(False, Onward.NOBODY, Outcome.NEUTRAL, Outcome.NEUTRAL)


class Result:
    """What came of one attempt, as one step of the store. `jitter` is a draw from [−1, 1] for a cool-down."""

    def __init__(self, permit: Permit, attempt: Attempt, policy: BreakerPolicy, *, jitter: float) -> None:
        error = attempt.error
        self._permit = permit
        self._attempt = attempt
        self._policy = policy
        self._row = _row_of(attempt)
        self._verdicts = verdicts_of(permit, self._row, error, jitter=jitter)
        self._latency_keys = keys.latency(permit.model, permit.latency_class)
        self._sample = sample_of(self._row, attempt)
        self._today = permit.today or local_day(attempt.at)  # an answer belongs to the day on which it was asked for

    @property
    def keys(self) -> frozenset[str]:
        """Every row that the step looks at."""
        model, day = self._permit.model, int(self._attempt.at // DAY_S)
        own = (keys.limiter(model.provider), keys.budget(model.provider), keys.tally(model), keys.day(model, day))
        return frozenset({*self._verdicts, *self._latency_keys, *own, *self._purses, keys.told_limits(model)})

    @property
    def concerns_others(self) -> bool:
        """Whether the next request, of whatever process, must know: a failure, what ends a run of them, a probe's verdict, a
        slot that is free."""
        failed = self._attempt.error is not None and self._attempt.error.kind is not ErrorKind.CANCELLED
        slotted = self._permit.model.provider.rate_limit.concurrent is not None
        return failed or slotted or self._permit.urgent or any(grant.probe for _, grant in self._permit.grants)

    @property
    def failed(self) -> bool:
        """Whether a circuit may count it."""
        return Outcome.ERROR in {verdict.outcome for verdict in self._verdicts.values()}

    def step(self, rows: Mapping[str, Row], now: float) -> Change[None]:
        """Circuits, limiter, budget, latencies, counts and the record."""
        writes: dict[str, Row | None] = {}
        ended_at = min(now, self._attempt.at + self._attempt.total_s)  # a step may come hours late
        writes |= self._judged(rows, ended_at)
        writes |= self._released(rows, now)
        writes |= self._settled(rows)
        if self._attempt.sent:
            writes |= self._earned(rows)
            writes |= self._told(rows)
            writes |= learnt(rows, self._latency_keys, self._acquitting(rows), now)
            writes |= tallied(rows, self._permit.model, self._row, self._attempt, ended_at)
        return Change(None, writes, append=(attempt_record(self._permit, self._attempt),))

    def _judged(self, rows: Mapping[str, Row], now: float) -> Iterator[tuple[str, Row]]:
        for key, grant in self._permit.grants:
            state = BreakerState.from_row(rows.get(key))
            after = breaker.report(state, grant, self._verdicts[key], now, self._policy)
            if after != state:
                yield key, after.to_row()

    def _acquitting(self, rows: Mapping[str, Row]) -> Sample | None:
        """The sample, as that of a probe where it is the one that closed, or now closes, a circuit: a prober that lost its
        lease speaks for nobody."""
        closes = self._permit.acquits or any(
            grant.probe
            and self._verdicts[key].outcome is Outcome.OK
            and BreakerState.from_row(rows.get(key)).epoch == grant.epoch
            for key, grant in self._permit.grants
        )
        return None if self._sample is None else replace(self._sample, acquits=closes)

    def _released(self, rows: Mapping[str, Row], now: float) -> Iterator[tuple[str, Row]]:
        provider = self._permit.model.provider
        held = LimiterState.from_row(rows.get(keys.limiter(provider)))
        freed = rate_limit.release(
            held,
            provider.rate_limit,
            self._permit.token,
            now,
            tokens_over=tokens_over(self._permit, self._attempt),
            requests_over=0 if self._attempt.sent else -1,
        )
        if freed is not held:
            yield keys.limiter(provider), freed.to_row()

    @property
    def _purses(self) -> tuple[str, str]:
        month = self._today.month
        return keys.purse(month), keys.own_purse(self._permit.model.provider, month)

    def _settled(self, rows: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
        for key in self._purses:
            before = Purse.from_row(rows.get(key))
            after = spending.settle(before, self._permit.token, cost_usd(self._attempt), self._today.day)
            if after is not before:
                yield key, after.to_row()

    def _told(self, rows: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
        told, key = self._attempt.told, keys.told_limits(self._permit.model)
        if told is not None:
            before = LearntLimits.from_row(rows.get(key))
            yield key, learnt_limits.learn(told, before, self._attempt.told_at).to_row()

    def _earned(self, rows: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
        """A request earns its share of the budget when its first attempt is over: no write of its own for it."""
        if self._attempt.number == 1:
            key = keys.budget(self._permit.model.provider)
            yield key, budget.earn(Budget.from_row(rows.get(key))).to_row()


def _row_of(attempt: Attempt) -> Disposition:
    error = attempt.error
    if error is not None and (attempt.impatient or not attempt.sent):
        return _SAYS_NOTHING
    return disposition(error.kind if error else None, retry_after_s=error.retry_after_s if error else None)


def verdicts_of(permit: Permit, row: Disposition, error: ProviderError | None, *, jitter: float) -> dict[str, Verdict]:
    """What the result means to each circuit that the attempt passed."""
    told_s = error.retry_after_s if error else None
    why = error.kind.value if error else ""
    return {key: Verdict(_outcome(row, key), told_s, jitter, why) for key, _ in permit.grants}


def _outcome(row: Disposition, key: str) -> Outcome:
    if key.startswith("b:p:"):
        return row.provider
    return row.shared if key.startswith("b:s:") else row.model


def sample_of(row: Disposition, attempt: Attempt) -> Sample | None:
    """What the attempt teaches about latency; None: nothing."""
    if attempt.outpaced or (attempt.impatient and attempt.ttft_s is None):
        return Sample(None, attempt.total_s, outpaced=True)
    if attempt.impatient:
        return Sample(attempt.ttft_s, attempt.total_s)  # it did begin; how fast it goes on, nobody counted
    if attempt.error is not None:
        return Sample(None, attempt.total_s) if row.is_providers_fault else None
    if attempt.ttft_s is None:
        return None
    usage = attempt.usage
    if usage is None:
        return Sample(attempt.ttft_s, attempt.total_s)
    return Sample(attempt.ttft_s, attempt.total_s, usage.output_tokens, _cached_share(usage))


def _cached_share(usage: Usage) -> float:
    """Of the prompt, 0 to 1; 0 where the provider says nothing of its cache."""
    if not usage.input_tokens or not usage.cached_tokens:
        return 0.0
    return min(max(0.0, usage.cached_tokens / usage.input_tokens), 1.0)


def learnt(
    rows: Mapping[str, Row], chain: Sequence[str], sample: Sample | None, now: float
) -> Iterator[tuple[str, Row]]:
    """The latency rows after one more request; its number is counted even where it teaches nothing."""
    seq = LatencyStats.from_row(rows.get(keys.EVERYTHING)).seq + 1
    for key in chain:
        stats = LatencyStats.from_row(rows.get(key))
        after = decayed(stats, now, seq) if sample is None else latency.record(stats, sample, now, seq)
        yield key, after.to_row()


def tallied(
    rows: Mapping[str, Row], model: Model, row: Disposition, attempt: Attempt, now: float
) -> Iterator[tuple[str, Row]]:
    """The rows that people are shown, after one more attempt, but for one that the user cancelled or was too impatient for."""
    tally_key, day_key = keys.tally(model), keys.day(model, int(attempt.at // DAY_S))
    counts = Tally.from_row(rows.get(tally_key))
    if attempt.error is None:
        yield tally_key, counts.with_success().to_row()
        if attempt.ttft_s is not None and attempt.streamed:  # unstreamed, the first token is the last
            yield day_key, tally.counted(tally.histogram_from_row(rows.get(day_key)), attempt.ttft_s)
    elif attempt.error.kind is not ErrorKind.CANCELLED and not attempt.impatient:
        yield (
            tally_key,
            counts.with_error(now, _named(attempt.error, model), counts=row.is_providers_fault).to_row(),
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


def tokens_over(permit: Permit, attempt: Attempt) -> int:
    """By how much usage exceeded the estimate that was charged to the limiter."""
    if not attempt.sent:
        return -permit.prompt_tokens
    if attempt.usage is None or attempt.usage.input_tokens is None:
        return 0
    return attempt.usage.input_tokens + (attempt.usage.output_tokens or 0) - permit.prompt_tokens


def cost_usd(attempt: Attempt) -> float | None:
    """What is booked for it; None: nothing, or nobody knows."""
    return attempt.cost_usd if attempt.sent else None


def attempt_record(permit: Permit, attempt: Attempt) -> AttemptRecord:
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
        cost_usd=cost_usd(attempt),
        probe=permit.probe,
        hedge=attempt.hedge,
        cost_estimated=attempt.cost_estimated and attempt.sent,
    )
