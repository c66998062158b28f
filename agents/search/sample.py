"""Sampling: one solution from the policy as it is."""

from __future__ import annotations

from agents.search.ledger import BudgetSpent
from agents.search.requests import Choice, Node, Search, generate


def sample(root: Node, temperature: float = 1.0) -> Search:
    """One sampled solution.

    Args:
        temperature: above 0; 1 samples from the policy itself.
    """
    try:
        [[node]] = yield from generate([root], until="solution", temperature=temperature)
    except BudgetSpent:
        return Choice(root)
    return Choice(node)
