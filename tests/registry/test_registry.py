"""The registry: what is known, who may go, and what a result means, over one store that many share."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from fakes import (
    KEY,
    NOON,
    Capabilities,
    FakeClock,
    FaultyStore,
    Price,
    RateLimit,
    model,
    provider,
)

from llmr.catalog import LimitsTold, Model, SpendLimits, Window
from llmr.chat import Usage
from llmr.errors import ErrorKind, ProviderError, StateBusy, StateUnusable
from llmr.registry import DAY_S, HISTOGRAM_DAYS, Attempt, Permit, ProviderRegistry
from llmr.registry.calendar import local_day
from llmr.routing.budget import Budget, Charge, Extra
from llmr.routing.circuit import BreakerState, Forced, Phase, Refusal
from llmr.routing.latency_row import LatencyStats
from llmr.routing.policy import BreakerPolicy
from llmr.routing.rate_limit import LimiterState
from llmr.routing.spending import Purse
from llmr.secret import Secret
from llmr.state import RequestRecord, StateStore
from llmr.state.memory import MemoryStore


class Books:
    """A registry, its store and its clock, with few words for what tests do."""

    def __init__(self, clock: FakeClock, store: StateStore | None = None, policy: BreakerPolicy | None = None) -> None:
        self.clock = clock
        self.store = store or MemoryStore(clock.now)
        self.policy = policy or BreakerPolicy()
        self.registry = ProviderRegistry(self.store, self.policy, Random(7))
        self.count = 0

    def admit(
        self,
        asked: Model,
        *,
        tokens: int = 100,
        last_resort: bool = False,
        first_token_s: float = 5.0,
        streamed: bool = True,
        price_usd: float | None = None,
        charge: Charge | None = None,
    ) -> Any:
        self.count += 1
        return self.registry.admit(
            asked, streamed=streamed, prompt_tokens=tokens, reasoning=False, first_token_s=first_token_s,
            token=f"t{self.count}", now=self.clock.now(), last_resort=last_resort,
            price_usd=price_usd, charge=charge,
        )  # fmt: skip

    def permit(self, asked: Model, **how: Any) -> Permit:
        permit = self.admit(asked, **how)
        assert isinstance(permit, Permit), permit
        return permit

    def refusal(self, asked: Model, **how: Any) -> Refusal:
        refusal = self.admit(asked, **how)
        assert isinstance(refusal, Refusal), refusal
        return refusal

    def report(self, permit: Permit, error: ProviderError | None = None, **facts: Any) -> None:
        facts.setdefault("ttft_s", 0.5 if error is None else None)
        facts.setdefault("total_s", 1.0)
        streamed = permit.latency_class.startswith("s")
        self.registry.report(permit, Attempt("r", self.clock.now(), streamed, error=error, **facts))

    def fail(self, asked: Model, kind: ErrorKind = ErrorKind.SERVER, times: int = 1, **facts: Any) -> None:
        for _ in range(times):
            self.report(self.permit(asked), ProviderError(kind, "no", **facts))

    def circuit(self, key: str) -> BreakerState:
        return BreakerState.from_row(self.store.read([key]).get(key))

    def limiter(self, key: str) -> LimiterState:
        return LimiterState.from_row(self.store.read([key]).get(key))

    def snapshot(self, *models: Model) -> Any:
        return self.registry.snapshot(
            models, streamed=True, prompt_tokens=100, reasoning=False, now=self.clock.now()
        )  # fmt: skip


A = model("a")
P, M, S = "b:p:a#0badcafe", "b:m:a#0badcafe/m", "b:s:pool"


@pytest.fixture
def books(clock: FakeClock) -> Books:
    return Books(clock)


# Admission


def test_admission_through_closed_circuits_writes_nothing(books: Books) -> None:
    permit = books.permit(A)
    assert [key for key, _ in permit.grants] == [P, M]
    assert not permit.probe
    assert books.store.scan("") == {}


def test_a_refusal_says_whose_circuit_it_is_and_when_to_ask_again(books: Books) -> None:
    books.fail(A, ErrorKind.AUTH)
    refusal = books.refusal(A)
    assert (refusal.reason, refusal.why) == ("provider a: out of service", "auth")
    assert refusal.retry_at - NOON == pytest.approx(900)


def _opened(books: Books, asked: Model) -> None:
    """All three circuits of `asked` open, the shared one for longest."""
    books.fail(asked, ErrorKind.QUOTA)
    books.registry.reset(replace(asked.provider, shares=None))
    books.fail(replace(asked, provider=replace(asked.provider, shares=None)), times=5)


def test_admission_is_all_or_nothing_over_provider_model_and_shared_circuits(books: Books) -> None:
    """One circuit that refuses keeps the others from handing out a probe that nobody would ever end."""
    asked = model(provider("a", shares="pool"))
    _opened(books, asked)
    assert all(books.circuit(key).phase is Phase.OPEN for key in (P, M, S))
    books.clock.advance(60)  # provider and model may be probed, the quota may not
    before = dict(books.store.scan(""))
    assert books.refusal(asked).reason.startswith("shared quota pool: out of service")
    assert dict(books.store.scan("")) == before
    assert all(books.circuit(key).lease_until == 0.0 for key in (P, M, S))


def test_a_full_limiter_leaks_no_probe(books: Books) -> None:
    roomy = model(provider("a", rate_limit=RateLimit(concurrent=2)))
    books.permit(roomy)
    books.fail(roomy, times=5)
    books.clock.advance(31)
    tight = replace(roomy, provider=replace(roomy.provider, rate_limit=RateLimit(concurrent=1)))
    assert books.refusal(tight).reason == "1 request under way, a slot is free when it ends"
    assert [books.circuit(key).phase for key in (P, M)] == [Phase.OPEN, Phase.OPEN], "no probe is out"
    assert books.permit(roomy).probe


def _change(writes: dict[str, Any]) -> Any:
    from llmr.state import Change

    return Change(None, writes)


def test_at_most_one_probe_is_out_however_many_ask(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    answers = [books.admit(A) for _ in range(16)]
    assert sum(isinstance(answer, Permit) for answer in answers) == 1
    refusal = next(answer for answer in answers if isinstance(answer, Refusal))
    assert refusal.retry_at - books.clock.now() == pytest.approx(1), "its verdict may come at any moment"
    assert books.circuit(P).lease_until - books.clock.now() == pytest.approx(45)


def test_a_probes_lease_outlives_its_own_first_token_timeout(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    books.permit(A, first_token_s=60.0)
    assert books.circuit(P).lease_until - books.clock.now() == pytest.approx(65.5)


def test_an_early_probe_is_for_the_last_resort_only(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(3)
    assert books.refusal(A).early_at - NOON == pytest.approx(2)
    assert books.permit(A, last_resort=True).probe


# Results


def test_twelve_failures_at_once_trip_once(books: Books) -> None:
    permits = [books.permit(A) for _ in range(12)]
    for permit in permits:
        books.report(permit, ProviderError(ErrorKind.SERVER, "no"))
    assert (books.circuit(P).phase, books.circuit(P).trips, books.circuit(P).epoch) == (Phase.OPEN, 1, 1)
    assert (books.circuit(M).trips, books.circuit(M).epoch) == (1, 1)


def test_fewer_failures_than_the_threshold_leave_it_closed_and_a_success_forgets_them(books: Books) -> None:
    books.fail(A, times=4)
    assert books.circuit(P).fails == 4
    books.report(books.permit(A))
    assert (books.circuit(P).phase, books.circuit(P).fails) == (Phase.CLOSED, 0)


def test_a_siblings_success_resets_the_providers_count(books: Books) -> None:
    books.fail(A, times=4)
    books.report(books.permit(replace(A, id="n")))
    assert (books.circuit(P).fails, books.circuit(M).fails) == (0, 4)


@pytest.mark.parametrize(
    ("kind", "retry_after_s", "opened"),
    [
        (ErrorKind.RATE_LIMIT, 30.0, [M, S]),
        (ErrorKind.QUOTA, None, [P, S]),
        (ErrorKind.AUTH, None, [P]),
        (ErrorKind.MODEL_NOT_FOUND, None, [M]),
        (ErrorKind.SERVER, 20.0, [M]),
        (ErrorKind.OVERLOADED, 20.0, [M]),
        (ErrorKind.SERVER, None, []),
        (ErrorKind.BAD_REQUEST, None, []),
        (ErrorKind.CONTENT_FILTER, None, []),
        (ErrorKind.CONTEXT_LENGTH, None, []),
        (ErrorKind.CANCELLED, None, []),
    ],
)
def test_each_kind_of_failure_opens_the_circuits_it_speaks_of(
    books: Books, kind: ErrorKind, retry_after_s: float | None, opened: list[str]
) -> None:
    books.fail(model(provider("a", shares="pool")), kind, retry_after_s=retry_after_s)
    assert [key for key in (P, M, S) if books.circuit(key).phase is Phase.OPEN] == opened


def test_what_depends_on_the_request_changes_no_circuit(books: Books) -> None:
    books.fail(A, times=2)
    for kind in (ErrorKind.BAD_REQUEST, ErrorKind.CONTENT_FILTER, ErrorKind.CANCELLED, ErrorKind.TOO_LARGE_FOR_LIMIT):
        books.fail(A, kind)
    assert (books.circuit(P).fails, books.circuit(M).fails) == (2, 2)


def test_the_first_token_of_an_ordinary_attempt_writes_nothing(books: Books) -> None:
    permit = books.permit(A)
    assert books.registry.first_token(permit, lasts_s=600.0) is permit
    assert books.store.scan("") == {}


def test_a_probes_first_token_closes_its_circuits_and_the_attempt_goes_on_as_an_ordinary_one(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    permit = books.registry.first_token(books.permit(A), lasts_s=600.0)
    assert (books.circuit(P).phase, books.circuit(M).phase) == (Phase.CLOSED, Phase.CLOSED)
    books.report(permit, ProviderError(ErrorKind.STALL, ""), ttft_s=0.4)
    assert (books.circuit(P).phase, books.circuit(P).fails) == (Phase.CLOSED, 1)
    assert books.store.attempts()[-1].probe, "history says that it was one"


def test_a_probe_whose_lease_ran_out_closes_nothing(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    late = books.permit(A)
    books.clock.advance(50)
    assert books.permit(A).probe, "the slot was given to another"
    state = books.circuit(P)
    assert state.lost == 1
    books.report(books.registry.first_token(late, lasts_s=600.0))
    assert books.circuit(P) == state


def test_a_probe_that_lost_its_lease_does_not_speak_for_the_one_that_has_it(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    late = books.permit(A)
    books.clock.advance(50)
    books.report(books.registry.first_token(books.permit(A), lasts_s=600.0))
    books.fail(A, times=4)
    books.report(books.registry.first_token(late, lasts_s=600.0))
    assert books.circuit(P).fails == 4, "its late success is not believed"


def test_a_changed_key_starts_with_a_clean_record(books: Books) -> None:
    books.fail(A, ErrorKind.AUTH)
    assert isinstance(books.admit(A), Refusal)
    assert isinstance(books.admit(model(provider("a", key_fingerprint="12345678"))), Permit)


def test_a_quota_that_is_shared_is_shared(books: Books) -> None:
    one, other = (model(provider(name, shares="pool")) for name in ("a", "b"))
    books.fail(one, ErrorKind.QUOTA)
    assert books.refusal(other).reason == "shared quota pool: out of service"


def test_a_429_with_retry_after_keeps_everyone_who_shares_the_quota_unasked_for_so_long(books: Books) -> None:
    one, other = (model(provider(name, shares="pool")) for name in ("a", "b"))
    books.fail(one, ErrorKind.RATE_LIMIT, retry_after_s=3.0)
    until = books.clock.now() + 3.0
    for asked in (one, other):
        refusal = books.refusal(asked)
        assert refusal.retry_at == pytest.approx(until)
    books.clock.advance(2.9)
    assert isinstance(books.admit(other), Refusal)
    books.clock.advance(0.1)
    assert isinstance(books.admit(other), Permit)


def test_a_probe_that_answers_ends_what_the_failures_before_it_weigh(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(40)
    probe = books.permit(A)
    assert probe.probe
    books.report(books.registry.first_token(probe, lasts_s=600.0), ttft_s=0.5)
    row = LatencyStats.from_row(books.store.read(["l:a/m"])["l:a/m"])
    assert (row.bad, row.fsum) == (0.0, 0.0)
    assert row.long_bad == pytest.approx(5.0, rel=0.01), "the baseline keeps them"


@pytest.mark.parametrize(
    ("usage", "share"),
    [
        (Usage(1_000, 50, cached_tokens=800), 0.8),
        (Usage(1_000, 50, cached_tokens=5_000), 1.0),
        (Usage(1_000, 50, cached_tokens=-5), 0.0),
        (Usage(0, 50, cached_tokens=0), 0.0),
        (Usage(1_000, 50), 0.0),
        (Usage(None, 50, cached_tokens=800), 0.0),
    ],
)
def test_how_much_of_a_prompt_the_providers_cache_holds_is_learnt(books: Books, usage: Usage, share: float) -> None:
    for _ in range(4):
        books.report(books.permit(A), usage=usage)
    assert books.snapshot(A).candidates[A.key].estimate.cached_share == pytest.approx(4 * share / 6)


def test_a_probe_that_lost_its_lease_ends_nothing_of_what_failures_weigh(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    late = books.permit(A)
    books.clock.advance(50)
    books.report(books.registry.first_token(books.permit(A), lasts_s=9.0))
    books.fail(A, times=4)
    before = LatencyStats.from_row(books.store.read(["l:a/m"])["l:a/m"]).bad
    books.report(books.registry.first_token(late, lasts_s=9.0))
    after = LatencyStats.from_row(books.store.read(["l:a/m"])["l:a/m"]).bad
    assert after > 0.4 * before, "halved, as by any other answer"


def test_a_probe_whose_first_token_could_not_be_written_acquits_with_its_report(clock: FakeClock) -> None:
    store = FaultyStore(clock.now)
    books = Books(clock, store)
    books.fail(A, times=5)
    books.clock.advance(60)
    probe = books.permit(A)
    store.fault = lambda method: StateBusy("busy") if method == "transact" else None
    probe = books.registry.first_token(probe, lasts_s=9.0)
    store.fault = lambda method: None
    books.report(probe)
    assert books.circuit(P).phase is Phase.CLOSED
    assert LatencyStats.from_row(books.store.read(["l:a/m"])["l:a/m"]).bad == 0.0


def test_what_was_set_aside_on_a_months_last_day_is_settled_there(books: Books) -> None:
    last = replace(A, provider=provider("a", spend=SpendLimits(per_month_usd=1.0)))
    books.clock.advance(local_day(NOON).month_ends_at - NOON - 0.5)
    permit = books.permit(last, price_usd=0.5)
    books.clock.advance(1.0)
    books.report(permit, cost_usd=0.25)
    (row,) = (Purse.from_row(row) for key, row in books.store.scan("$:").items() if key.endswith(":a"))
    assert (row.holds, row.days) == ((), {30: 0.25})


def test_what_a_killed_process_set_aside_stays_spent_on_its_day(books: Books) -> None:
    asked = replace(A, provider=provider("a", spend=SpendLimits(per_day_usd=1.0)))
    books.permit(asked, price_usd=0.75)
    books.clock.advance(3_600)  # nobody ever settles it
    assert books.refusal(asked, price_usd=0.5).why == "budget"
    books.clock.advance(86_400)
    books.permit(asked, price_usd=0.5)


def test_an_answer_is_booked_on_the_day_on_which_it_was_asked_for(books: Books) -> None:
    permit = books.permit(A)
    asked_at = books.clock.now()
    books.clock.advance(86_400)
    books.registry.report(permit, Attempt("r", asked_at, True, 86_400.0, 0.5, cost_usd=0.25))
    day = local_day(asked_at).day
    assert Purse.from_row(books.store.scan("$:")["$:2026-11"]).days == {day: 0.25}


def test_a_new_provider_is_not_judged_by_what_strangers_do(books: Books) -> None:
    for _ in range(30):
        books.report(books.permit(A), ttft_s=9.0)
    fresh = model("fresh")
    health = books.registry.snapshot([A, fresh], streamed=True, prompt_tokens=9, reasoning=False, now=books.clock.now())
    assert health.candidates[fresh.key].estimate.p50_s == pytest.approx(0.8)
    assert health.candidates[A.key].estimate.p50_s > 5


# The rate limiter


def test_an_account_without_limits_keeps_no_limiter_row(books: Books) -> None:
    books.report(books.permit(A), usage=Usage(5_000, 5_000))
    assert "r:p:a#0badcafe" not in books.store.scan("r:")


def test_concurrent_requests_are_bounded_over_all_processes(books: Books) -> None:
    asked = model(provider("a", rate_limit=RateLimit(concurrent=2)))
    neighbour = Books(books.clock, books.store)
    neighbour.count = 100
    mine, _ = books.permit(asked), neighbour.permit(asked)
    assert books.refusal(asked).reason == "2 requests under way, a slot is free when one ends"
    books.report(mine, ProviderError(ErrorKind.BAD_REQUEST, ""))
    assert isinstance(neighbour.admit(asked), Permit), "any end gives the slot back"


def test_a_process_killed_before_its_first_token_holds_its_slot_no_longer_than_a_probe_its_lease(books: Books) -> None:
    asked = model(provider("a", rate_limit=RateLimit(concurrent=1)))
    books.permit(asked)
    books.clock.advance(44)
    books.refusal(asked)
    books.clock.advance(2)
    books.permit(asked)


def test_an_answer_under_way_keeps_its_slot_for_as_long_as_it_renews_it(books: Books) -> None:
    asked = model(provider("a", rate_limit=RateLimit(concurrent=1)))
    permit = books.registry.first_token(books.permit(asked), lasts_s=50.0)
    for _ in range(20):
        books.clock.advance(10)
        books.registry.renew(permit, lasts_s=50.0)
    books.clock.advance(49)
    books.refusal(asked)
    books.clock.advance(2)  # its process was killed, say
    books.permit(asked)


def test_a_probes_first_token_shortens_its_slot_to_what_it_says(books: Books) -> None:
    asked = model(provider("a", rate_limit=RateLimit(concurrent=1)))
    books.fail(asked, times=5)
    books.clock.advance(60)
    books.registry.first_token(books.permit(asked), lasts_s=10.0)
    books.clock.advance(9)
    books.refusal(asked)
    books.clock.advance(2)
    books.permit(asked)


def test_nothing_is_renewed_where_nothing_is_held(books: Books) -> None:
    books.registry.renew(books.permit(A), lasts_s=50.0)
    assert books.store.scan("") == {}
    asked = model(provider("a", rate_limit=RateLimit(concurrent=1)))
    permit = books.permit(asked)
    books.report(permit)
    before = dict(books.store.scan(""))
    books.registry.renew(permit, lasts_s=50.0)
    assert dict(books.store.scan("")) == before


def test_a_slot_that_cannot_be_renewed_fails_no_answer(clock: FakeClock) -> None:
    store = FaultyStore(clock.now)
    books = Books(clock, store)
    asked = model(provider("a", rate_limit=RateLimit(concurrent=1)))
    permit = books.permit(asked)
    store.fault = lambda method: StateBusy("busy") if method == "transact" else None
    books.registry.renew(permit, lasts_s=50.0)
    assert books.registry.notices == ()


def test_a_reset_frees_slots_and_forgets_what_was_told_of_limits(books: Books) -> None:
    own = model(provider("a", rate_limit=RateLimit(concurrent=1, requests_per_minute=5)))
    pooled = model(provider("b", shares="pool", rate_limit=RateLimit(concurrent=1)))
    empty = LimitsTold(requests=Window(left=0.0, most=10.0, full_in_s=600.0))
    for asked in (own, pooled):
        books.report(books.permit(asked), told=empty, told_at=NOON)
        books.registry.reset(asked.provider)
        paced = books.permit(asked), books.limiter("r:p:a#0badcafe").requests_tat
        books.refusal(asked)
        books.registry.reset(asked.provider)
        assert books.limiter("r:p:a#0badcafe").requests_tat == paced[1], "the pace is what was asked, not a slot"
        books.permit(asked)
    assert books.store.scan("w:") == {}


def test_a_damaged_histogram_key_is_tidied_away_instead_of_failing_the_run(books: Books) -> None:
    books.store.transact({"h:odd"}, lambda _rows, _now: _change({"h:odd": {}}))
    for _ in range(400):
        books.registry.flush()
    assert not books.store.scan("h:odd")


def test_requests_a_minute_are_bounded(books: Books) -> None:
    asked = model(provider("a", rate_limit=RateLimit(requests_per_minute=60)))
    granted = [books.admit(asked) for _ in range(20)]
    assert sum(isinstance(answer, Permit) for answer in granted) == 10, "ten at once"
    assert books.refusal(asked).retry_at - NOON == pytest.approx(1)
    books.clock.advance(1.001)
    books.permit(asked)


def test_tokens_a_minute_are_corrected_by_what_usage_says(books: Books) -> None:
    asked = model(provider("a", rate_limit=RateLimit(tokens_per_minute=1_000)))
    permit = books.permit(asked, tokens=100)
    used = books.limiter("r:p:a#0badcafe").tokens_tat
    assert used - NOON == pytest.approx(6.0)
    books.report(permit, usage=Usage(150, 350))
    assert books.limiter("r:p:a#0badcafe").tokens_tat - NOON == pytest.approx(30.0)
    books.report(books.permit(asked, tokens=100), usage=Usage(50, None))
    assert books.limiter("r:p:a#0badcafe").tokens_tat - NOON == pytest.approx(33.0)
    books.report(books.permit(asked, tokens=100), usage=Usage(None, 50))
    assert books.limiter("r:p:a#0badcafe").tokens_tat - NOON == pytest.approx(39.0), "half a usage corrects nothing"


def test_a_prompt_above_the_minutes_tokens_never_fits(books: Books) -> None:
    asked = model(provider("a", rate_limit=RateLimit(tokens_per_minute=1_000)))
    assert books.refusal(asked, tokens=2_000).retry_at is None


def test_a_limit_is_shared_where_the_quota_is(books: Books) -> None:
    one, other = (model(provider(name, shares="pool", rate_limit=RateLimit(concurrent=1))) for name in ("a", "b"))
    books.permit(one)
    books.refusal(other)
    assert list(books.store.scan("r:")) == ["r:s:pool"]


# What is learnt


def test_each_attempt_moves_the_count_of_requests_even_where_it_teaches_nothing(books: Books) -> None:
    books.report(books.permit(A))
    books.fail(A, ErrorKind.BAD_REQUEST)
    books.fail(A, ErrorKind.CANCELLED)
    assert books.snapshot(A).seq == 3
    assert books.snapshot(A).candidates["a/m"].last_used_seq == 3
    assert books.snapshot(A).candidates["a/m"].estimate.samples == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (ErrorKind.SERVER, True),
        (ErrorKind.CONNECT, True),
        (ErrorKind.STALL, True),
        (ErrorKind.RATE_LIMIT, False),
        (ErrorKind.AUTH, False),
        (ErrorKind.BAD_REQUEST, False),
        (ErrorKind.CANCELLED, False),
    ],
)
def test_only_the_providers_own_failures_worsen_its_success(books: Books, kind: ErrorKind, counts: bool) -> None:
    before = books.snapshot(A).candidates["a/m"].estimate.success
    books.fail(A, kind)
    assert (books.snapshot(A).candidates["a/m"].estimate.success < before) is counts
    (status,) = books.registry.status([A], now=NOON)
    assert status.attempts == int(counts)


def test_a_success_without_a_first_token_teaches_nothing(books: Books) -> None:
    books.report(books.permit(A), ttft_s=None)
    assert books.snapshot(A).candidates["a/m"].estimate.samples == 0.0


def test_a_request_outpaced_by_its_hedge_teaches_that_it_was_slow(books: Books) -> None:
    before = books.snapshot(A).candidates["a/m"].estimate
    books.report(books.permit(A), ProviderError(ErrorKind.CANCELLED, ""), total_s=20.0, outpaced=True)
    after = books.snapshot(A).candidates["a/m"].estimate
    assert after.mean_s > before.mean_s
    assert after.success >= before.success


def test_reasoning_and_size_are_learnt_apart(books: Books) -> None:
    thinker = model("a", "t", capabilities=Capabilities(reasoning=True))
    assert books.permit(thinker).latency_class == "s0r"
    assert books.permit(A, tokens=20_000).latency_class == "s2"


def test_what_one_process_learns_the_next_one_knows(books: Books) -> None:
    for _ in range(30):
        books.report(books.permit(A), ttft_s=3.0)
    fresh = Books(books.clock, books.store)
    assert fresh.snapshot(A).candidates["a/m"].estimate.mean_s == pytest.approx(3.0, rel=0.25)


def test_an_unreadable_row_is_an_absent_one(books: Books) -> None:
    keys = [P, M, "l:", "l:a", "l:a/m", "l:a/m|s0", "t:a/m", "r:p:a#0badcafe"]
    books.store.transact(keys, lambda _r, _n: _change({key: {"damage": [1, "x"]} for key in keys}))
    asked = model(provider("a", rate_limit=RateLimit(concurrent=1)))
    assert books.snapshot(asked).candidates["a/m"].estimate.samples == 0.0
    books.report(books.permit(asked))
    assert books.registry.status([asked], now=NOON)[0].attempts == 1


# What says nothing against the provider


@pytest.mark.parametrize("kind", [ErrorKind.FIRST_TOKEN_TIMEOUT, ErrorKind.STALL])
def test_a_callers_own_impatience_is_no_failure_of_the_provider(books: Books, kind: ErrorKind) -> None:
    for _ in range(6):
        books.report(books.permit(A), ProviderError(kind, "no"), total_s=0.2, impatient=True)
    assert (books.circuit(P), books.circuit(M)) == (BreakerState(), BreakerState())
    (status,) = books.registry.status([A], now=NOON)
    assert (status.attempts, status.last_error) == (0, "")
    assert books.store.attempts()[-1].outcome == kind.value, "history tells what happened"


def test_an_impatient_callers_bound_is_a_lower_bound_of_the_first_token(books: Books) -> None:
    before = books.snapshot(A).candidates["a/m"].estimate
    for _ in range(5):
        books.report(books.permit(A), ProviderError(ErrorKind.FIRST_TOKEN_TIMEOUT, ""), total_s=20.0, impatient=True)
    after = books.snapshot(A).candidates["a/m"].estimate
    assert after.mean_s > before.mean_s
    assert after.success >= before.success


def test_an_answer_that_its_caller_had_no_time_for_tells_when_it_began(books: Books) -> None:
    for _ in range(20):
        stall = ProviderError(ErrorKind.STALL, "")
        books.report(books.permit(A), stall, ttft_s=0.2, total_s=30.0, impatient=True)
    assert books.snapshot(A).candidates["a/m"].estimate.p50_s == pytest.approx(0.2, rel=0.25)


def test_an_impatient_probe_frees_its_slot_without_a_verdict(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    books.report(books.permit(A), ProviderError(ErrorKind.FIRST_TOKEN_TIMEOUT, ""), impatient=True)
    assert (books.circuit(P).phase, books.circuit(P).lease_until) == (Phase.HALF_OPEN, 0.0)
    assert books.permit(A).probe


def test_an_attempt_that_was_never_sent_charges_teaches_and_counts_nothing(books: Books) -> None:
    limit = RateLimit(requests_per_minute=60, tokens_per_minute=1_000, concurrent=1)
    asked = model(provider("a", rate_limit=limit, spend=SpendLimits(per_day_usd=1.0)))
    permit = books.permit(asked, price_usd=0.5)
    gone = ProviderError(ErrorKind.CANCELLED, "")
    books.report(permit, gone, total_s=0.0, cost_usd=0.5, cost_estimated=True, sent=False)
    assert sorted(books.store.scan("")) == ["$:2026-11:a", "r:p:a#0badcafe"], "what was taken, which is given back"
    assert books.store.scan("$:")["$:2026-11:a"] == Purse().to_row()
    assert books.limiter("r:p:a#0badcafe") == LimiterState(NOON, NOON)
    record = books.store.attempts()[0]
    assert (record.outcome, record.cost_usd, record.cost_estimated) == ("cancelled", None, False)


def test_a_probe_that_was_never_sent_frees_its_slot(books: Books) -> None:
    books.fail(A, times=5)
    books.clock.advance(60)
    books.report(books.permit(A), ProviderError(ErrorKind.AUTH, "no key"), sent=False)
    assert books.permit(A).probe


# Writes that wait


class Soon:
    """Takes steps, and runs them when it is told to."""

    notices = ()

    def __init__(self, store: StateStore) -> None:
        self.store = store
        self.waiting: list[Any] = []

    def put(self, touched: Any, step: Any) -> None:
        self.waiting.append((touched, step))

    def write(self) -> None:
        for touched, step in self.waiting:
            self.store.transact(touched, step)
        self.waiting.clear()


class Serving(Books):
    """Books of which some wait."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.soon = Soon(self.store)
        self.registry = ProviderRegistry(self.store, self.policy, Random(7), later=self.soon)


