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
- Where no line is left that was not tried, there is nothing to revise. The lines of all chains
  count as tried: no token is spent on one that is known.

Departure from Snell et al., "Scaling LLM test-time compute optimally can be more effective than
scaling model parameters" (2024), section 6: there a model trained for it reads its whole earlier
attempts and writes a new one. Here the model need not be trained to revise. What it reads is one
transcript, in which the environment may have said what was wrong (`on_invalid="feedback"`).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from itertools import pairwise

from agents.models.base import Completion
from agents.search.final import FINALS, Solution, choose_final, judge
from agents.search.ledger import BudgetSpent
from agents.search.options import check_temperature, check_whole
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

Chain = dict[Node, list[Node]]
"""The places of a chain, and the children that were tried at each."""


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
    check_whole(1, chains=chains)
    check_whole(0, revisions=revisions)
    check_temperature(temperature)
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


class _Work:
    """What all chains have written, and what is known of it.

    Attributes:
        chains: each chain's own places.
        solutions: attempts that came to their end.
        values: of ends and of places.
        drawn: what was drawn at each place, by token ids, whichever chain drew it.
        dry: places at which drawing has repeated a line, which it does only where no other is.
    """

    def __init__(self, chains: int, final: str) -> None:
        self.final = final
        self.chains: list[Chain] = [{} for _ in range(chains)]
        self.solutions: list[Solution] = []
        self.values: dict[Node, Value] = {}
        self.drawn: dict[Node, dict[tuple[int, ...], Completion]] = {}
        self.dry: set[Node] = set()

    @property
    def solved(self) -> bool:
        return any(solution.value.solved for solution in self.solutions)

    def take(
        self, chains: Sequence[Chain], ends: Sequence[Node]
    ) -> Generator[Request, Response, None]:
        """Judge attempts that came to their end, and note what they tried."""
        found = yield from judge(ends, self.final)
        self.solutions += found
        for chain, solution in zip(chains, found, strict=True):
            self.values[solution.node] = solution.value
            for place, child in pairwise(solution.node.way):
                # A branch that the budget ended before it was begun has tried nothing.
                if child.written is not None and child not in chain.setdefault(place, []):
                    chain[place].append(child)
                    self._note(place, child.written)

    def value(self) -> Generator[Request, Response, None]:
        """Ask for the values of the places that have none."""
        places = {place: None for chain in self.chains for place in chain}
        new = [place for place in places if place not in self.values]
        for place, value in zip(new, (yield from evaluate(new)), strict=True):
            self.values[place] = value

    def start(self) -> Generator[Request, Response, tuple[list[Chain], list[Node]]]:
        """Draw the first line of a revision in every chain that has a place for it.

        Returns:
            The chains whose attempts go on, and where from; those over at once are taken.
        """
        going: list[Chain] = []
        nodes: list[Node] = []
        waiting = self.chains
        while waiting and not self.solved:
            found = [(chain, self._place(chain)) for chain in waiting]
            asked = [(chain, place) for chain, place in found if place is not None]
            if not asked:
                break
            places = [place for _, place in asked]
            known = [tuple(self.drawn[place].values()) for place in places]
            groups = yield from generate(places, without=known)
            waiting, over = [], []
            for (chain, place), before, [node] in zip(asked, known, groups, strict=True):
                if node.written is None:
                    continue  # the budget ended before this one was begun
                if node.written.tokens in [one.tokens for one in before] or _told(node, chain):
                    self.dry.add(place)
                    waiting.append(chain)
                elif node.done:
                    over.append((chain, node))
                else:
                    going.append(chain)
                    nodes.append(node)
                self._note(place, node.written)
            # Now, since the budget may be spent by what the others still have to write.
            yield from self.take([chain for chain, _ in over], [node for _, node in over])
        return going, nodes

    def _note(self, place: Node, written: Completion) -> None:
        self.drawn.setdefault(place, {}).setdefault(written.tokens, written)

    def _place(self, chain: Chain) -> Node | None:
        """Where to revise a chain: see the module's rule. None where nothing is left to draw."""
        open_places = [place for place in chain if self._mass(place) > _LEAST_MASS]
        telling = self._telling(chain)

        def blame(place: Node) -> tuple[float, float]:
            tried = chain[place]
            best = max(self.values[child].total for child in tried)
            fall = max(0.0, self.values[place].total - best) if telling else 0.0
            surprise = min(_surprise(child) for child in tried)
            return fall / len(tried), surprise / len(tried)

        return max(open_places, key=blame, default=None)

    def _mass(self, place: Node) -> float:
        """Probability of the lines at a place that were not drawn there."""
        if place in self.dry:
            return 0.0
        drawn = self.drawn[place].values()
        return 1.0 - math.fsum(math.exp(math.fsum(one.logprobs)) for one in drawn)

    def _telling(self, chain: Chain) -> bool:
        """Whether values say more of a chain than how probable the model found its tokens."""
        nodes = [*chain, *(child for tried in chain.values() for child in tried if child.lines)]
        scale = self.values[next(iter(chain))].total if chain else 0.0
        return not all(
            math.isclose(self.values[node].total, scale * _sureness(node), abs_tol=1e-9)
            for node in nodes
        )


def _told(node: Node, chain: Chain) -> bool:
    """Whether a line has been tried where it was drawn: in these tokens, or in others."""
    assert node.parent is not None
    return bool(node.lines) and node.lines in [child.lines for child in chain[node.parent]]


def _sureness(node: Node) -> float:
    """Geometric mean probability of the tokens up to here."""
    return math.exp(node.logprob / node.size) if node.size else 1.0


def _surprise(node: Node) -> float:
    """Mean negative log-probability of a token of the line that leads here, in nats."""
    assert node.written is not None
    return -math.fsum(node.written.logprobs) / len(node.written.logprobs)
