"""The model selector: health, fit and price in, an order and its reasons out.

    Plan ─▶ can it be asked? ─▶ can it take this? ─▶ would its circuits and limits admit it? ─▶ score ─▶ sort ─▶ Selection
                 │ off              │ window, tools, price     │ open, full
                 └──────────────────┴──────────────────────────┴──▶ rejected, each with its reason and when to ask again

Whether a circuit would admit the candidate is asked of `breaker.admit` itself, not of a second opinion; `rank` and `chat`
run this same code. Tiers come first (a fallback *model* never overtakes the model asked for), then what a rule prefers or
avoids, then the strategy. The order is total: ties end at the candidate's key. Chance is drawn per candidate from (seed,
key), so it does not depend on the order of the input. Within a request everything is asked anew before every hop, and who
shares the fate of one that failed counts as half as likely to answer.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Final

from llmr.catalog import Model, OnLimit, Strategy
from llmr.chat import ChatRequest
from llmr.dataclass import dataclass, replace
from llmr.errors import ErrorKind
from llmr.routing import breaker, spending
from llmr.routing.breaker import Blocked
from llmr.routing.circuit import BreakerState, Grant, Phase
from llmr.routing.estimate import Estimate
from llmr.routing.fate import chance_left
from llmr.routing.fit import misfit
from llmr.routing.health import CandidateHealth, Health
from llmr.routing.learnt_limits import learnt_room
from llmr.routing.policy import Policy
from llmr.routing.rate_limit import head_room
from llmr.routing.rules import Candidate, Plan
from llmr.routing.score import WEIGHTS, expected_output_tokens, probable_price_usd, score
from llmr.routing.selection import Barrier, Ranked, Rejected, Selection
from llmr.routing.spending import Over

_OR_CHEAPER: Final = ' (on_limit = "cheaper" asks whoever fits)'
DRIFT: Final = 0.25  # of ln ttft, by which a provider's mean has moved when one looks again: see _drawn
_KINDS: Final[Mapping[str, ErrorKind]] = MappingProxyType({kind.value: kind for kind in ErrorKind})


@dataclass(frozen=True, slots=True)
class _Admissible:
    """A candidate that may be asked. `estimate` is what to rank it by; `probe`: asking it would be the probe of a circuit."""

    candidate: Candidate
    health: CandidateHealth
    estimate: Estimate
    probe: bool


class ModelSelector:
    """Puts candidates in order. Holds the policy and nothing that changes."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def select(
        self,
        plan: Plan,
        request: ChatRequest,
        health: Health,
        now: float,
        *,
        seed: int,
        explore: bool = False,
        failed: Collection[Model] = (),
    ) -> Selection:
        """Rank the plan's candidates at wall-clock `now`. `explore`: rank by a draw from what is still possible.

        `failed` are models that failed in this request in a way that strikes their failure domain (fate.py).
        """
        rejected = [Rejected(e.candidate, Barrier.RULE, e.reason) for e in plan.excluded]
        admissible: list[_Admissible] = []
        for candidate in plan.candidates:
            own = health.candidates[candidate.key]
            refusal = self._refusal(candidate, own, request, plan, now)
            if refusal is not None:
                rejected.append(refusal)
                continue
            probe = self._would_probe(own, now)
            estimate = _drawn(own.estimate, _chance(seed, candidate)) if explore else own.estimate
            estimate = _fated(_to_be_probed(estimate) if probe else estimate, candidate.model, failed)
            admissible.append(_Admissible(candidate, own, estimate, probe))
        scored = self._scored(admissible, plan, request)
        ordered = sorted(scored, key=lambda pair: self._sort_key(plan.strategy, pair[0], pair[1], seed))
        ranked, too_dear = self._affordable(ordered, health)
        return Selection(
            asked=plan.asked,
            strategy=plan.strategy,
            ranked=tuple(ranked),
            rejected=(*rejected, *too_dear),
            trace=plan.trace,
            prompt_tokens=plan.prompt_tokens,
            explored=explore,
        )

    def _refusal(
        self, candidate: Candidate, own: CandidateHealth, request: ChatRequest, plan: Plan, now: float
    ) -> Rejected | None:
        provider = candidate.model.provider
        if provider.off_reason is not None:
            return Rejected(candidate, Barrier.OFF, provider.off_reason)
        unfit = misfit(candidate.model.capabilities, request, plan.prompt_tokens)
        if unfit is not None:
            return Rejected(candidate, Barrier.UNFIT, unfit.reason, unfit.kind)
        dear = _dear(candidate.model, plan, _price_usd(candidate, own.estimate, plan, request))
        if dear is not None:
            return Rejected(candidate, Barrier.PRICE, dear, ErrorKind.BUDGET)
        blocked = self._admission(own, now)
        if isinstance(blocked, Blocked):
            refusal = blocked.refusal.by(own.circuits[blocked.place].scope, candidate.key)
            why = _KINDS.get(refusal.why)  # a newer llmr may have written a kind that is not known here
            after = "" if why is None or why is ErrorKind.RATE_LIMIT else f" ({why.value.replace('_', ' ')})"
            reason = f"{refusal.reason}{after}"
            moments = refusal.retry_at, refusal.early_at
            return Rejected(
                candidate, Barrier.CIRCUIT, reason, why, *moments, estimate=own.estimate, probed=refusal.probed
            )
        full = head_room(own.limiter, provider.rate_limit, plan.prompt_tokens, now) or learnt_room(
            own.told, plan.prompt_tokens, now
        )
        if full is not None:
            return Rejected(candidate, Barrier.LIMIT, full.reason, ErrorKind.RATE_LIMIT, full.retry_at)
        return None

    def _affordable(
        self, ordered: Sequence[tuple[Ranked, CandidateHealth]], health: Health
    ) -> tuple[list[Ranked], list[Rejected]]:
        """Who stays within the spend limits, and who does not. Where a limit over all providers is to refuse (and not to
        look for somebody cheaper), the whole request is refused once it does not cover the candidate that comes first."""
        if health.today is None:
            return [ranked for ranked, _ in ordered], []
        ranked: list[Ranked] = []
        rejected: list[Rejected] = []
        general = self._policy.spend
        refused: Over | None = None
        for one, own in ordered:
            provider, usd = one.candidate.model.provider, _known_price_usd(one)
            over = refused or spending.over(health.purse, general, usd, health.today, whose="your")
            if refused is None and over is not None and not ranked and general.on_limit is OnLimit.REFUSE:
                refused = replace(
                    over, reason=f"refused, since {one.candidate.key} comes first: {over.reason}{_OR_CHEAPER}"
                )
            over = over or spending.over(own.purse, provider.spend, usd, health.today, whose=f"{provider.name}'s")
            if over is None:
                ranked.append(one)
            else:
                rejected.append(Rejected(one.candidate, Barrier.SPEND, over.reason, ErrorKind.BUDGET, over.retry_at))
        return ranked, rejected

    def _admission(self, own: CandidateHealth, now: float) -> tuple[tuple[BreakerState, Grant], ...] | Blocked:
        policy = self._policy.breaker
        return breaker.admit_all([circuit.state for circuit in own.circuits], now, policy, lease_s=policy.lease_s)

    def _would_probe(self, own: CandidateHealth, now: float) -> bool:
        if all(circuit.state.phase is Phase.CLOSED for circuit in own.circuits):
            return False  # as almost always
        admission = self._admission(own, now)
        return not isinstance(admission, Blocked) and any(grant.probe for _, grant in admission)

    def _scored(
        self, admissible: Sequence["_Admissible"], plan: Plan, request: ChatRequest
    ) -> list[tuple[Ranked, CandidateHealth]]:
        prices = [_price_usd(one.candidate, one.estimate, plan, request) for one in admissible]
        dearest = max((price for price in prices if price is not None), default=None)
        return [
            (
                Ranked(
                    one.candidate,
                    score(
                        one.estimate,
                        weights=WEIGHTS[plan.strategy],
                        second_is_worth_usd=self._policy.second_is_worth_usd,
                        quality_is_worth_usd=self._policy.quality_is_worth_usd,
                        price_usd=dearest if price is None else price,
                        price_assumed=price is None,
                        quality=one.candidate.model.quality,
                        streamed=request.stream,
                        output_tokens=expected_output_tokens(one.estimate, request.max_output_tokens),
                    ),
                    one.estimate,
                    one.health.estimate,
                    one.probe,
                ),
                one.health,
            )
            for one, price in zip(admissible, prices, strict=True)
        ]

    def _sort_key(self, strategy: Strategy, ranked: Ranked, own: CandidateHealth, seed: int) -> tuple[float | str, ...]:
        candidate, terms = ranked.candidate, ranked.score
        place = (candidate.tier, candidate.favour)
        last = (candidate.position, candidate.key)
        match strategy:
            case Strategy.PRIORITY:
                return (*place, *last)
            case Strategy.BALANCED:
                return (*place, terms.index_s, *last)
            case Strategy.LATENCY:
                return (*place, terms.index_s, terms.price_usd or 0.0, *last)
            case Strategy.COST:
                return (*place, terms.index_s, terms.price_assumed, terms.time_s, *last)
            case Strategy.QUALITY:
                return (*place, -terms.quality, terms.index_s, *last)
            case Strategy.ROUND_ROBIN:
                return (*place, own.last_used_seq, *last)
            case Strategy.WEIGHTED:
                weight = max(candidate.model.provider.weight, 1e-9)
                return (*place, -(_chance(seed, candidate).random() ** (1 / weight)), *last)


