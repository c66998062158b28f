"""Chains of attempts: a first one, then revisions of what came before, in each chain.

A revision goes back to a *place*, a node of the chain from which a line was written, draws a line
there that was not tried there yet, and writes on from it until the solution. So a chain is a tree
of attempts that share their beginnings, and which of them is revised follows from the place: the
best of them would not do, since under a verifier all failed attempts are worth the same, nor
would the latest, since a revision that made things worse should not bind those after it.

The rule by which a place is chosen is the same for all guides:

- A place lost what the guide promised there less what it says of the best line tried there: the
  fall of `Value.total` from a node to its best child. Under the learned guides and the oracle this
  is the line after which the expected return, or the exact potential, was gone.
- Where values do not tell places apart, it is the place of the least sure line: of the surest line
  tried there, the mean surprise of a token (the negative of its natural log-probability). Values
  tell nothing where none falls, and where they only repeat how probable the model found the tokens
  so far, as under `policy`, whose mean over all tokens would blame early lines for late ones, and
  under `public`, where all is worth 0 until the goal is reached.
- Both are divided by how many lines were tried there: the more of them failed, the less the place
  is to blame. Else a chain would stay at one place and go down to the least likely of its lines.
- Where no line is left that the chain has not tried, there is nothing to revise.

Chains know nothing of each other but whether one has solved the problem: what one has tried, the
others may try too, since a right beginning is of use to all of them.

Departure from Snell et al., "Scaling LLM test-time compute optimally can be more effective than
scaling model parameters" (2024), section 6: there a model trained for it reads its whole earlier
attempts and writes a new one. Here the model need not be trained to revise. What it reads is one
transcript, in which the environment may have said what was wrong (`on_invalid="feedback"`).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from itertools import pairwise

from agents.models.base import Completion
from agents.search.final import FINALS, Solution, choose_final, judge
from agents.search.ledger import BudgetSpent
from agents.search.options import AT_ONCE, check_number, check_whole
from agents.search.requests import (
    Choice,
    Node,
    Request,
    Response,
    Search,
    Value,
    evaluate,
    generate,
)
from reason_env.errors import choose

_LEAST_MASS = 1e-12
"""Probability of all untried lines below which a place has nothing left to draw."""


def revise(
    root: Node, chains: int, revisions: int, temperature: float = 1.0, final: str = "value"
) -> Search:
    """Make `chains` attempts, then up to `revisions` revisions in each chain, all chains in the
    same requests, until a solution is known to be right.

    Args:
        temperature: of all lines but the first one of a revision, which is drawn at 1.
        final: which attempt of all is the answer, one of `FINALS`.

    Raises:
        ValueError: an option out of its range.
    """
    check_whole(1, AT_ONCE, chains=chains)
    check_whole(0, revisions=revisions)
    check_number(0, temperature=temperature)
    choose(final, FINALS, "final")
    work = _Work(chains, final)
    try:
        [nodes] = yield from generate([root], chains, "solution", temperature)
        yield from work.take(work.chains, nodes)
        for _ in range(revisions):
            made = len(work.solutions)
            if work.solved:
                break
            yield from work.value()
            going, nodes = yield from work.start()
            if nodes and not work.solved:
                groups = yield from generate(nodes, until="solution", temperature=temperature)
                yield from work.take(going, [node for [node] in groups])
            if len(work.solutions) == made:
                break  # no chain has a place left
    except BudgetSpent:
        pass
    return Choice(choose_final(work.solutions, final) or root)


class _Chain:
    """Attempts that revise each other.

    Attributes:
        tried: the nodes from which something was written, and the children written there.
        dry: nodes at which drawing has repeated a line, which it does only where no other is.
    """

    def __init__(self) -> None:
        self.tried: dict[Node, list[Node]] = {}
        self.dry: set[Node] = set()

    def note(self, end: Node) -> None:
        """Take in what an attempt tried."""
        for place, child in pairwise(end.way):
            # A branch that the budget ended before it was begun has tried nothing.
            if child.written is not None and child not in self.tried.get(place, ()):
                self.tried.setdefault(place, []).append(child)

    @property
    def nodes(self) -> list[Node]:
        """All places, the root first, and all that was tried there."""
        return [*self.tried, *(child for tried in self.tried.values() for child in tried)]

    def drawn(self, place: Node) -> list[Completion]:
        """What was drawn at a place."""
        return [child.written for child in self.tried[place] if child.written is not None]

    def repeats(self, node: Node) -> bool:
        """Whether a line was tried already where it was drawn: in these tokens or in others."""
        assert node.parent is not None
        tried = self.tried[node.parent]
        if node.lines and node.lines in [child.lines for child in tried]:
            return True
        return node.written is not None and node.written.tokens in [
            written.tokens for written in self.drawn(node.parent)
        ]

    def place(self, values: Mapping[Node, Value]) -> Node | None:
        """Where to revise: see the module's rule. None where nothing is left to draw.

        Args:
            values: of all `nodes`.
        """
        telling = self._telling(values)

        def blame(place: Node) -> tuple[float, float]:
            tried = self.tried[place]
            best = max(values[child].total for child in tried)
            fall = max(0.0, values[place].total - best) if telling else 0.0
            surprise = min(map(_surprise, self.drawn(place)))
            return fall / len(tried), surprise / len(tried)

        return max(filter(self._open, self.tried), key=blame, default=None)

    def _open(self, place: Node) -> bool:
        """Whether there are lines at a place that were not drawn there."""
        drawn = math.fsum(math.exp(math.fsum(one.logprobs)) for one in self.drawn(place))
        return place not in self.dry and 1.0 - drawn > _LEAST_MASS

    def _telling(self, values: Mapping[Node, Value]) -> bool:
        """Whether values say more than how probable the model found the tokens so far."""
        # A line that was cut is worth 0 under every guide, which says nothing of the guide.
        nodes = [node for node in self.nodes if node.lines or node.parent is None]
        scale = values[nodes[0]].total if nodes else 0.0  # of the root, whose sureness is 1
        return not all(
            math.isclose(values[node].total, scale * _sureness(node), abs_tol=1e-9)
            for node in nodes
        )


class _Work:
    """All chains, and what is known of what they wrote.

    Attributes:
        solutions: attempts that came to their end.
        values: of what was tried.
    """

    def __init__(self, chains: int, final: str) -> None:
        self.final = final
        self.chains = [_Chain() for _ in range(chains)]
        self.solutions: list[Solution] = []
        self.values: dict[Node, Value] = {}

    @property
    def solved(self) -> bool:
        return any(solution.value.solved for solution in self.solutions)

    def take(
        self, chains: Sequence[_Chain], ends: Sequence[Node]
    ) -> Generator[Request, Response, None]:
        """Judge attempts that came to their end, and note what they tried."""
        found = yield from judge(ends, self.final)
        self.solutions += found
        for chain, solution in zip(chains, found, strict=True):
            self.values[solution.node] = solution.value
            chain.note(solution.node)

    def value(self) -> Generator[Request, Response, None]:
        """Ask for the values of what was tried and has none."""
        known = dict.fromkeys(node for chain in self.chains for node in chain.nodes)
        new = [node for node in known if node not in self.values]
        values = yield from evaluate(new)
        self.values.update(zip(new, values, strict=True))

    def start(self) -> Generator[Request, Response, tuple[list[_Chain], list[Node]]]:
        """Draw the first line of a revision in every chain that has a place for it.

        Returns:
            The chains whose attempts go on, and where from; those over at once are taken.
        """
        going: list[tuple[_Chain, Node]] = []
        waiting = self.chains
        while waiting and not self.solved:
            found = [(chain, chain.place(self.values)) for chain in waiting]
            asked = [(chain, place) for chain, place in found if place is not None]
            if not asked:
                break
            drawn = yield from generate(
                [place for _, place in asked],
                without=[chain.drawn(place) for chain, place in asked],
            )
            waiting = []
            over: list[tuple[_Chain, Node]] = []
            for (chain, place), [node] in zip(asked, drawn, strict=True):
                if node.written is None:
                    continue  # the budget ended before this one was begun
                if chain.repeats(node):
                    chain.dry.add(place)
                    waiting.append(chain)
                else:
                    (over if node.done else going).append((chain, node))
            # Now, since the budget may end before the others do.
            yield from self.take([chain for chain, _ in over], [node for _, node in over])
        return [chain for chain, _ in going], [node for _, node in going]


def _sureness(node: Node) -> float:
    """Geometric mean probability of the tokens up to here."""
    return math.exp(node.logprob / node.size) if node.size else 1.0


def _surprise(written: Completion) -> float:
    """Mean negative log-probability of a token, in nats."""
    return -math.fsum(written.logprobs) / len(written.logprobs)
