"""What a search has cost, and the budget that it may not pass."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(slots=True)
class Ledger:
    """Counts of one problem's search, kept by the scheduler; they add up over problems.

    Attributes:
        generated_tokens: tokens that the model wrote, discarded candidates included.
        prompt_tokens: tokens of the prefixes that it wrote them after (how many of them it had
            read before, for other lines, is not counted: that is the model's own affair).
        model_calls: completions asked for (rows, however they were batched).
        env_steps: lines played in an environment.
        verifier_calls: times a guide read the verifier (solved or not, or the potential).
        evaluator_calls: states valued by a model, the policy itself or a reward model.
    """

    generated_tokens: int = 0
    prompt_tokens: int = 0
    model_calls: int = 0
    env_steps: int = 0
    verifier_calls: int = 0
    evaluator_calls: int = 0

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Ledger)))

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Ledger:
        return cls(**{f.name: int(value[f.name]) for f in fields(cls)})


class BudgetSpent(Exception):
    """Raised inside a strategy whose token budget is used up; it then returns its best so far."""