def _known_price_usd(ranked: Ranked) -> float | None:
    """What the request will probably cost there; None: nobody knows. What runs on this machine costs nothing."""
    if ranked.score.price_assumed or ranked.score.price_usd is None:
        return 0.0 if ranked.candidate.model.provider.local else None
    return ranked.score.price_usd


def _price_usd(candidate: Candidate, estimate: Estimate, plan: Plan, request: ChatRequest) -> float | None:
    """What the request will probably cost there; None: nobody knows."""
    most = request.max_output_tokens
    return probable_price_usd(
        candidate.model.price, estimate, prompt_tokens=plan.prompt_tokens, most_output_tokens=most
    )


def _dear(model: Model, plan: Plan, price_usd: float | None) -> str | None:
    """What the plan's price cap has against the model."""
    return None if plan.price_cap is None else plan.price_cap.objection(price_usd, local=model.provider.local)


def _chance(seed: int, candidate: Candidate) -> Random:
    """The candidate's own chance, whatever its place in the input."""
    return Random(f"{seed}/{candidate.key}")  # noqa: S311 - chance, not secrecy


def _to_be_probed(estimate: Estimate) -> Estimate:
    """The estimate of one whose cool-down is over. Its failures have been paid for by the time it was out; counted again in
    its rank, they would keep the probe from being sent, and a provider that is well from being known to be. (CLI timeline,
    seeds 1–24: mean to the first token .611 s with them, .596 s without.)"""
    return replace(estimate, success=max(estimate.success, estimate.usual_success))