@pytest.fixture
def serving(clock: FakeClock) -> Serving:
    return Serving(clock)


def test_a_success_that_nobody_waits_for_is_written_later(serving: Serving) -> None:
    serving.report(serving.permit(A))
    assert serving.store.scan("") == {}


def test_a_success_between_failures_ends_their_run_while_serving(serving: Serving) -> None:
    serving.fail(A, times=4)
    serving.report(serving.permit(A))
    serving.fail(A)
    assert (serving.circuit(P).phase, serving.circuit(P).fails) == (Phase.CLOSED, 1)  # 11


def test_a_success_ends_the_run_of_failures_that_came_after_it_was_admitted(serving: Serving) -> None:
    early = serving.permit(A)
    serving.fail(A, times=4)
    serving.report(early)
    serving.fail(A)
    assert (serving.circuit(P).phase, serving.circuit(P).fails) == (Phase.CLOSED, 1)  # 11


def test_a_success_ends_the_run_of_failures_that_another_process_met(serving: Serving) -> None:
    other = Books(serving.clock, serving.store)
    other.fail(A, times=4)
    serving.report(serving.permit(A))
    other.fail(A)
    assert (serving.circuit(P).phase, serving.circuit(P).fails) == (Phase.CLOSED, 1)  # 11


def test_a_cancelled_attempt_ends_no_run_of_failures(serving: Serving) -> None:
    early = serving.permit(A)
    serving.fail(A, times=4)
    serving.fail(A, ErrorKind.CANCELLED)
    serving.report(early)
    assert serving.circuit(P).fails == 0, "the success that follows is still urgent"


