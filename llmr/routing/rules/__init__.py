"""Rules: which models may be asked and how, before anyone looks at health or price.

    request + catalog ──▶ names to serve ──▶ candidates in the user's order ──▶ rules, in the file's order ──▶ Plan
                            names.py            plan.py                          rule.py, condition.py, engine.py

The first rule that matches decides; one with `then_continue` lets the next ones speak too. A rule never makes a candidate
possible that the request did not name, but for `models`, which replaces the names asked for. Every candidate that a rule
removes stays in the plan with the reason, and every rule leaves a line in the trace: "why?" is answered from here.
"""

from llmr.routing.rules.condition import Clause, Condition, Hours, Range, mentions
from llmr.routing.rules.engine import RulesEngine
from llmr.routing.rules.plan import Candidate, DeniedByRule, Excluded, Plan, PriceCap, RuleTrace
from llmr.routing.rules.rule import Rule

__all__ = [
    "Candidate",
    "Clause",
    "Condition",
    "DeniedByRule",
    "Excluded",
    "Hours",
    "Plan",
    "PriceCap",
    "Range",
    "Rule",
    "RuleTrace",
    "RulesEngine",
    "mentions",
]
