"""Sampling: one solution from the policy as it is."""

from __future__ import annotations

from agents.search.ledger import BudgetSpent
from agents.search.options import check_number
from agents.search.requests import Choice, Node, Search, generate


def sample(root: Node, temperature: float = 1.0) -> Search:
    """One sampled solution.

    Args:
        temperature: 1 samples from the policy itself, 0 is greedy.

    Raises:
        ValueError: a temperature below 0.
    """
    check_number(0, temperature=temperature)
    try:
        [[node]] = yield from generate([root], until="solution", temperature=temperature)
    except BudgetSpent:
        return Choice(root)
    return Choice(node)