def test_a_success_where_little_is_left_of_a_told_limit_is_written_at_once(serving: Serving) -> None:
    short = LimitsTold(requests=Window(left=5.0, most=500.0, full_in_s=60.0))
    serving.registry.report(serving.permit(A), Attempt("r", NOON, True, 1.0, 0.5, told=short, told_at=NOON))
    assert serving.store.scan("w:") == {}, "the first answer that tells it is like any other"
    serving.soon.write()
    serving.report(serving.permit(A), told=replace(short, requests=Window(3.0, 500.0, 60.0)), told_at=NOON)
    assert serving.store.scan("w:")["w:a#0badcafe/m"][0][0] == 3.0


def _locked(books: Books, *, locked: bool) -> None:
    store = books.store
    assert isinstance(store, FaultyStore)
    store.fault = lambda method: StateBusy("busy") if locked and method == "transact" else None


def test_what_the_lock_kept_out_is_written_after_the_next_write_that_succeeds(clock: FakeClock) -> None:
    books = Books(clock, FaultyStore(clock.now))
    permit = books.permit(A)
    _locked(books, locked=True)
    books.report(permit, ProviderError(ErrorKind.AUTH, "no"))
    assert books.circuit(P).phase is Phase.CLOSED
    _locked(books, locked=False)
    books.report(books.permit(model("b")))
    assert books.circuit(P).phase is Phase.OPEN


