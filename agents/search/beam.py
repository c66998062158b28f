"""Beam search over lines, guided by the search's guide.

Step-level search against a verifier, as in Snell et al., "Scaling LLM test-time compute optimally
can be more effective than scaling model parameters" (2024), section 5.2: every beam goes on by
`branch` lines, and of all these the `width` that the guide values most go on again. Departures are
listed in `agents.search.beams`.
"""

from __future__ import annotations

from agents.search.beams import advance, begin, choice
from agents.search.ledger import BudgetSpent
from agents.search.requests import Node, Search


def beam(
    root: Node,
    width: int = 4,
    branch: int = 4,
    temperature: float = 1.0,
    final: str = "value",
) -> Search:
    """Keep the best `width` distinct beams, line by line, until none is left to go on.

    A full round costs `width * branch` lines, so that a budget below `width * branch` answers may
    end with nothing finished; the most valued unfinished way is then the answer.

    Args:
        width: beams that go on, at most.
        branch: lines drawn for each beam, at most.
        temperature: of the lines; 1 draws them without replacement.
        final: `value`: the most valued finished way; `vote`: a vote of all finished ways, weighted
            by their values.

    Raises:
        ValueError: an option out of its range.
    """
    search = begin(root, temperature, final, width=width, branch=branch)
    beams = [root]
    try:
        while beams:
            [beams] = yield from advance(search, [beams], width, branch)
    except BudgetSpent:
        pass
    return choice(search)
