"""Monte Carlo tree search with PUCT.

One simulation: descend by PUCT (Rosin, 2011; Silver et al., "Mastering the game of Go without
human knowledge", 2017, eq. 2 of its methods) to a node whose lines are not all drawn yet, draw
more lines there from the policy, value the new ones, and pass the return up, edge rewards and
discount included. Departures, since lines cannot be listed as moves can:

- a node's lines are drawn from the policy; equal lines are one child, whose prior is the policy's
  probability of it among its siblings;
- a node may be widened again when it has been visited often enough: it has drawn at most
  `branch * ceil(sqrt(visits))` lines (progressive widening, Couetoux et al., 2011);
- all new children are valued at once, which costs no generated tokens; what goes up is the best
  of them, and a child not yet visited counts with what the guide said of it;
- a solution that the guide knows to be right ends the search.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field

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
    drawn: int = 0
    solved: bool = False
    children: list[_Vertex] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Average return from here on; what the guide said while there is no visit."""
        return self.returns / self.visits if self.visits else self.value

    @property
    def logprob(self) -> float:
        """Of the line that leads here."""
        return self.node.logprobs[-1]

    @property
    def line(self) -> str:
        return self.node.actions[-1] if self.node.actions else ""


def mcts(
    root: Node,
    simulations: int = 64,
    branch: int = 4,
    c_puct: float = 1.0,
    discount: float = 1.0,
    temperature: float = 1.0,
) -> Search:
    """Search a tree of lines and return the best way found.

    Args:
        simulations: at most; the token budget may end it earlier.
        branch: lines drawn from the policy each time a node is widened.
        c_puct: weight of the exploration term.
        discount: of the return, per line, in (0, 1].
        temperature: of the drawn lines; priors are always those of the policy itself.

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
    grown = [_Vertex(root, None, 0)]
    try:
        for _ in range(simulations):
            leaf = _select(grown[0], branch, c_puct, discount)
            if not leaf.node.done:
                new = yield from _widen(grown, leaf, branch, temperature)
                if any(child.solved for child in new):
                    break
            _back_up(leaf, discount)
    except BudgetSpent:
        pass
    return Choice(_best(grown).node, _freeze(grown))


def _select(vertex: _Vertex, branch: int, c_puct: float, discount: float) -> _Vertex:
    """Descend to a node that is over, or due for more lines."""
    while not vertex.node.done and vertex.children:
        if vertex.drawn < branch * math.ceil(math.sqrt(vertex.visits)):
            return vertex
        priors = _priors(vertex)
        root_visits = math.sqrt(vertex.visits)
        vertex = max(
            zip(vertex.children, priors),
            key=lambda pair: (
                pair[0].reward
                + discount * pair[0].mean
                + c_puct * pair[1] * root_visits / (1 + pair[0].visits)
            ),
        )[0]
    return vertex


def _priors(vertex: _Vertex) -> list[float]:
    """The policy's probabilities of the children's lines, normalised among them."""
    highest = max(child.logprob for child in vertex.children)
    weights = [math.exp(child.logprob - highest) for child in vertex.children]
    total = sum(weights)
    return [weight / total for weight in weights]


def _widen(
    grown: list[_Vertex], leaf: _Vertex, branch: int, temperature: float
) -> Generator[Request, Response, list[_Vertex]]:
    """Draw lines at a leaf, add those that are new as children, and value them."""
    [drawn] = yield from generate([leaf.node], branch, "line", temperature)
    leaf.drawn += branch
    known = {child.line for child in leaf.children}
    fresh: dict[str, Node] = {}
    for node in drawn:
        # A line that was cut off is no line: it has no text of its own.
        if len(node.actions) > len(leaf.node.actions) and node.actions[-1] not in known:
            fresh.setdefault(node.actions[-1], node)
    nodes = list(fresh.values())
    values = yield from evaluate(nodes)
    new = []
    for node, value in zip(nodes, values):
        child = _Vertex(node, leaf, len(grown), value.reward, value.value, solved=value.solved)
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
