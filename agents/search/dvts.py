"""Diverse verifier tree search: beams that start apart and never compete.

As in Beeching, Tunstall and Rush, "Scaling test-time compute with open models" (2024): instead of
one pool of beams, which one early favourite can fill, independent subtrees go on greedily, each
with the best of its own candidates. Departures: the subtrees start from distinct first lines, drawn
without replacement, so that no two are the same; and those listed in `agents.search.beams`.
"""

from __future__ import annotations

from agents.search.beams import advance, begin, choice
from agents.search.ledger import BudgetSpent
from agents.search.requests import Node, Search


def dvts(
    root: Node,
    trees: int = 4,
    branch: int = 4,
    temperature: float = 1.0,
    final: str = "value",
) -> Search:
    """Grow `trees` subtrees side by side, each by the best of `branch` lines at a time.

    Args:
        trees: distinct first lines, at most; each starts a subtree.
        branch: lines drawn at each step of a subtree, at most.
        temperature: of the lines; 1 draws them without replacement.
        final: `value`: the most valued finished way; `vote`: a vote of all finished ways, weighted
            by their values.

    Raises:
        ValueError: an option out of its range.
    """
    search = begin(root, temperature, final, trees=trees, branch=branch)
    try:
        [firsts] = yield from advance(search, [[root]], trees, trees)
        subtrees = [[first] for first in firsts]
        while any(subtrees):
            subtrees = yield from advance(search, subtrees, 1, branch)
    except BudgetSpent:
        pass
    return choice(search)