def test_a_late_failure_is_judged_by_when_it_happened(clock: FakeClock) -> None:
    books = Books(clock, FaultyStore(clock.now))
    permit = books.permit(A)
    _locked(books, locked=True)
    books.report(permit, ProviderError(ErrorKind.AUTH, "no"))
    _locked(books, locked=False)
    clock.advance(8 * 3600)
    books.registry.flush()
    assert books.circuit(P).open_until == NOON + 901
    assert books.permit(A).probe, "the key may be a new one by now"
    (status,) = books.registry.status([A], now=clock.now())
    assert status.last_error_at == NOON + 1


def test_retries_are_bounded_while_the_store_is_locked(clock: FakeClock) -> None:
    books = Books(clock, FaultyStore(clock.now))
    _locked(books, locked=True)
    retry = Charge(A.provider, Extra.RETRY)
    granted = 0
    for _ in range(20):
        books.permit(limited := model(provider("a", rate_limit=RateLimit(concurrent=99))))
        granted += isinstance(books.admit(limited, charge=retry), Permit)
    assert 10 <= granted <= 10 + 0.2 * 20
    assert "budget for retries" in books.refusal(limited, charge=retry).reason
    assert isinstance(books.admit(limited, charge=Charge(A.provider, Extra.FALLBACK)), Permit), (
        "a fallback is never refused"
    )


