"""Leave to try while the store cannot be written: through what reads as closed one may go, a probe one may not be.

Limits are not kept then: that would need a row. Retries have a budget of this process; a hedge has none and is refused.
"""

from collections.abc import Mapping

from llmr.errors import StateError
from llmr.registry import keys
from llmr.registry.admission import Admission
from llmr.registry.values import Permit
from llmr.routing import breaker, budget
from llmr.routing.breaker import Blocked
from llmr.routing.budget import Budget, Extra
from llmr.routing.circuit import Refusal
from llmr.routing.policy import BreakerPolicy
from llmr.state import Row


class Unwritten:
    """Admits from what was read. One per process."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._budgets: dict[str, Budget] = {}  # by key

    def admit(self, admission: Admission, rows: Mapping[str, Row], now: float, error: StateError) -> Permit | Refusal:
        """The permit, or why not. `rows` are those of the model's circuits; `now` is wall-clock seconds."""
        if admission.charge is not None and admission.charge.extra is Extra.HEDGE:
            return Refusal(f"no hedge without a budget, and the state file cannot be written ({error})")
        left = self._budget_after(admission)
        if left is None:
            return Refusal("the budget for retries is used up, and the state file cannot be written")
        circuits = keys.circuits_in(admission.model, rows)
        answer = breaker.admit_all([c.state for c in circuits], now, self._policy, lease_s=self._policy.lease_s)
        if isinstance(answer, Blocked):
            return answer.refusal.by(circuits[answer.place].scope, admission.model.key)
        if any(after is not circuit.state for circuit, (after, _) in zip(circuits, answer, strict=True)):
            return Refusal(f"it would be a probe, and the state file cannot be written ({error})")
        self._budgets[admission.payer] = left
        grants = tuple(zip(keys.circuits(admission.model), (grant for _, grant in answer), strict=True))
        return admission.permit(grants, urgent=any(circuit.state.fails for circuit in circuits))

    def _budget_after(self, admission: Admission) -> Budget | None:
        """What the admission leaves of the budget; None: it is not covered."""
        before = self._budgets.get(admission.payer, Budget())
        return budget.earn(before) if admission.charge is None else budget.spend(before, admission.charge.extra)
