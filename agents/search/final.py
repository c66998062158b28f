"""Which of the nodes that a search has found is its answer."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import NamedTuple

from agents.search.requests import Node, Request, Response, Value, answers, evaluate
from reason_env import lines
from reason_env.rational import parse_canonical

FINALS = ("value", "vote")
"""Final answers of strategies that value whole solutions: the most valued, or a weighted vote."""


class Solution(NamedTuple):
    """A way that came to its end, and what is said of it.

    Attributes:
        answer: in canonical form, None where it answers nothing or was not asked for.
    """

    node: Node
    value: Value
    answer: str | None = None

    @property
    def finished(self) -> bool:
        """Whether its last line was written to the end."""
        return bool(self.node.lines)

    @property
    def weight(self) -> float:
        """Of its vote: what the guide says, nothing where that is negative."""
        return max(0.0, self.value.total)


def judge(nodes: Sequence[Node], final: str) -> Generator[Request, Response, list[Solution]]:
    """Value ways that came to their end, and ask for what they answer where that will be voted
    on. To be done before the next `Generate`, after which there may be no more asking."""
    values = yield from evaluate(nodes)
    if final != "vote":
        return [Solution(node, value) for node, value in zip(nodes, values)]
    found = yield from answers(nodes)
    return [Solution(*three) for three in zip(nodes, values, found)]


def choose_final(solutions: Sequence[Solution], final: str) -> Node | None:
    """The answer among what was judged.

    A solution that is known to be right is the answer in any case. Else, with `vote`, the answer
    with the largest sum of values; with `value`, and where nobody votes, the most valued solution
    (the first of them on a tie; one whose last line was cut only where no other is).

    Args:
        solutions: as `judge` gives them.
        final: one of `FINALS`.

    Returns:
        None where there are no solutions.
    """
    for solution in solutions:
        if solution.value.solved:
            return solution.node
    if final == "vote":
        nodes = [solution.node for solution in solutions]
        found = [solution.answer for solution in solutions]
        voted = majority(nodes, found, [solution.weight for solution in solutions])
        if voted is not None:
            return voted
    if not solutions:
        return None
    return max(solutions, key=lambda one: (one.finished, one.value.total)).node


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
        Of the nodes with that answer one that gives a number in its one canonical text (`1/2`, not
        `0.5` or `2/4`: the only text that every task takes) before the others, then the one of the
        greatest weight, then of the greatest log-probability. On a tie of votes the answer that
        more nodes give, then the one that came first. None where nobody voted.
    """
    if weights is None:
        weights = [1.0] * len(nodes)
    voters: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        if answer is not None:
            voters.setdefault(answer, []).append(place)
    if not voters:
        return None
    # Exact sums: whether votes tie does not depend on their order.
    votes = {
        answer: (math.fsum(weights[place] for place in places), len(places))
        for answer, places in voters.items()
    }
    chosen = max(votes, key=lambda answer: votes[answer])
    best = max(
        voters[chosen],
        key=lambda place: (_literal(nodes[place], chosen), weights[place], nodes[place].logprob),
    )
    return nodes[best]


def likeliest(nodes: Sequence[Node]) -> Node | None:
    """The node of the highest log-probability per token; None where nothing was written."""
    written = [node for node in nodes if node.size]
    return max(written, key=lambda node: node.logprob / node.size, default=None)


def _literal(node: Node, answer: str) -> bool:
    """Whether the node's last line answers with that number as the canonical form writes it."""
    if not node.lines or parse_canonical(answer) is None:
        return False
    return lines.answer_value(lines.normalise(node.lines[-1])) == answer
