"""Monte Carlo tree search with PUCT.

One simulation: descend by PUCT (Rosin, 2011; Silver et al., "Mastering the game of Go without
human knowledge", 2017, eq. 2 of its methods) to a node whose lines are not all drawn yet, draw
more lines there from the policy, value the new ones, and pass the return up, edge rewards and
discount included. Departures, since lines cannot be listed as moves can:

- a node's lines are drawn from the policy, without replacement: no token is spent on a line that
  is known there. A child's prior is the policy's probability of its line among its siblings;
- a node may be widened again when it has been visited often enough: it has drawn at most
  `branch * ceil(sqrt(visits))` lines (progressive widening, Couetoux et al., 2011);
- a finished node, and one below which all is finished, is not visited again: it has nothing more
  to tell;
- all new children are valued at once, which costs no generated tokens; what goes up is the best
  of them, and a child not yet visited counts with what the guide said of it;
- a solution that the guide knows to be right ends the search.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field

from agents.models.base import Completion
from agents.search.ledger import BudgetSpent
from agents.search.requests import Choice, Node, Request, Response, Search, evaluate, generate
from agents.search.tree import Branch, Tree


@dataclass(slots=True, eq=False)
class _Vertex:
    """A node of the tree while it grows."""

    node: Node
    parent: _Vertex | None
    index: int
    reward: float = 0.0
    value: float = 0.0
    visits: int = 0
    returns: float = 0.0
    tries: int = 0
    drawn: list[Completion] = field(default_factory=list)
    solved: bool = False
    dry: bool = False
    closed: bool = False
    children: list[_Vertex] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Average return from here on; what the guide said while there is no visit."""
        return self.returns / self.visits if self.visits else self.value

    @property
    def logprob(self) -> float:
        """Of the line that leads here."""
        return self.node.logprob - self.parent.node.logprob if self.parent else 0.0

    @property
    def line(self) -> str:
        return self.node.line


def mcts(
    root: Node,
    simulations: int = 64,
    branch: int = 1,
    c_puct: float = 1.0,
    discount: float = 1.0,
) -> Search:
    """Search a tree of lines and return the best way found.

    Args:
        simulations: at most; the token budget may end it earlier.
        branch: lines drawn from the policy each time a node is widened.
        c_puct: weight of the exploration term.
        discount: of the return, per line, in (0, 1].

    Raises:
        ValueError: an option out of its range.
    """
    if simulations < 1 or branch < 1:
        raise ValueError(
            f"simulations and branch must be 1 or more, received {simulations} and {branch}"
        )
    if c_puct < 0 or not 0 < discount <= 1:
        raise ValueError(
            f"c_puct must be 0 or more and discount in (0, 1], received {c_puct} and {discount}"
        )
    if root.done:
        return Choice(root)
    grown = [_Vertex(root, None, 0)]
    try:
        for _ in range(simulations):
            if grown[0].closed:
                break
            leaf = _select(grown[0], branch, c_puct, discount)
            new = yield from _widen(grown, leaf, branch)
            if any(child.solved for child in new):
                break
            _back_up(leaf, discount)
    except BudgetSpent:
        pass
    return Choice(_best(grown).node, _freeze(grown))


def _select(vertex: _Vertex, branch: int, c_puct: float, discount: float) -> _Vertex:
    """Descend from a node that is not closed to one that is due for more lines."""
    while vertex.dry or vertex.tries >= branch * math.ceil(math.sqrt(vertex.visits)):
        pairs = [(c, p) for c, p in zip(vertex.children, _priors(vertex)) if not c.closed]
        if not pairs:
            return vertex
        scale = c_puct * math.sqrt(vertex.visits)
        scores = [c.reward + discount * c.mean + scale * p / (1 + c.visits) for c, p in pairs]
        vertex = pairs[scores.index(max(scores))][0]
    return vertex


def _priors(vertex: _Vertex) -> list[float]:
    """The policy's probabilities of the children's lines, normalised among them."""
    if not vertex.children:
        return []
    highest = max(child.logprob for child in vertex.children)
    weights = [math.exp(child.logprob - highest) for child in vertex.children]
    total = sum(weights)
    return [weight / total for weight in weights]


def _widen(
    grown: list[_Vertex], leaf: _Vertex, branch: int
) -> Generator[Request, Response, list[_Vertex]]:
    """Draw new lines at a leaf, add them as children, and value them."""
    [drawn] = yield from generate([leaf.node], branch, without=[leaf.drawn])
    before = len(leaf.drawn)
    fresh: dict[str, Node] = {}
    for node in drawn:
        if node.written is None:
            continue  # the budget ended before this one was begun
        # Lines drawn at the same time may still be equal. One that was cut off is no line.
        if node.lines:
            fresh.setdefault(node.line, node)
        if node.written.tokens not in [known.tokens for known in leaf.drawn]:
            leaf.drawn.append(node.written)
    leaf.tries += branch
    # Drawing without replacement repeats a line only where there is no other.
    leaf.dry = len(leaf.drawn) == before
    known = {child.line for child in leaf.children}
    nodes = [node for line, node in fresh.items() if line not in known]
    values = yield from evaluate(nodes)
    new = []
    for node, value in zip(nodes, values):
        child = _Vertex(node, leaf, len(grown), value.reward, value.value)
        child.solved, child.closed = value.solved, node.done
        leaf.children.append(child)
        grown.append(child)
        new.append(child)
    return new


def _back_up(leaf: _Vertex, discount: float) -> None:
    """Pass the return of a simulation that ended at `leaf` up to the root, which counts too."""
    value = leaf.value
    if leaf.children:
        value = max(child.reward + discount * child.value for child in leaf.children)
    vertex: _Vertex | None = leaf
    while vertex is not None:
        vertex.visits += 1
        vertex.returns += value
        vertex.closed = vertex.dry and all(child.closed for child in vertex.children)
        value = vertex.reward + discount * value
        vertex = vertex.parent


def _best(grown: list[_Vertex]) -> _Vertex:
    """A solution known to be right, else the finished node of the highest return, else the way
    of most visits."""
    for vertex in grown:
        if vertex.solved:
            return vertex
    finished = [vertex for vertex in grown if vertex.node.done]
    if finished:
        return max(finished, key=lambda vertex: (vertex.reward, vertex.visits, vertex.node.logprob))
    vertex = grown[0]
    while vertex.children:
        vertex = max(vertex.children, key=lambda child: (child.visits, child.reward + child.value))
    return vertex


def _freeze(grown: list[_Vertex]) -> Tree:
    priors = {
        child.index: prior
        for vertex in grown
        if vertex.children
        for child, prior in zip(vertex.children, _priors(vertex))
    }
    return Tree(
        tuple(
            Branch(
                -1 if v.parent is None else v.parent.index,
                v.line,
                priors.get(v.index, 1.0),
                v.reward,
                v.value,
                v.visits,
                v.mean,
                v.node.done,
            )
            for v in grown
        )
    )
