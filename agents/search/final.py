"""Which of the nodes that a search has found is its answer."""

from __future__ import annotations

from collections.abc import Sequence

from agents.search.requests import Node


def majority(
    nodes: Sequence[Node], answers: Sequence[str | None], weights: Sequence[float] | None = None
) -> Node | None:
    """The node that stands for the answer with the most votes (Wang et al., "Self-consistency
    improves chain of thought reasoning in language models", 2022).

    Args:
        nodes: finished ways.
        answers: what each answers in canonical form (`Answers`); None does not vote.
        weights: of each vote, 0 or more; None: 1 each.

    Returns:
        Of the nodes with that answer the one of the greatest weight, else of the greatest
        log-probability; on a tie of votes the answer that came first. None where nobody voted.
    """
    votes: dict[str, float] = {}
    for place, answer in enumerate(answers):
        if answer is not None:
            votes[answer] = votes.get(answer, 0.0) + (1.0 if weights is None else weights[place])
    if not votes:
        return None
    chosen = max(votes, key=lambda answer: votes[answer])
    voters = [place for place, answer in enumerate(answers) if answer == chosen]
    best = max(voters, key=lambda p: (0.0 if weights is None else weights[p], nodes[p].logprob))
    return nodes[best]