def _fated(estimate: Estimate, model: Model, failed: Collection[Model]) -> Estimate:
    """The estimate after siblings in the same failure domain have failed in this request."""
    left = chance_left(model, failed) if failed else 1.0
    return estimate if left == 1.0 else replace(estimate, success=estimate.success * left)


def _drawn(estimate: Estimate, chance: Random) -> Estimate:
    """Thompson sampling: the mean drawn from what it may be, a normal of variance σ²/(N + n + 1) + DRIFT²/(n + 1).

    σ is how much single answers differ; that averages out over everything ever seen (N + n). What cannot be known without
    asking is how far the provider has drifted since, for which the latest samples (n) count alone. With σ/√(n + 1), as
    routing.md §3 has it, who is merely erratic is asked most often and never turns out to be better. Whether it succeeds is not
    drawn: failures are the circuit's business, and a draw that forgives them sends users into an outage. (Serve seeds 200–219
    and 300–339, CLI 200–279 and 300–459, mean / p99 / p99.9 s and extra requests per 1,000: serve .587 / 2.17 / 4.88, 28.5
    with routing.md's draw, .577 / 1.93 / 4.45, 28.1 with this variance, .578 / 1.92 / 4.24, 27.1 without a draw of the
    success; CLI .593 / 2.70 / 5.50, 34.9; .583 / 2.60 / 5.27, 34.1; .585 / 2.57 / 5.43, 32.1.)
    """
    unsure = estimate.variance / (estimate.samples + estimate.short_samples + 1)
    drifted = DRIFT**2 / (estimate.short_samples + 1)
    return replace(estimate, mu=chance.gauss(estimate.mu, math.sqrt(unsure + drifted)))
