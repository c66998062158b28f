"""Hybrid: attempts in parallel, each revised in sequence."""

from __future__ import annotations

from agents.search.requests import Node, Search
from agents.search.revising import revise


def hybrid(
    root: Node,
    chains: int = 2,
    revisions: int = 3,
    temperature: float = 1.0,
    final: str = "value",
) -> Search:
    """`chains` first attempts at once, and up to `revisions` revisions in each chain: see
    `agents.search.revising`. How the same number of attempts is best split between the two depends
    on the problem (Snell et al., "Scaling LLM test-time compute optimally can be more effective
    than scaling model parameters", 2024): `revisions=0` is `best_of_n`, `chains=1` is `revision`.

    Args:
        chains: first attempts; all chains go on in the same batches.
        revisions: in each chain at most; the token budget may end them earlier, and so does a
            solution that is known to be right.
        temperature: of all lines but the first one of a revision, which is drawn at 1 from what
            was not tried there. 0: greedy but for that line.
        final: `value`: the most valued attempt of all chains; `vote`: a vote of all of them,
            weighted by their values.

    Raises:
        ValueError: an option out of its range.
    """
    return (yield from revise(root, chains, revisions, temperature, final))