# For people


def test_status_counts_and_names_the_last_error(books: Books) -> None:
    books.report(books.permit(A))
    books.fail(A, times=2, status=503, code="overloaded_model")
    (status,) = books.registry.status([A], now=NOON)
    assert (status.attempts, status.success) == (3, pytest.approx(1 / 3))
    assert status.last_error == "server 503 overloaded_model"
    assert status.last_error_at == NOON
    assert [circuit.scope for circuit in status.circuits] == ["provider a", "a/m"]


def test_a_request_earns_its_share_of_the_budget_once_however_many_attempts_it_takes(books: Books) -> None:
    books.admit(A, charge=Charge(A.provider, Extra.RETRY))
    books.admit(A, charge=Charge(A.provider, Extra.RETRY))
    for number in (1, 2, 3):
        books.report(books.permit(A), number=number)
    b = model("b")
    left = books.registry.budgets([A.provider, b.provider])
    assert left["a"] == Budget(tokens=8.2, hedges=10.0, requests=1, retried=2)
    assert left["b"] == Budget()


def test_status_of_a_model_never_asked_has_no_figures(books: Books) -> None:
    (status,) = books.registry.status([A], now=NOON)
    assert (status.attempts, status.success, status.p50_s, status.p95_s, status.last_error) == (0, None, None, None, "")


