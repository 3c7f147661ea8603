"""All rules, in the order in which their hits are reported."""

from guardrails.rule import Rule
from guardrails.rules_facts import FACT_RULES
from guardrails.rules_honesty import HONESTY_RULES
from guardrails.rules_manner import MANNER_RULES

RULES: tuple[Rule, ...] = (*FACT_RULES, *HONESTY_RULES, *MANNER_RULES)

__all__ = ["RULES", "Rule"]
