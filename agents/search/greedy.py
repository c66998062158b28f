"""Greedy decoding: the likeliest token each time, one solution."""

from __future__ import annotations

from agents.search.ledger import BudgetSpent
from agents.search.requests import Choice, Node, Search, generate


def greedy(root: Node) -> Search:
    """One solution at temperature 0."""
    try:
        [[node]] = yield from generate([root], until="solution", temperature=0.0)
    except BudgetSpent:
        return Choice(root)
    return Choice(node)