def test_percentiles_come_from_the_last_weeks_histograms(books: Books) -> None:
    for day in range(3):
        for hundredths in range(1, 101):
            books.report(books.permit(A), ttft_s=hundredths / 100)
        books.clock.advance(DAY_S)
        assert len(books.store.scan("h:")) == day + 1
    (status,) = books.registry.status([A], now=books.clock.now())
    assert status.p50_s == pytest.approx(0.5, rel=0.05)
    assert status.p95_s == pytest.approx(0.95, rel=0.05)
    books.clock.advance(30 * DAY_S)
    (idle,) = books.registry.status([A], now=books.clock.now())
    assert idle.p50_s is not None, "the fit is left where the histograms are too old"


def test_with_few_samples_percentiles_are_those_of_the_fit(books: Books) -> None:
    for _ in range(10):
        books.report(books.permit(A), ttft_s=2.0)
    (status,) = books.registry.status([A], now=NOON)
    assert status.p50_s is not None
    assert 1.0 < status.p50_s < 2.5


def test_percentiles_are_of_streamed_answers_for_the_first_token_of_others_is_their_last(books: Books) -> None:
    for _ in range(200):
        books.report(books.permit(A, streamed=False), ttft_s=30.0, total_s=30.0)
    (status,) = books.registry.status([A], now=NOON)
    assert (status.attempts, status.p50_s, status.p95_s) == (200, None, None)
    assert books.store.scan("h:") == {}
    for _ in range(200):
        books.report(books.permit(A), ttft_s=0.5)
    (status,) = books.registry.status([A], now=NOON)
    assert status.p50_s == pytest.approx(0.5, rel=0.05)


def test_the_fit_that_is_shown_is_of_the_requests_that_are_usual(books: Books) -> None:
    books.report(books.permit(A), ttft_s=0.1)
    for _ in range(12):
        books.report(books.permit(A, tokens=20_000), ttft_s=8.0, total_s=9.0)
    (status,) = books.registry.status([A], now=NOON)
    assert status.p50_s == pytest.approx(8.0, rel=0.5)


@pytest.mark.parametrize(
    "code", [None, "two words", "x" * 65, "päper", KEY, f"key-{KEY}", "sk-another-key-0123456789", "own.key.x7"]
)
def test_only_a_code_shaped_like_one_is_kept_and_never_a_key(books: Books, code: str | None) -> None:
    asked = model(provider("a", key=Secret("own.key.x7" if code == "own.key.x7" else KEY)))
    books.fail(asked, status=500, code=code)
    assert books.store.attempts()[-1].code is None
    assert books.registry.status([asked], now=NOON)[0].last_error == "server 500"


@pytest.mark.parametrize("asked", [A, model(provider("a", key=None))])
def test_a_short_code_is_kept(books: Books, asked: Model) -> None:
    books.fail(asked, status=429, code="rate_limit.tokens-1")
    assert books.store.attempts()[-1].code == "rate_limit.tokens-1"


def test_an_attempt_is_recorded_with_what_it_cost(books: Books) -> None:
    priced = model("a", price=Price(1.0, 2.0))
    books.report(books.permit(priced), usage=Usage(10, 20), cost_usd=0.5)
    (attempt,) = books.store.attempts()
    assert (attempt.input_tokens, attempt.output_tokens, attempt.cost_usd, attempt.status) == (10, 20, 0.5, 200)


def test_models_that_were_ever_tried_are_listed(books: Books) -> None:
    for asked in (model("a", "z"), model("a", "openai/gpt-4o"), model("ab", "other")):
        books.report(books.permit(asked))
    assert books.registry.used_models(provider("a")) == ["openai/gpt-4o", "z"]


# By hand


def test_a_provider_held_open_is_not_asked_until_it_is_reset(books: Books) -> None:
    books.registry.force(A.provider, Forced.OPEN)
    refusal = books.refusal(A)
    assert (refusal.reason, refusal.retry_at) == ("provider a: held open by hand", None)
    assert books.refusal(A, last_resort=True)
    assert isinstance(Books(books.clock, books.store).admit(A), Refusal), "the next process obeys it too"
    assert books.registry.reset(A.provider) == 1
    books.permit(A)


def test_a_provider_held_closed_is_asked_whatever_happens(books: Books) -> None:
    books.registry.force(A.provider, Forced.CLOSED)
    books.fail(A, ErrorKind.AUTH, times=9)
    books.permit(A)


def test_letting_it_judge_again_ends_a_hold(books: Books) -> None:
    books.registry.force(A.provider, Forced.OPEN)
    books.registry.force(A.provider, None)
    books.permit(A)


def test_reset_closes_the_circuits_of_the_account_its_models_and_its_shared_quota(books: Books) -> None:
    asked = model(provider("a", shares="pool"))
    books.fail(asked, ErrorKind.QUOTA)
    books.fail(replace(asked, provider=replace(asked.provider, name="ab", shares=None)), ErrorKind.AUTH)
    books.registry.reset(replace(asked.provider, shares="other"))
    assert books.circuit(S).phase is Phase.OPEN
    assert books.registry.reset(asked.provider) == 1
    assert all(books.circuit(key).phase is Phase.CLOSED for key in (P, M, S))
    assert books.circuit("b:p:ab#0badcafe").phase is Phase.OPEN, "a name that begins alike is another"


def test_an_answer_in_flight_when_the_circuit_was_reset_changes_nothing(books: Books) -> None:
    permit = books.permit(A)
    books.fail(A)
    books.registry.reset(A.provider)
    books.report(permit, ProviderError(ErrorKind.AUTH, ""))
    assert books.circuit(P).phase is Phase.CLOSED


# A store in trouble


@pytest.fixture
def faulty(clock: FakeClock) -> FaultyStore:
    return FaultyStore(clock.now)


@pytest.mark.parametrize("error", [StateBusy("busy"), StateUnusable("full")])
def test_without_a_store_a_closed_circuit_is_gone_through_and_an_open_one_is_not_probed(
    clock: FakeClock, faulty: FaultyStore, error: Exception
) -> None:
    books = Books(clock, faulty)
    asked = model(provider("a", rate_limit=RateLimit(concurrent=1)))
    faulty.fault = lambda method: error if method == "transact" else None
    books.permit(asked)
    faulty.fault = lambda _: None
    books.fail(asked, ErrorKind.AUTH)
    clock.advance(1_000)
    faulty.fault = lambda method: error if method == "transact" else None
    assert "it would be a probe, and the state file cannot be written" in books.refusal(asked).reason


def test_a_hold_by_hand_counts_where_the_store_can_only_be_read(clock: FakeClock, faulty: FaultyStore) -> None:
    books = Books(clock, faulty)
    asked = model(provider("a", rate_limit=RateLimit(concurrent=9)))
    unlimited = model(provider("a"))
    books.fail(unlimited, ErrorKind.AUTH)
    books.registry.force(asked.provider, Forced.CLOSED)
    faulty.fault = lambda method: StateBusy("busy") if method == "transact" else None
    books.permit(asked)
    faulty.fault = lambda _: None
    books.registry.force(asked.provider, Forced.OPEN)
    faulty.fault = lambda method: StateBusy("busy") if method == "transact" else None
    assert books.refusal(asked).reason == "provider a: held open by hand"

    def locked() -> None:
        raise StateBusy("busy")

    faulty.before_transact = locked  # not so much as a look inside
    assert books.refusal(asked).reason == "provider a: held open by hand"


def test_what_cannot_be_read_is_unknown(clock: FakeClock, faulty: FaultyStore) -> None:
    books = Books(clock, faulty)
    faulty.fault = lambda _: StateUnusable("gone")
    health = books.snapshot(A)
    assert health.candidates["a/m"].estimate.samples == 0.0
    assert health.seq == 0.0
    assert isinstance(books.admit(A), Permit)


def test_a_first_token_that_cannot_be_booked_leaves_the_verdict_to_the_end(
    clock: FakeClock, faulty: FaultyStore
) -> None:
    books = Books(clock, faulty)
    books.fail(A, times=5)
    clock.advance(60)
    permit = books.permit(A)
    faulty.fault = lambda _: StateBusy("busy")
    assert books.registry.first_token(permit, lasts_s=600.0) is permit
    faulty.fault = lambda _: None
    assert books.circuit(P).phase is Phase.HALF_OPEN
    books.report(permit)
    assert books.circuit(P).phase is Phase.CLOSED


def test_a_busy_store_gets_its_samples_at_the_end_in_order(clock: FakeClock, faulty: FaultyStore) -> None:
    books = Books(clock, faulty)
    permits = [books.permit(A), books.permit(A)]
    faulty.fault = lambda _: StateBusy("busy")
    books.report(permits[0])
    books.report(permits[1], ProviderError(ErrorKind.SERVER, ""))
    books.registry.record(RequestRecord("r", NOON, "m", "priority", "ok", 1.0, 1))
    faulty.fault = lambda _: None
    books.registry.flush()
    assert [attempt.outcome for attempt in faulty.attempts()] == ["ok", "server"]
    assert books.circuit(P).fails == 1
    assert len(faulty.requests()) == 1
    assert books.registry.notices == ()


def test_what_an_unusable_store_cannot_take_is_dropped_at_once_and_counted(
    clock: FakeClock, faulty: FaultyStore
) -> None:
    books = Books(clock, faulty)
    faulty.fault = lambda _: StateUnusable("the disk is full")
    books.report(books.permit(A))
    assert books.registry.notices == ("1 records could not be written: the disk is full",)


def test_the_end_is_more_patient_with_the_store(clock: FakeClock, faulty: FaultyStore) -> None:
    books = Books(clock, faulty)
    faulty.fault = lambda _: StateBusy("busy")
    books.registry.record(RequestRecord("r", NOON, "m", "priority", "ok", 1.0, 1))
    books.registry.flush()
    assert faulty.waits[:2] == [0.25, 2.0]


def test_the_stores_own_notices_come_first(clock: FakeClock) -> None:
    store = MemoryStore(clock.now, ("kept in memory only",))
    assert Books(clock, store).registry.notices == ("kept in memory only",)


def test_old_histograms_are_tidied_away(clock: FakeClock) -> None:
    books = Books(clock)
    books.report(books.permit(A))
    clock.advance(HISTOGRAM_DAYS * DAY_S)
    books.report(books.permit(A))
    for _ in range(400):
        books.registry.flush()
    assert len(books.store.scan("h:")) == 2, "on its last day it is kept"
    clock.advance(DAY_S)
    for _ in range(400):
        books.registry.flush()
    assert len(books.store.scan("h:")) == 1


def test_tidying_that_fails_is_left_for_another_time(clock: FakeClock, faulty: FaultyStore) -> None:
    books = Books(clock, faulty)
    books.report(books.permit(A))
    faulty.fault = lambda _: StateBusy("busy")
    for _ in range(400):
        books.registry.flush()
    assert books.registry.notices == ()


def test_the_latency_rows_form_a_chain(books: Books) -> None:
    books.report(books.permit(A))
    assert sorted(books.store.scan("l:")) == ["l:", "l:a", "l:a/m", "l:a/m|s0"]
    assert all(LatencyStats.from_row(row).n == 1 for row in books.store.scan("l:").values())
